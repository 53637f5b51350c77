package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

// Restored is a stream that was brought back.
type Restored struct {
	Path    string
	Header  segfile.Header // with the incarnation that the stream has now
	Summary segfile.Summary
	// Anew: its offsets are others than those in the file, see
	// [store.DB.RestoredIncarnation].
	Anew bool
}

// Restore brings a stream back from a snapshot, as a job whose result is a
// *[Restored]. Everything is checked before anything can be seen.
func (m *Manager) Restore(r FileRequest) (*Job, error) {
	asked := r
	b, key, err := m.openFile(&r)
	if err != nil {
		return nil, err
	}
	if r.As != "" {
		if err := protocol.CheckPath(r.As, protocol.DefaultLimits()); err != nil {
			return nil, err
		}
		if protocol.IsControlPath(r.As) {
			return nil, &RequestError{fmt.Errorf("paths that begin with %s are reserved", protocol.ControlPrefix)}
		}
	}
	return m.start(KindRestore, b.Location(key), asked, func(ctx context.Context, j *Job) (any, error) {
		restored, err := m.restore(ctx, j, b, key, r)
		if err != nil {
			return nil, about(b.Location(key), err)
		}
		return restored, nil
	})
}

func (m *Manager) restore(ctx context.Context, j *Job, b bucket.Bucket, key string, r FileRequest) (_ *Restored, err error) {
	f, err := m.openSource(ctx, j, b, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := f.Header()
	s, err := m.streamFrom(h, r)
	if err != nil {
		return nil, err
	}
	// Before the data, so that nobody waits for a refusal.
	_, next, err := m.o.Store.Load(ctx, s.Path)
	if !errors.Is(err, protocol.ErrNotFound) {
		return nil, errors.Join(err, fmt.Errorf("%q: %w", s.Path, engine.ErrPathTaken))
	}
	if s.Path != h.Path {
		s.Incarnation = max(s.Incarnation, next) // whatever lived there was another stream
	}
	restoration, err := m.o.Store.Restore(s)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, restoration.Abandon())
		}
	}()
	for {
		batches, err := f.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = restoration.Add(batches)
		}
		if err != nil {
			return nil, err
		}
	}
	producers := make([]store.Producer, 0, len(h.Producers))
	for _, p := range h.Producers {
		producers = append(producers, store.Producer{
			Producer: protocol.Producer{ID: p.ID, Epoch: p.Epoch, Seq: p.Seq}, LastAppendAt: p.LastAppendAt,
		})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.o.Engine.Restore(restoration, producers); err != nil {
		return nil, err
	}
	restored := &Restored{Path: s.Path, Header: *h, Summary: f.Summary(), Anew: s.Incarnation != h.Incarnation}
	restored.Header.Incarnation = s.Incarnation
	return restored, nil
}

// streamFrom is the stream that a file describes. A fork comes back as a stream of
// its own: the file holds what it had inherited.
func (m *Manager) streamFrom(h *segfile.Header, r FileRequest) (*store.Stream, error) {
	if h.Start != 0 || h.First != 0 {
		return nil, &RequestError{fmt.Errorf("the file holds the stream from %s on, not from its beginning; restore the manifest beside it, which joins it with those before: its name ends in %s", h.StartOffset(), manifestSuffix)}
	}
	expiry, err := h.Expiry()
	if err != nil {
		return nil, err
	}
	switch {
	case r.NoExpiry:
		expiry = protocol.Expiry{}
	case expiry.AtRaw != "" && !expiry.At.After(m.o.Now()):
		return nil, &RequestError{fmt.Errorf("the stream has expired at %s and would be deleted at once; restore it without its expiry", expiry.AtRaw)}
	}
	s := &store.Stream{
		Path: h.Path, Incarnation: h.Incarnation, ContentType: h.ContentType, Kind: h.Kind(),
		CreatedAt: h.CreatedAt, Expiry: expiry, Closed: h.Closed, ClosedAt: h.ClosedAt,
		Position: store.Position{
			Tail: h.End, Messages: h.Messages, Bytes: h.Bytes, LastAppendAt: h.LastAppendAt, StreamSeq: h.StreamSeq,
		},
	}
	if r.As != "" {
		s.Path = r.As
	}
	if p := h.ClosedBy; p != nil {
		s.ClosedBy = &protocol.Producer{ID: p.ID, Epoch: p.Epoch, Seq: p.Seq}
	}
	return s, nil
}
