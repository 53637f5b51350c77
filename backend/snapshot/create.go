package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

// CreateRequest asks for a snapshot.
type CreateRequest struct {
	Path     string // of the stream
	To       Where
	Compress bool
	// Increment holds only what is new since the newest snapshot of the stream there,
	// if one can be gone on from.
	Increment bool
}

// Created is a snapshot that was taken.
type Created struct {
	store.Snapshot
	Location string
	// Joined is the location of the manifest that joins the file with those that it
	// goes on from; empty: it is whole.
	Joined string
}

// newCreated tells where a snapshot lies.
func newCreated(s store.Snapshot) Created {
	c := Created{Snapshot: s, Location: joinLocation(s.Place, s.Key)}
	if s.Manifest != "" {
		c.Joined = joinLocation(s.Place, s.Manifest)
	}
	return c
}

// Create takes a snapshot of a stream, as a job whose result is a *[Created].
func (m *Manager) Create(r CreateRequest) (*Job, error) {
	if _, err := m.open(&r.To); err != nil {
		return nil, err
	}
	if _, err := m.o.Engine.Capture(r.Path); err != nil {
		return nil, err
	}
	return m.start(KindCreate, r.Path, r, func(ctx context.Context, j *Job) (any, error) {
		return m.create(ctx, j, r, 0)
	})
}

// create takes a snapshot and records it, together with the end of the task that
// asked for it.
func (m *Manager) create(ctx context.Context, j *Job, r CreateRequest, task int64) (*Created, error) {
	b, err := m.open(&r.To)
	if err != nil {
		return nil, err
	}
	captured, err := m.o.Engine.Capture(r.Path)
	if err != nil {
		return nil, err
	}
	s := &captured.Stream
	header := segfile.NewHeader(s, captured.Producers)
	var before chain
	if r.Increment {
		if before, err = m.newestChain(ctx, b, s); err != nil {
			return nil, err
		}
	}
	if len(before) > 0 {
		last := before[len(before)-1]
		if last.End == s.Tail && last.Closed == s.Closed {
			c := newCreated(last)
			return &c, nil // nothing is new
		}
		pos, err := m.o.Store.PositionAt(ctx, s, last.End)
		if err != nil {
			return nil, err
		}
		header.Start, header.First, header.BytesBefore = last.End, pos.Messages, pos.Bytes
	}
	j.total.Add(s.Bytes - header.BytesBefore)
	now, key, err := m.freeKey(ctx, b, s.Path)
	if err != nil {
		return nil, err
	}
	header.TakenAt, header.Program = now, m.o.Program
	var sum segfile.Summary
	err = b.Put(ctx, key, func(w io.Writer) (err error) {
		sum, err = m.write(ctx, j, w, s, header, r.Compress)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("snapshot of %q: %w", s.Path, err)
	}
	stored, err := b.Stat(ctx, key)
	if err == nil && stored.Size != sum.Size {
		err = fmt.Errorf("%s has %d bytes, but %d were written", b.Location(key), stored.Size, sum.Size)
	}
	taken := store.Snapshot{
		Path: s.Path, Incarnation: s.Incarnation, Start: header.Start, End: s.Tail, Messages: sum.Messages, Bytes: sum.Bytes, Closed: s.Closed,
		Target: r.To.Name, Place: placeOf(b), Endpoint: r.To.Place.Endpoint, Region: r.To.Place.Region, PathStyle: r.To.Place.PathStyle,
		Key: key, Size: sum.Size, SHA256: sum.SHA256[:], CreatedAt: now, Stream: s.ID,
	}
	if err == nil && len(before) > 0 {
		taken.Chain = chainID(&before[0])
		taken.Manifest, err = putManifest(ctx, b, before, &header, key, &sum)
	}
	if err != nil {
		return nil, errors.Join(err, b.Delete(context.WithoutCancel(ctx), key))
	}
	if err := m.o.Store.AddSnapshot(&taken, task); err != nil {
		return nil, err
	}
	c := newCreated(taken)
	return &c, nil
}

// placeOf is the absolute place of a bucket.
func placeOf(b bucket.Bucket) string {
	place, _ := bucket.Split(b.Location(root+"/x/y"), root)
	return place
}

// freeKey is the key of a snapshot taken now. Snapshots of one stream are never
// taken at the same time as far as their names tell.
func (m *Manager) freeKey(ctx context.Context, b bucket.Bucket, stream string) (now int64, key string, err error) {
	for {
		at := m.moment()
		key := keyOf(stream, at)
		_, err := b.Stat(ctx, key)
		if bucket.ProblemOf(err) == bucket.ProblemMissing {
			return at.UnixMilli(), key, nil
		}
		if err != nil {
			return 0, "", err
		}
	}
}

// moment is the present, and never the same millisecond twice.
func (m *Manager) moment() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.o.Now()
	if next := m.latest.Add(time.Millisecond); at.Before(next) {
		at = next
	}
	m.latest = at
	return at
}

// write writes a stream as a file.
func (m *Manager) write(ctx context.Context, j *Job, out io.Writer, s *store.Stream, h segfile.Header, compress bool) (segfile.Summary, error) {
	w, err := segfile.NewWriter(out, h, compress)
	if err != nil {
		return segfile.Summary{}, err
	}
	defer w.Close()
	err = m.o.Store.Scan(ctx, s, h.First, s.Messages, func(batches []*store.Batch) error {
		for _, b := range batches {
			if b.First >= s.Messages {
				break // appended since
			}
			if err := w.Add(b); err != nil {
				return err
			}
			j.bytes.Add(int64(len(b.Payload.Data)))
		}
		return ctx.Err()
	})
	if err != nil {
		return segfile.Summary{}, err
	}
	return w.Finish()
}
