package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
	"tailrace/test/gateway"
)

// world is a log with everything above it, as far as snapshots need it.
type world struct {
	db      *store.DB
	engine  *engine.Engine
	manager *snapshot.Manager
	// reach says how a bucket that a test names is reached.
	reach bucket.Target
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func openWorld(t fataler, dir string, change func(*snapshot.Options)) *world {
	t.Helper()
	// Little is kept in memory and segments are made early, so that both are read.
	db, err := store.Open(context.Background(), dir, store.Options{SealAt: 16 << 10, CacheBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(context.Background(), db, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := snapshot.Options{Store: db, Engine: e, Program: "test", Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	m, err := snapshot.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return &world{db: db, engine: e, manager: m}
}

func (w *world) close(t fataler) {
	t.Helper()
	w.manager.Close()
	w.engine.Close()
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// start opens a world for a whole test.
func start(t *testing.T, change func(*snapshot.Options)) *world {
	t.Helper()
	w := openWorld(t, t.TempDir(), change)
	t.Cleanup(func() { w.close(t) })
	return w
}

// outcome waits for a job.
func outcome[T any](j *snapshot.Job, err error) (result T, _ error) {
	if err != nil {
		return result, err
	}
	<-j.Done()
	p := j.Progress()
	if p.Err != nil {
		return result, p.Err
	}
	return p.Result.(T), nil
}

// place is a folder, or a bucket that speaks S3 and keeps its objects as files.
type place struct {
	bucket.Target
	files string // where they lie in the file system
	s3    *gateway.Gateway
}

// onEachPlace runs a test on a folder and on an S3 bucket.
func onEachPlace(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "place")
		test(t, place{Target: bucket.Target{Location: dir}, files: dir})
	})
	t.Run("s3", func(t *testing.T) {
		g := gateway.Start(t)
		t.Setenv("AWS_ACCESS_KEY_ID", gateway.AccessKey)
		t.Setenv("AWS_SECRET_ACCESS_KEY", gateway.SecretKey)
		test(t, place{
			Target: bucket.Target{Location: "s3://" + gateway.Bucket + "/some/prefix", Endpoint: g.Endpoint, Region: "us-east-1", PathStyle: true},
			files:  filepath.Join(g.Data, gateway.Bucket, "some", "prefix"), s3: g,
		})
	})
}

// named gives the place a name in the configuration.
func (p place) named(o *snapshot.Options) { o.Targets = map[string]bucket.Target{"place": p.Target} }

// file is the file that a location names.
func (p place) file(location string) string {
	return p.files + strings.TrimPrefix(location, p.Location)
}

// left are the files that lie there.
func (p place) left(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(p.files, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

// at names a place that the world knows how to reach.
func (w *world) at(location string) snapshot.Where {
	t := w.reach
	t.Location = location
	return snapshot.Where{Place: t}
}

func at(dir string) snapshot.Where { return snapshot.Where{Place: bucket.Target{Location: dir}} }

func (w *world) create(t fataler, path, dir string) *snapshot.Created {
	t.Helper()
	c, err := outcome[*snapshot.Created](w.manager.Create(snapshot.CreateRequest{Path: path, To: w.at(dir)}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) verify(location string) (*snapshot.Verified, error) {
	return outcome[*snapshot.Verified](w.manager.Verify(snapshot.FileRequest{Location: location, From: w.at("")}))
}

func (w *world) restore(location, as string) (*snapshot.Restored, error) {
	return outcome[*snapshot.Restored](w.manager.Restore(snapshot.FileRequest{Location: location, As: as, From: w.at("")}))
}

func payload(t fataler, kind protocol.Kind, body string) protocol.Payload {
	t.Helper()
	p, err := protocol.FramePayload(kind, []byte(body), false, protocol.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) stream(t fataler, path, contentType string, bodies ...string) {
	t.Helper()
	if _, err := w.engine.Create(path, &engine.CreateRequest{ContentType: contentType}); err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		w.append(t, path, contentType, body, nil)
	}
}

func (w *world) append(t fataler, path, contentType, body string, p *protocol.Producer) {
	t.Helper()
	media, err := protocol.ParseContentType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	r := &engine.AppendRequest{ContentType: contentType, Payload: payload(t, protocol.KindOf(media), body), Producer: p}
	if _, err := w.engine.Append(path, r); err != nil {
		t.Fatal(err)
	}
}

func (w *world) exists(path string) error {
	r, err := w.engine.OpenReader(path)
	if err == nil {
		r.Close()
	}
	return err
}

// content is all that can be seen of a stream.
type content struct {
	Stream    store.Stream
	Producers map[string]store.Producer
	Batches   []*store.Batch
	Wire      []byte
}

func (w *world) content(t fataler, path string) content {
	t.Helper()
	captured, err := w.engine.Capture(path)
	if err != nil {
		t.Fatal(err)
	}
	c := content{Stream: captured.Stream, Producers: map[string]store.Producer{}}
	for _, p := range captured.Producers {
		c.Producers[p.ID] = p
	}
	s := &captured.Stream
	if c.Batches, err = w.db.Batches(context.Background(), s, 0, s.Messages); err != nil {
		t.Fatal(err)
	}
	for pos := int64(0); pos < s.Tail; {
		pieces, err := w.db.Read(context.Background(), s, pos, s.Tail, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pieces {
			if s.Kind == protocol.KindJSON && len(c.Wire) > 0 {
				c.Wire = append(c.Wire, ',')
			}
			c.Wire, pos = append(c.Wire, p.Data...), p.End
		}
	}
	return c
}

// diff compares two contents in everything that a restoration keeps: all but the
// stream's number, its path, and that it was a fork.
func diff(want, got content) string {
	return cmp.Diff(want, got,
		cmp.Comparer(bytes.Equal),
		cmpopts.IgnoreUnexported(store.Stream{}, store.Batch{}),
		cmpopts.IgnoreFields(store.Stream{}, "ID", "Path", "Fork", "Deadline"),
		cmpopts.IgnoreFields(store.Batch{}, "Stream", "StreamSeq"),
	)
}
