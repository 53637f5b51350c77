package engine

import (
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// draft decides a batch of appends against one state, without I/O and without
// changing that state. Each append sees what the ones before it would leave.
type draft struct {
	now    int64 // unix milliseconds
	stream store.Stream
	// producers is the state before the batch, changed what the batch makes of it.
	producers map[string]store.Producer
	changed   map[string]store.Producer

	batches []*store.Batch
	closes  bool
	// subscriptions and mirrored are stored together with the batches.
	subscriptions []*store.SubscriptionChange
	mirrored      []*store.MirrorStream
}

func newDraft(s *State, producers map[string]store.Producer, now int64) *draft {
	return &draft{now: now, stream: s.Stream, producers: producers}
}

// append decides one request in the order of PROTOCOL §5.2: what is wrong with
// the request itself, closure, content type, producer, Stream-Seq, content.
func (d *draft) append(r *AppendRequest) (Appended, error) {
	if r.Frame != nil {
		framed := *r
		framed.ContentType = d.stream.ContentType
		framed.Payload, framed.PayloadErr = r.Frame(d.stream.Kind)
		r = &framed
	}
	if r.Empty && !r.Close {
		return Appended{}, protocol.ErrEmptyBody
	}
	if m := r.Mirrored; m != nil && (m.Local != d.stream.ID || m.Position != d.stream.Tail) {
		return Appended{}, ErrNotMirror
	}
	if !r.Empty && r.ContentType == "" {
		return Appended{}, protocol.ErrNoContentType
	}
	if d.stream.Closed {
		return d.appendToClosed(r)
	}
	if !r.Empty {
		if err := checkMedia(d.stream.ContentType, r.ContentType); err != nil {
			return Appended{}, err
		}
	}
	if r.Producer != nil {
		if last, duplicate, err := d.checkProducer(r.Producer); err != nil {
			return Appended{}, err
		} else if duplicate {
			return d.outcome(true, last), nil
		}
	}
	if r.StreamSeq != "" && d.stream.StreamSeq != "" && r.StreamSeq <= d.stream.StreamSeq {
		return Appended{}, &protocol.StreamSeqError{Last: d.stream.StreamSeq, Received: r.StreamSeq}
	}
	if r.PayloadErr != nil {
		return Appended{}, r.PayloadErr
	}
	first := d.stream.Messages
	d.accept(r)
	out := d.outcome(false, r.Producer)
	out.First = first
	return out, nil
}

// appendToClosed answers a request to a closed stream: success only for closing
// it again without data, or for the very request that closed it (§5.2.1).
func (d *draft) appendToClosed(r *AppendRequest) (Appended, error) {
	if by := d.stream.ClosedBy; r.Producer != nil && by != nil && *by == *r.Producer {
		return d.outcome(true, by), nil
	}
	if r.Producer == nil && r.Empty && r.Close {
		return d.outcome(true, nil), nil
	}
	return Appended{}, &protocol.ClosedError{Tail: d.tail()}
}

// checkMedia compares two Content-Type values by media type.
func checkMedia(have, got string) error {
	g, err := protocol.ParseContentType(got)
	if err != nil {
		return err
	}
	h, err := protocol.ParseContentType(have)
	if err != nil {
		return err
	}
	if g != h {
		return &protocol.ConflictError{Field: "Content-Type", Have: h, Want: g}
	}
	return nil
}

// checkProducer applies the validation of §5.2.1. For a duplicate it returns the
// highest accepted sequence number of the epoch.
func (d *draft) checkProducer(p *protocol.Producer) (last *protocol.Producer, duplicate bool, err error) {
	state, ok := d.changed[p.ID]
	if !ok {
		state, ok = d.producers[p.ID]
	}
	switch {
	case !ok && p.Seq > 0:
		return nil, false, &protocol.SeqGapError{Expected: 0, Received: p.Seq}
	case !ok:
		return nil, false, nil
	case p.Epoch < state.Epoch:
		return nil, false, &protocol.StaleEpochError{Epoch: p.Epoch, Current: state.Epoch}
	case p.Epoch > state.Epoch && p.Seq != 0:
		return nil, false, protocol.ErrNewEpochSeq
	case p.Epoch > state.Epoch:
		return nil, false, nil
	case p.Seq <= state.Seq:
		return &state.Producer, true, nil
	case p.Seq > state.Seq+1:
		return nil, false, &protocol.SeqGapError{Expected: state.Seq + 1, Received: p.Seq}
	}
	return nil, false, nil
}

// accept adds a request that passed all checks to the batch.
func (d *draft) accept(r *AppendRequest) {
	b := &store.Batch{
		Stream:    d.stream.ID,
		Time:      d.now,
		Payload:   r.Payload,
		Producer:  r.Producer,
		StreamSeq: r.StreamSeq,
		Closing:   r.Close,
	}
	d.stream.Position = d.stream.Place(d.stream.Kind, b)
	d.batches = append(d.batches, b)
	if r.Producer != nil {
		if d.changed == nil {
			d.changed = map[string]store.Producer{}
		}
		d.changed[r.Producer.ID] = store.Producer{Producer: *r.Producer, LastAppendAt: d.now}
	}
	if r.Subscription != nil {
		d.subscriptions = append(d.subscriptions, r.Subscription)
	}
	if r.Mirrored != nil {
		m := *r.Mirrored
		m.Position, m.Until = b.End, b.End
		d.mirrored = append(d.mirrored, &m)
	}
	if r.Close {
		d.closes = true
		d.stream.Closed, d.stream.ClosedAt, d.stream.ClosedBy = true, d.now, r.Producer
	}
}

func (d *draft) outcome(duplicate bool, p *protocol.Producer) Appended {
	return Appended{Next: d.tail(), Closed: d.stream.Closed, Duplicate: duplicate, Producer: p}
}

func (d *draft) tail() protocol.Offset {
	return protocol.Offset{Incarnation: d.stream.Incarnation, Position: d.stream.Tail}
}

// checkSame compares a PUT with the stream that exists (§5.1).
func checkSame(s *State, r *CreateRequest) error {
	contentType := r.ContentType
	if contentType == "" {
		contentType = protocol.DefaultContentType
	}
	if err := checkMedia(s.ContentType, contentType); err != nil {
		return err
	}
	switch {
	case !s.Expiry.Equal(r.Expiry):
		return &protocol.ConflictError{Field: "Stream-TTL or Stream-Expires-At", Have: s.Expiry.String(), Want: r.Expiry.String()}
	case s.Closed != r.Closed:
		return &protocol.ConflictError{Field: protocol.HeaderStreamClosed, Have: openness(s.Closed), Want: openness(r.Closed)}
	}
	return nil
}

func openness(closed bool) string {
	if closed {
		return "closed"
	}
	return "open"
}
