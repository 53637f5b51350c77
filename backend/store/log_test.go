package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"tailrace/backend/protocol"
)

// tiny makes sealing, merging and trimming happen all the time.
var tiny = Options{SealAt: 600, CacheBytes: 900}

// fataler is what a test and a rapid check have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// testLog is a log with a model of what it must hold.
type testLog struct {
	t       fataler
	dir     string
	options Options
	db      *DB
	streams map[string]*modelStream
	// tombs is the highest incarnation of paths that are free now.
	tombs    map[string]int64
	registry *modelStream
	now      int64
	ids      int64 // highest number handed out to a committed stream
}

// modelStream is what a stream must hold.
type modelStream struct {
	Stream
	batches   []*Batch
	producers map[string]Producer
	// data is the whole stream on the wire, ends where its messages end in it.
	data []byte
	ends []int
}

// newTestLog opens a log in a new folder. When the test ends, the log is checked,
// closed, reopened and checked again.
func newTestLog(t *testing.T, o Options) *testLog {
	t.Helper()
	l := openTestLog(t, t.TempDir(), o)
	t.Cleanup(func() {
		if !t.Failed() {
			l.finish()
		}
	})
	return l
}

func openTestLog(t fataler, dir string, o Options) *testLog {
	l := &testLog{t: t, dir: dir, options: o, streams: map[string]*modelStream{}, tombs: map[string]int64{}, now: 1000}
	l.open()
	l.registry = l.newStream(protocol.RegistryPath, "application/json")
	l.registry.System = true
	if err := l.db.Commit(&Write{Stream: clone(&l.registry.Stream), Create: true}); err != nil {
		t.Fatalf("create the registry: %v", err)
	}
	l.startRegistry()
	return l
}

func (l *testLog) open() {
	l.t.Helper()
	db, err := Open(context.Background(), l.dir, l.options)
	if err != nil {
		l.t.Fatalf("open: %v", err)
	}
	l.db = db
}

func (l *testLog) startRegistry() { l.db.StartRegistry(l.registry.Stream, func(Position) {}) }

func (l *testLog) close() {
	l.t.Helper()
	if err := l.db.Close(); err != nil {
		l.t.Fatalf("close: %v", err)
	}
}

func (l *testLog) reopen() {
	l.t.Helper()
	l.close()
	l.open()
	l.startRegistry()
}

// finish is the check that every test of a log ends with.
func (l *testLog) finish() {
	l.t.Helper()
	l.check()
	l.reopen()
	l.check()
	l.close()
	l.checkFile()
}

func clone(s *Stream) *Stream {
	c := *s
	return &c
}

func (l *testLog) newStream(path, contentType string) *modelStream {
	media, err := protocol.ParseContentType(contentType)
	if err != nil {
		l.t.Fatalf("%v", err)
	}
	inc := int64(0)
	if last, ok := l.tombs[path]; ok {
		inc = last + 1
	}
	l.ids = l.db.NextID()
	return &modelStream{
		Stream: Stream{
			ID: l.ids, Path: path, Incarnation: inc, ContentType: contentType,
			Kind: protocol.KindOf(media), CreatedAt: l.now,
		},
		producers: map[string]Producer{},
	}
}

// announce adds an event to a write and to the model of the registry.
func (l *testLog) announce(w *Write, operation string) {
	event := fmt.Appendf(nil, `{"op":%q,"path":%q}`, operation, w.Stream.Path)
	w.Announce, w.Now = [][]byte{event}, l.now
}

// commit carries a write out; once it has, the model is brought up to date.
func (l *testLog) commit(w *Write) error {
	if err := l.db.Commit(w); err != nil {
		return err
	}
	if len(w.Announce) > 0 {
		b := &Batch{Stream: l.registry.ID, Time: w.Now, Payload: payloadOf(w.Announce)}
		l.registry.Position = l.registry.Place(protocol.KindJSON, b)
		l.registry.add(b)
	}
	return nil
}

func payloadOf(messages [][]byte) protocol.Payload {
	p := protocol.Payload{Data: bytes.Join(messages, []byte{','})}
	for _, m := range messages {
		p.Sizes = append(p.Sizes, len(m))
	}
	return p
}

func (l *testLog) create(path, contentType string) *modelStream {
	l.t.Helper()
	m := l.newStream(path, contentType)
	w := &Write{Stream: clone(&m.Stream), Create: true}
	l.announce(w, "insert")
	if err := l.commit(w); err != nil {
		l.t.Fatalf("create %q: %v", path, err)
	}
	l.streams[path] = m
	delete(l.tombs, path)
	return m
}

// appendOptions say what an append carries besides its data.
type appendOptions struct {
	producer  *protocol.Producer
	streamSeq string
	close     bool
}

// tryAppend appends messages as one batch.
func (l *testLog) tryAppend(m *modelStream, o appendOptions, messages ...string) error {
	b := &Batch{Stream: m.ID, Time: l.now, Producer: o.producer, StreamSeq: o.streamSeq, Closing: o.close}
	if len(messages) > 0 {
		var parts [][]byte
		for _, msg := range messages {
			parts = append(parts, []byte(msg))
		}
		b.Payload = payloadOf(parts)
		if m.Kind != protocol.KindJSON {
			b.Payload = protocol.Payload{Data: []byte(strings.Join(messages, "")), Sizes: []int{len(strings.Join(messages, ""))}}
		}
	}
	after := m.Stream
	after.Position = m.Place(m.Kind, b)
	if o.close {
		after.Closed, after.ClosedAt, after.ClosedBy = true, l.now, o.producer
	}
	w := &Write{Stream: clone(&after), Batches: []*Batch{b}, Close: o.close}
	if o.close {
		l.announce(w, "update")
	}
	if err := l.commit(w); err != nil {
		return err
	}
	m.Stream = after
	m.add(b)
	if o.producer != nil {
		m.producers[o.producer.ID] = Producer{Producer: *o.producer, LastAppendAt: l.now}
	}
	return nil
}

func (l *testLog) append(m *modelStream, messages ...string) {
	l.t.Helper()
	if err := l.tryAppend(m, appendOptions{}, messages...); err != nil {
		l.t.Fatalf("append to %q: %v", m.Path, err)
	}
}

func (l *testLog) tryDelete(m *modelStream) error {
	w := &Write{Stream: clone(&m.Stream), Delete: true}
	l.announce(w, "delete")
	if err := l.commit(w); err != nil {
		return err
	}
	delete(l.streams, m.Path)
	l.tombs[m.Path] = m.Incarnation
	return nil
}

func (l *testLog) delete(m *modelStream) {
	l.t.Helper()
	if err := l.tryDelete(m); err != nil {
		l.t.Fatalf("delete %q: %v", m.Path, err)
	}
}
