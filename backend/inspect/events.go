package inspect

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

const (
	tailInterval  = 100 * time.Millisecond
	listInterval  = 250 * time.Millisecond
	statsInterval = time.Second
	// maxChanged is how many changed streams one event carries; with more, the
	// page reloads its list.
	maxChanged = 500
)

// The lines of the event stream; type tells which it is.
type (
	// Hello is the first event.
	Hello struct {
		Type string `json:"type" enum:"hello"`
		Info Info   `json:"info"`
	}
	// Stats tell how much goes on, every second.
	Stats struct {
		Type      string  `json:"type" enum:"stats"`
		At        int64   `json:"at" doc:"Unix milliseconds."`
		Streams   int64   `json:"streams"`
		Readers   int64   `json:"readers"`
		Appends   float64 `json:"appends_per_second"`
		Bytes     float64 `json:"bytes_per_second"`
		DiskBytes int64   `json:"disk_bytes"`
		DemoUntil *int64  `json:"demo_until" doc:"Unix milliseconds when the demo traffic ends; null: there is none."`
		Faults    int     `json:"faults" doc:"How many are armed: requests fail on purpose."`
		Findings  int     `json:"findings_unseen" doc:"How many findings the person has not looked at."`
		Settings  string  `json:"settings_problem" doc:"Why the configuration file is not followed; empty: it is."`
		Tokens    bool    `json:"tokens" doc:"The data listener wants a token."`
	}
	// Changes are the streams that have changed since the event before.
	Changes struct {
		Type    string   `json:"type" enum:"streams"`
		Changed []Stream `json:"changed" nullable:"false"`
		Removed []string `json:"removed" nullable:"false"`
		Refresh bool     `json:"refresh" doc:"Too many changed: load the list again."`
	}
	// Requests tell that the journal has grown: in all, and of the watched stream.
	Requests struct {
		Type           string `json:"type" enum:"requests"`
		On             bool   `json:"on" doc:"Requests are recorded."`
		Last           uint64 `json:"last" doc:"Id of the newest request."`
		Kept           int    `json:"kept"`
		Rejected       int    `json:"rejected" doc:"Refusals among those that are kept."`
		Stream         string `json:"stream" doc:"The watched stream."`
		StreamAll      int    `json:"stream_all" doc:"Requests of the watched stream since this window began to watch, and those that were kept then."`
		StreamRejected int    `json:"stream_rejected"`
	}
	// Mirrors are all mirrors, when something about them has changed.
	Mirrors struct {
		Type    string   `json:"type" enum:"mirrors"`
		Mirrors []Mirror `json:"mirrors" nullable:"false"`
	}
	// Tail is where the watched stream stands.
	Tail struct {
		Type     string `json:"type" enum:"tail"`
		Path     string `json:"path"`
		Messages int64  `json:"messages"`
		Bytes    int64  `json:"bytes"`
		Tail     string `json:"tail" doc:"Offset token."`
		Closed   bool   `json:"closed"`
		Deleted  bool   `json:"deleted" doc:"There is no such stream."`
	}
)

type eventsInput struct {
	Stream string `query:"stream" doc:"Path of a stream to watch closely."`
}

func (s *Server) registerEvents(api huma.API) {
	var line huma.Schema
	for _, event := range []reflect.Type{
		reflect.TypeFor[Hello](), reflect.TypeFor[Stats](), reflect.TypeFor[Changes](), reflect.TypeFor[Requests](), reflect.TypeFor[Mirrors](), reflect.TypeFor[Tail](),
	} {
		line.OneOf = append(line.OneOf, api.OpenAPI().Components.Schemas.Schema(event, true, ""))
	}
	op := operation(http.MethodGet, "/api/events", "events", "What changes, as it changes: one JSON document a line")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "Event documents, one a line, until the client leaves.",
		Content:     map[string]*huma.MediaType{"application/x-ndjson": {Schema: &line}},
	}}
	huma.Register(api, op, func(_ context.Context, in *eventsInput) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(c huma.Context) { s.events(c, in.Stream) }}, nil
	})
}

// events writes the event stream of one window.
func (s *Server) events(c huma.Context, watch string) {
	c.SetHeader("Content-Type", "application/x-ndjson")
	c.SetHeader("X-Accel-Buffering", "no")
	_, w := humago.Unwrap(c)
	f := &feed{s: s, ctx: c.Context(), w: w, rc: http.NewResponseController(w), watch: watch, known: map[string]mark{}}
	f.counter.Stream = watch
	defer f.close()
	f.start()
	tail := time.NewTicker(tailInterval)
	defer tail.Stop()
	list := time.NewTicker(listInterval)
	defer list.Stop()
	stats := time.NewTicker(statsInterval)
	defer stats.Stop()
	for f.err == nil {
		select {
		case <-tail.C:
			f.sendTail(false)
		case <-list.C:
			f.sendChanges()
			f.sendRequests()
			f.sendMirrors()
		case <-stats.C:
			f.sendStats()
		case <-f.ctx.Done():
			return
		}
	}
}

// feed is the event stream of one window: what it knows already.
type feed struct {
	s     *Server
	ctx   context.Context //nolint:containedctx // lives as long as the request
	w     http.ResponseWriter
	rc    *http.ResponseController
	err   error
	watch string

	known    map[string]mark
	registry int64 // ordinal of the next registry event
	appends  int64
	bytes    int64
	lastAt   time.Time

	counter  journal.Counter
	requests Requests
	mirrors  uint64 // their revision that was sent

	reader  *engine.Reader
	tail    Tail
	retryAt time.Time
}

// mark is what a change of a stream in use shows in.
type mark struct {
	id, tail, readers int64
	closed            bool
}

func markOf(a engine.Activity) mark {
	return mark{id: a.State.ID, tail: a.State.Tail, readers: a.Readers, closed: a.State.Closed}
}

func (f *feed) close() {
	if f.reader != nil {
		f.reader.Close()
	}
}

func (f *feed) start() {
	for _, a := range f.s.o.Engine.Active() {
		f.known[a.State.Path] = markOf(a)
	}
	if st, _, err := f.s.o.Store.Load(f.ctx, protocol.RegistryPath); err == nil {
		f.registry = st.Messages
	}
	f.lastAt = f.s.o.Now()
	totals := f.s.o.Engine.Totals()
	f.appends, f.bytes = totals.Appends.Load(), totals.Bytes.Load()
	f.send(Hello{Type: "hello", Info: f.s.o.Info})
	f.sendStats()
	f.sendTail(true)
	f.sendRequests()
	f.sendMirrors()
}

// sendDeadline is how long a window may take to receive one event.
const sendDeadline = 30 * time.Second

func (f *feed) send(event any) {
	if f.err != nil {
		return
	}
	line, err := json.Marshal(event)
	if err != nil {
		f.err = err
		return
	}
	// Without support for deadlines the server's own limits apply.
	_ = f.rc.SetWriteDeadline(time.Now().Add(sendDeadline))
	if _, f.err = f.w.Write(append(line, '\n')); f.err == nil {
		f.err = f.rc.Flush()
	}
}

func (f *feed) sendStats() {
	totals, now := f.s.o.Engine.Totals(), f.s.o.Now()
	stats := Stats{
		Type: "stats", At: now.UnixMilli(), Streams: totals.Streams.Load(), Readers: totals.Readers.Load(), DiskBytes: f.s.diskBytes(),
		DemoUntil: f.s.demoUntil(), Faults: len(f.s.o.Faults.List()),
	}
	if f.s.o.Lint != nil && f.s.o.Journal.On() { // else the page shows none
		_, stats.Findings = f.s.o.Lint.Seen()
	}
	if f.s.o.WantsToken != nil {
		stats.Tokens = f.s.o.WantsToken()
	}
	if f.s.o.Settings != nil {
		stats.Settings = f.s.o.Settings.Problem()
	}
	appends, bytes := totals.Appends.Load(), totals.Bytes.Load()
	if d := now.Sub(f.lastAt).Seconds(); d > 0 {
		stats.Appends, stats.Bytes = float64(appends-f.appends)/d, float64(bytes-f.bytes)/d
	}
	f.appends, f.bytes, f.lastAt = appends, bytes, now
	f.send(stats)
}

// sendChanges tells what has changed since the last time: the registry names the
// streams that came and went, the streams in use show the rest themselves.
func (f *feed) sendChanges() {
	changed, removed, ok := f.registryChanges()
	active := f.s.o.Engine.Active()
	rows := map[string]Stream{}
	known := make(map[string]mark, len(active))
	for _, a := range active {
		path := a.State.Path
		m := markOf(a)
		if m != f.known[path] || changed[path] {
			row := newStream(&a.State.Stream, a)
			row.Forks, f.err = f.s.o.Store.Forks(f.ctx, a.State.ID)
			rows[path] = row
		}
		known[path] = m
		delete(removed, path)
	}
	f.known = known
	for path := range changed {
		if _, done := rows[path]; done || removed[path] {
			continue
		}
		if row, err := f.s.row(f.ctx, path); err == nil {
			rows[path] = row
		}
	}
	if len(rows) == 0 && len(removed) == 0 && ok {
		return
	}
	out := Changes{
		Type: "streams", Changed: []Stream{}, Removed: []string{},
		Refresh: !ok || len(rows)+len(removed) > maxChanged,
	}
	if !out.Refresh {
		for _, row := range rows {
			out.Changed = append(out.Changed, row)
		}
		for path := range removed {
			out.Removed = append(out.Removed, path)
		}
	}
	f.send(out)
}

// registryChanges reads the registry from where the last call ended.
func (f *feed) registryChanges() (changed, removed map[string]bool, ok bool) {
	changed, removed = map[string]bool{}, map[string]bool{}
	st, _, err := f.s.o.Store.Load(f.ctx, protocol.RegistryPath)
	if err != nil || st.Messages == f.registry {
		return changed, removed, err == nil
	}
	from := f.registry
	f.registry = st.Messages
	if st.Messages-from > maxChanged {
		return changed, removed, false
	}
	batches, err := f.s.o.Store.Batches(f.ctx, &st, from, st.Messages)
	if err != nil {
		return changed, removed, false
	}
	for _, b := range batches {
		for i := range b.Payload.Sizes {
			ordinal := b.First + int64(i)
			if ordinal < from || ordinal >= st.Messages {
				continue
			}
			var e struct {
				Key     string
				Headers struct{ Operation string }
			}
			if err := json.Unmarshal(messageOf(b, ordinal), &e); err != nil {
				return changed, removed, false
			}
			gone := e.Headers.Operation == "delete"
			if gone {
				removed[e.Key] = true
				delete(changed, e.Key)
			} else {
				changed[e.Key] = true
				delete(removed, e.Key)
			}
		}
	}
	return changed, removed, true
}

// sendRequests tells how the journal has grown.
func (f *feed) sendRequests() {
	e := f.s.o.Journal.Extent()
	now := Requests{Type: "requests", On: e.On, Last: e.Last, Kept: e.Count, Rejected: e.Rejected, Stream: f.watch}
	if f.watch != "" && now.Last != f.requests.Last {
		f.counter.Count(f.s.o.Journal)
	}
	now.StreamAll, now.StreamRejected = f.counter.All, f.counter.Rejected
	if now != f.requests {
		f.requests = now
		f.send(now)
	}
}

// sendMirrors tells how the mirrors stand, if there are any or have been.
func (f *feed) sendMirrors() {
	if now := f.s.o.Mirrors.Revision(); now != f.mirrors {
		f.mirrors = now
		f.send(Mirrors{Type: "mirrors", Mirrors: f.s.mirrors()})
	}
}

// sendTail tells where the watched stream stands, if that has changed. It holds
// the stream without being a reader of it.
func (f *feed) sendTail(always bool) {
	if f.watch == "" {
		return
	}
	now := Tail{Type: "tail", Path: f.watch, Deleted: true}
	if st := f.watched(); st != nil {
		now = Tail{
			Type: "tail", Path: f.watch, Messages: st.Messages, Bytes: st.Bytes,
			Tail: st.TailOffset().String(), Closed: st.Closed,
		}
	}
	if always || now != f.tail {
		f.tail = now
		f.send(now)
	}
}

// watched returns the state of the watched stream, nil when there is none. A
// path without a stream is looked at again once a second.
func (f *feed) watched() *engine.State {
	if f.reader == nil {
		if f.s.o.Now().Before(f.retryAt) {
			return nil
		}
		f.retryAt = f.s.o.Now().Add(time.Second)
		var err error
		if f.reader, err = f.s.o.Engine.OpenReader(f.watch); err != nil {
			f.reader = nil
			return nil
		}
	}
	st, err := f.reader.State()
	if err != nil {
		f.close()
		f.reader = nil
		return nil
	}
	return st
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
