package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

// readBuffer is how much is read from a target at a time.
const readBuffer = 1 << 20

// FileRequest names a file: by its location, or by its key within a target of the
// configuration.
type FileRequest struct {
	Location string
	From     Where // how to reach a location in a bucket
	As       string
	// NoExpiry restores a stream without its expiry.
	NoExpiry bool
}

// openFile finds the place of a file and opens it.
func (m *Manager) openFile(r *FileRequest) (bucket.Bucket, string, error) {
	key := r.Location
	if r.From.Name == "" {
		if r.Location == "" {
			return nil, "", &RequestError{errors.New("no snapshot is named")}
		}
		r.From.Place.Location, key = bucket.Split(r.Location, root)
	}
	b, err := m.open(&r.From)
	return b, key, err
}

// Comparison is what the log says about a snapshot.
type Comparison string

// Outcomes of comparing a snapshot with the log.
const (
	CompareSame    Comparison = "same"    // the log holds the same
	CompareAbsent  Comparison = "absent"  // the log has no such stream
	CompareDiffers Comparison = "differs" // the log holds something else
)

// Verified is what a snapshot was found to be.
type Verified struct {
	Location string
	Header   segfile.Header
	Summary  segfile.Summary
	Log      Comparison
	// Reason says how the log differs.
	Reason string
	// Recorded: the log has a record of this file, with the same checksum.
	Recorded bool
}

// Verify reads a snapshot back and checks all of it, as a job whose result is a
// *[Verified].
func (m *Manager) Verify(r FileRequest) (*Job, error) {
	asked := r
	b, key, err := m.openFile(&r)
	if err != nil {
		return nil, err
	}
	return m.start(KindVerify, b.Location(key), asked, func(ctx context.Context, j *Job) (any, error) {
		v, err := m.verify(ctx, j, b, key)
		if err != nil {
			return nil, about(b.Location(key), err)
		}
		return v, nil
	})
}

func (m *Manager) verify(ctx context.Context, j *Job, b bucket.Bucket, key string) (v *Verified, err error) {
	f, err := m.openSource(ctx, j, b, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	v = &Verified{Location: b.Location(key), Header: *f.Header()}
	log, err := m.compareWith(&v.Header)
	if err != nil {
		return nil, err
	}
	for {
		batches, err := f.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := log.compare(ctx, batches); err != nil {
			return nil, err
		}
	}
	v.Summary, v.Log, v.Reason = f.Summary(), log.outcome, log.reason
	v.Recorded, err = m.noteVerified(ctx, placeOf(b), f.Files())
	return v, err
}

// noteVerified compares files with their records, and notes there that they are
// right. It reports whether all have one.
func (m *Manager) noteVerified(ctx context.Context, place string, files []readFile) (recorded bool, err error) {
	recorded = true
	for _, f := range files {
		s, err := m.o.Store.SnapshotAt(ctx, place, f.key)
		if err != nil {
			return false, err
		}
		if s == nil {
			recorded = false
			continue
		}
		if !bytes.Equal(s.SHA256, f.sha256[:]) {
			return false, &segfile.DamagedError{Reason: fmt.Sprintf("its SHA-256 is %x, but what was written there is a snapshot of %q with %x", f.sha256, s.Path, s.SHA256)}
		}
		if err := m.o.Store.VerifiedSnapshot(s.ID, m.o.Now().UnixMilli()); err != nil {
			return false, err
		}
	}
	return recorded, nil
}

// opened is a file that is being read.
type opened struct {
	*segfile.Reader
	io.Closer
	key string
}

// Files implements [source].
func (o *opened) Files() []readFile { return []readFile{{o.key, o.Summary().SHA256}} }

func (m *Manager) openReader(ctx context.Context, j *Job, b bucket.Bucket, key string) (*opened, error) {
	info, err := b.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	j.total.Add(info.Size)
	raw, err := b.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	r, err := segfile.NewReader(bufio.NewReaderSize(counting{&untilDone{ctx, raw}, j}, readBuffer))
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return &opened{r, raw, key}, nil
}

// untilDone stops reading when its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// comparing compares a file with the log, batch by batch.
type comparing struct {
	db      *store.DB
	stream  store.Stream
	outcome Comparison
	reason  string
}

// compareWith begins to compare a file with the stream that it was taken from, if
// that is still there.
func (m *Manager) compareWith(h *segfile.Header) (*comparing, error) {
	captured, err := m.o.Engine.Capture(h.Path)
	s := &captured.Stream
	switch {
	case errors.Is(err, protocol.ErrNotFound), errors.Is(err, protocol.ErrGone):
		return &comparing{outcome: CompareAbsent}, nil
	case err != nil:
		return nil, err
	case s.Incarnation != h.Incarnation || s.CreatedAt != h.CreatedAt || s.ContentType != h.ContentType:
		return &comparing{outcome: CompareAbsent}, nil // another stream has taken the path
	case s.Tail < h.End || s.Messages < h.Messages:
		return &comparing{outcome: CompareDiffers, reason: fmt.Sprintf("the log ends at position %d", s.Tail)}, nil
	}
	return &comparing{db: m.o.Store, stream: *s, outcome: CompareSame}, nil
}

// compare compares the next batches of the file.
func (c *comparing) compare(ctx context.Context, want []*store.Batch) error {
	if c.outcome != CompareSame {
		return nil
	}
	first, last := want[0].First, want[len(want)-1]
	err := c.db.Scan(ctx, &c.stream, first, last.First+int64(last.Payload.Messages()), func(have []*store.Batch) error {
		for len(have) > 0 && len(want) > 0 && sameBatch(have[0], want[0]) {
			have, want = have[1:], want[1:]
		}
		if len(have) > 0 && len(want) > 0 {
			return errDiffers
		}
		return nil
	})
	if errors.Is(err, errDiffers) {
		c.outcome, c.reason = CompareDiffers, fmt.Sprintf("message %d differs", want[0].First)
		return nil
	}
	return err
}

var errDiffers = errors.New("the log differs")

func sameBatch(a, b *store.Batch) bool {
	if a.Start != b.Start || a.End != b.End || a.First != b.First || a.TotalBytes != b.TotalBytes || a.Time != b.Time ||
		a.Closing != b.Closing || (a.Producer == nil) != (b.Producer == nil) {
		return false
	}
	return (a.Producer == nil || *a.Producer == *b.Producer) &&
		slices.Equal(a.Payload.Sizes, b.Payload.Sizes) && bytes.Equal(a.Payload.Data, b.Payload.Data)
}
