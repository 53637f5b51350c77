package inspect

import (
	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/peer"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Info says which server this is.
type Info struct {
	Version      string  `json:"version"`
	DataURL      string  `json:"data_url" doc:"Root of the data listener; streams live under /v1/stream/."`
	DataTLSURL   *string `json:"data_tls_url" doc:"The same over TLS, with HTTP/2; null: it is off."`
	InspectorURL string  `json:"inspector_url"`
	DataDir      string  `json:"data_dir"`
	PID          int     `json:"pid"`
	StartedAt    int64   `json:"started_at" doc:"Unix milliseconds."`
	Desktop      bool    `json:"desktop" doc:"A window exists."`
	Limits       Limits  `json:"limits"`
}

// Limits are the limits that a form can check before it sends.
type Limits struct {
	MaxBodyBytes int64 `json:"max_body_bytes"`
	MaxPathBytes int   `json:"max_path_bytes"`
}

// Stream is a row of the list.
type Stream struct {
	Path         string  `json:"path"`
	Kind         string  `json:"kind" enum:"json,text,bytes"`
	ContentType  string  `json:"content_type"`
	Messages     int64   `json:"messages"`
	Bytes        int64   `json:"bytes"`
	Tail         string  `json:"tail" doc:"Offset token of the tail."`
	CreatedAt    int64   `json:"created_at" doc:"Unix milliseconds."`
	LastAppendAt *int64  `json:"last_append_at" doc:"Unix milliseconds; null: nothing was appended yet."`
	Closed       bool    `json:"closed"`
	Deleted      bool    `json:"deleted" doc:"Soft-deleted: kept for its forks."`
	System       bool    `json:"system"`
	TTLSeconds   *int64  `json:"ttl_seconds" doc:"Sliding window."`
	ExpiresAt    *string `json:"expires_at" doc:"Absolute expiry as it was sent."`
	Deadline     *int64  `json:"deadline" doc:"Unix milliseconds: when it expires if nobody touches it."`
	Readers      int64   `json:"readers" doc:"Open long-polls and SSE responses."`
	Producers    int64   `json:"producers"`
	ForkOf       *string `json:"fork_of"`
	Forks        int     `json:"forks"`
	ColdUntil    *string `json:"cold_until,omitempty" doc:"Offset token: what lies before, of its own, is read from snapshots. Absent: nothing."`
	Rate         *Rate   `json:"rate" doc:"Null: nothing was appended in the last minute."`
}

// Rate is the number of messages in each of the last seconds.
type Rate struct {
	_      struct{} `nullable:"true"`
	At     int64    `json:"at" doc:"Unix seconds of the last count."`
	Counts []int64  `json:"counts" nullable:"false" doc:"Oldest first."`
}

// Message is a row of a stream's message list.
type Message struct {
	Ordinal   int64     `json:"ordinal" doc:"Counted from 0."`
	Offset    string    `json:"offset" doc:"Token of the position where it starts."`
	Time      int64     `json:"time" doc:"Unix milliseconds."`
	Size      int       `json:"size" doc:"Bytes."`
	Producer  *Producer `json:"producer"`
	Batch     Batch     `json:"batch"`
	Preview   string    `json:"preview" doc:"The first bytes, at most 512."`
	Encoding  string    `json:"encoding" enum:"utf8,base64" doc:"Of the preview: base64 when the bytes are not UTF-8 text."`
	Truncated bool      `json:"truncated" doc:"The preview is not the whole message."`
}

// Batch is the append that a message came with.
type Batch struct {
	First int64 `json:"first" doc:"Ordinal of its first message."`
	Count int   `json:"count"`
}

// Producer is the triple of an idempotent append.
type Producer struct {
	_     struct{} `nullable:"true"`
	ID    string   `json:"id" minLength:"1"`
	Epoch int64    `json:"epoch" minimum:"0"`
	Seq   int64    `json:"seq" minimum:"0"`
}

// ProducerState is where a producer stands.
type ProducerState struct {
	ID           string `json:"id"`
	Epoch        int64  `json:"epoch"`
	LastSeq      int64  `json:"last_seq"`
	LastAppendAt int64  `json:"last_append_at" doc:"Unix milliseconds."`
	// Seen is null when the producer has sent nothing since the program started.
	Seen *ProducerSeen `json:"seen"`
}

// ProducerSeen is what was seen of a producer's appends since the program
// started, while the journal was on.
type ProducerSeen struct {
	_          struct{}    `nullable:"true"`
	Since      int64       `json:"since" doc:"Unix milliseconds: the first of them."`
	Accepted   int64       `json:"accepted"`
	Duplicates int64       `json:"duplicates"`
	Gaps       int64       `json:"gaps"`
	Fenced     int64       `json:"fenced"`
	Began      *EpochBegin `json:"began" doc:"How its epoch began; null: that was not seen."`
}

// Process is a program on this machine.
type Process struct {
	_    struct{} `nullable:"true"`
	PID  int      `json:"pid"`
	Name string   `json:"name"`
}

// newProcess is the one behind an address, nil when it was not found.
func newProcess(found map[string]peer.Process, address string) *Process {
	p, ok := found[address]
	if !ok {
		return nil
	}
	return &Process{PID: p.PID, Name: p.Name}
}

// EpochBegin is the append that began an epoch.
type EpochBegin struct {
	_       struct{} `nullable:"true"`
	Epoch   int64    `json:"epoch"`
	Before  *int64   `json:"before" doc:"The epoch before; null: none was seen."`
	At      int64    `json:"at" doc:"Unix milliseconds."`
	Remote  string   `json:"remote" doc:"Address of who began it."`
	Agent   string   `json:"agent"`
	Request uint64   `json:"request" doc:"Its id in the journal."`
	Process *Process `json:"process" doc:"The local program at that address now; null: not known."`
}

func newSeen(t journal.Tally) *ProducerSeen {
	out := &ProducerSeen{
		Since: t.Since.UnixMilli(), Accepted: t.Accepted, Duplicates: t.Duplicates, Gaps: t.Gaps, Fenced: t.Fenced,
	}
	if t.Entry != 0 {
		out.Began = &EpochBegin{Epoch: t.Epoch, At: t.At.UnixMilli(), Remote: t.By, Agent: t.Agent, Request: t.Entry}
		if t.Before >= 0 {
			out.Began.Before = &t.Before
		}
	}
	return out
}

func newProducer(p *protocol.Producer) *Producer {
	if p == nil {
		return nil
	}
	return &Producer{ID: p.ID, Epoch: p.Epoch, Seq: p.Seq}
}

// newStream makes a row of a stream that is in use.
func newStream(s *store.Stream, a engine.Activity) Stream {
	out := Stream{
		Path:         s.Path,
		Kind:         s.Kind.String(),
		ContentType:  s.ContentType,
		Messages:     s.Messages,
		Bytes:        s.Bytes,
		Tail:         protocol.Offset{Incarnation: s.Incarnation, Position: s.Tail}.String(),
		CreatedAt:    s.CreatedAt,
		LastAppendAt: orNull(s.LastAppendAt),
		Closed:       s.Closed,
		Deleted:      s.Deleted,
		System:       s.System,
		Deadline:     orNull(a.Deadline),
		Readers:      a.Readers,
		Producers:    a.Producers,
	}
	if s.Expiry.HasTTL {
		out.TTLSeconds = &s.Expiry.TTL
	}
	if s.Expiry.AtRaw != "" {
		out.ExpiresAt = &s.Expiry.AtRaw
	}
	if s.Fork != nil {
		out.ForkOf = &s.Fork.From
	}
	if a.Rate != nil {
		out.Rate = &Rate{At: a.Rate.At, Counts: a.Rate.Counts}
	}
	return out
}

// newRow makes a row of a stream as the store lists it; what is in use adds to
// it what only the engine knows.
func (s *Server) newRow(r *store.Row) Stream {
	a := engine.Activity{Deadline: r.Deadline, Producers: int64(r.Producers)}
	if now, ok := s.o.Engine.Activity(r.Path); ok && now.State.ID == r.ID {
		a = now
		r.Position = now.State.Position
	}
	out := newStream(&r.Stream, a)
	out.Forks = r.Forks
	if r.ColdEnd > 0 {
		token := offset(&r.Stream, r.ColdEnd)
		out.ColdUntil = &token
	}
	return out
}

func orNull(v int64) *int64 {
	if v == 0 {
		return nil
	}
	return &v
}
