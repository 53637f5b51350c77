package store

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tailrace/backend/protocol"
)

func TestReopen(t *testing.T) {
	producer := func(epoch, seq int64) *protocol.Producer { return &protocol.Producer{ID: "p", Epoch: epoch, Seq: seq} }
	for name, o := range map[string]Options{"unsealed": {}, "sealed at once": {SealAt: 1, CacheBytes: 1}, "sealed sometimes": tiny} {
		t.Run(name, func(t *testing.T) {
			l := newTestLog(t, o)
			for _, contentType := range []string{"application/json", "text/plain", "application/octet-stream"} {
				m := l.create("s/"+contentType, contentType)
				for i := range int64(20) {
					l.now += 7
					if err := l.tryAppend(m, appendOptions{producer: producer(i/7, i%7), streamSeq: fmt.Sprintf("%03d", i)}, `{"i":1}`, `"two"`); err != nil {
						t.Fatal(err)
					}
					if i%5 == 4 {
						l.reopen()
						l.check()
					}
				}
				if err := l.tryAppend(m, appendOptions{producer: producer(9, 0), close: true}); err != nil {
					t.Fatal(err)
				}
			}
			l.check()
			l.reopen()
			l.check()
		})
	}
}

func TestReopenKeeps(t *testing.T) {
	t.Run("a stream without data", func(t *testing.T) {
		newTestLog(t, tiny).create("empty", "text/plain")
	})
	t.Run("a stream closed without data", func(t *testing.T) {
		l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
		m := l.create("empty", "application/json")
		if err := l.tryAppend(m, appendOptions{close: true}); err != nil {
			t.Fatal(err)
		}
		l.append(l.create("other", "text/plain"), "x")
		l.append(l.create("other2", "text/plain"), "x")
	})
	t.Run("a stream closed behind a full segment", func(t *testing.T) {
		l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
		m := l.create("big", "text/plain")
		l.append(m, strings.Repeat("x", segmentBytes+5))
		l.append(l.create("o1", "text/plain"), "x")
		if err := l.tryAppend(m, appendOptions{close: true}); err != nil {
			t.Fatal(err)
		}
		l.append(l.create("o2", "text/plain"), "x")
		l.append(l.create("o3", "text/plain"), "x")
	})
	t.Run("expiry and system flag", func(t *testing.T) {
		l := newTestLog(t, tiny)
		for i, header := range [][2]string{{"60", ""}, {"", "2030-01-31T12:00:00.250+01:00"}, {"0", ""}} {
			m := l.newStream(fmt.Sprint("e", i), "text/plain")
			var err error
			if m.Expiry, err = protocol.ParseExpiry(header[0], header[0] != "", header[1], header[1] != ""); err != nil {
				t.Fatal(err)
			}
			m.Deadline = int64(5000 + i)
			if err := l.commit(&Write{Stream: clone(&m.Stream), Create: true}); err != nil {
				t.Fatal(err)
			}
			l.streams[m.Path] = m
			m.Deadline += 100
			if err := l.db.Touch(clone(&m.Stream)); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("odd bytes in names", func(t *testing.T) {
		l := newTestLog(t, tiny)
		m := l.create("你/😀 %_'\"\\", `text/plain; x="a"`)
		for i := range int64(10) {
			p := &protocol.Producer{ID: "a\xff'\"" + strings.Repeat("n", 300), Epoch: 1<<53 - 1, Seq: 1<<53 - 20 + i}
			if err := l.tryAppend(m, appendOptions{producer: p, streamSeq: fmt.Sprintf("\xfe%d", i)}, strings.Repeat("y", 100)); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("the incarnation of a path", func(t *testing.T) {
		l := newTestLog(t, tiny)
		for i := range 4 {
			m := l.create("again", "text/plain")
			if m.Incarnation != int64(i) {
				t.Fatalf("incarnation %d, want %d", m.Incarnation, i)
			}
			l.append(m, strings.Repeat("z", 300))
			l.delete(m)
			l.check()
			l.reopen()
			l.check()
		}
	})
	t.Run("times that step back", func(t *testing.T) {
		l := newTestLog(t, tiny)
		m := l.create("clock", "text/plain")
		for _, at := range []int64{5000, 4000, 4500, -7, 0, 1 << 41} {
			b := &Batch{Stream: m.ID, Time: at, Payload: payloadOf([][]byte{[]byte(strings.Repeat("t", 200))})}
			m.Position = m.Place(m.Kind, b)
			if err := l.db.Commit(&Write{Stream: clone(&m.Stream), Batches: []*Batch{b}}); err != nil {
				t.Fatal(err)
			}
			m.add(b)
		}
		l.checkReads(m)
		l.reopen()
		l.checkReads(m)
		delete(l.streams, "clock") // seeking a time takes them as sorted
		if err := l.db.Commit(&Write{Stream: clone(&m.Stream), Delete: true}); err != nil {
			t.Fatal(err)
		}
	})
}

// After everything has been sealed and ops are gone, arrival numbers must go on
// behind the sealed ones: an op below a stream's sealed_seq would be skipped by
// the next start, and its data lost.
func TestArrivalNumbersRiseAcrossReopen(t *testing.T) {
	for _, deleteLast := range []bool{false, true} {
		t.Run(fmt.Sprint("last stream deleted: ", deleteLast), func(t *testing.T) {
			l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
			a := l.create("a", "text/plain")
			for i := range 30 {
				l.append(a, fmt.Sprint("message ", i))
			}
			if deleteLast {
				b := l.create("b", "text/plain")
				for range 30 {
					l.append(b, "gone")
				}
				l.delete(b)
			}
			for round := range 5 {
				l.reopen()
				l.check()
				for i := range 3 {
					l.append(a, fmt.Sprint("round ", round, " ", i))
				}
			}
		})
	}
}

// The same when the log has become empty.
func TestArrivalNumbersRiseWithoutOps(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
	a := l.create("a", "text/plain")
	for i := range 30 {
		l.append(a, fmt.Sprint("message ", i))
	}
	if err := l.db.Touch(clone(&a.Stream)); err != nil { // seals and adds nothing
		t.Fatal(err)
	}
	a.Deadline = 0
	l.reopen() // removes what is sealed
	l.waitFor(t, "SELECT count(*) FROM ops", 0)
	for i := range 3 {
		l.reopen()
		l.check()
		l.append(a, fmt.Sprint("round ", i))
	}
}

func TestNextIDIsNeverUsedTwice(t *testing.T) {
	l := newTestLog(t, tiny)
	a := l.create("a", "text/plain")
	highest := a.ID
	for range 3 {
		l.delete(a)
		l.reopen()
		a = l.create("a", "text/plain")
		if a.ID <= highest {
			t.Fatalf("stream %d after stream %d", a.ID, highest)
		}
		highest = a.ID
	}
}

// TestRandomOperations compares the log with the model over random histories.
func TestRandomOperations(t *testing.T) {
	base := t.TempDir()
	few(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Fatal(err)
		}
		l := openTestLog(t, dir, Options{
			SealAt:      rapid.SampledFrom([]int{1, 300, 1500, 20_000, 0}).Draw(t, "SealAt"),
			CacheBytes:  rapid.SampledFrom([]int{1, 1000, 30_000, 0}).Draw(t, "CacheBytes"),
			DirectBytes: rapid.SampledFrom([]int{1, 20, 200, 0}).Draw(t, "DirectBytes"),

			ExtentFileBytes: rapid.SampledFrom([]int64{1, 500, 0}).Draw(t, "ExtentFileBytes"),
		})
		paths := []string{"json", "text", "bytes"}
		types := map[string]string{"json": "application/json", "text": "text/plain", "bytes": "image/png"}
		open := func(t *rapid.T) *modelStream {
			path := rapid.SampledFrom(paths).Draw(t, "path")
			if m := l.streams[path]; m != nil && !m.Closed {
				return m
			}
			t.Skip("no open stream")
			return nil
		}
		seq := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				path := rapid.SampledFrom(paths).Draw(t, "path")
				if l.streams[path] != nil {
					t.Skip("exists")
				}
				l.create(path, types[path])
			},
			"append": func(t *rapid.T) {
				m := open(t)
				l.now += rapid.Int64Range(0, 5).Draw(t, "wait")
				var messages []string
				for range rapid.IntRange(1, 4).Draw(t, "messages") {
					size := rapid.SampledFrom([]int{1, 10, 100, 3000, 20_000}).Draw(t, "size")
					messages = append(messages, strings.Repeat(string(rune('a'+seq%26)), size))
				}
				o := appendOptions{close: rapid.IntRange(0, 30).Draw(t, "close") == 0}
				if rapid.Bool().Draw(t, "producer") {
					seq++
					o.producer = &protocol.Producer{ID: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "id"), Epoch: seq / 10, Seq: seq}
				}
				if rapid.Bool().Draw(t, "stream seq") {
					o.streamSeq = fmt.Sprint(seq)
				}
				if err := l.tryAppend(m, o, messages...); err != nil {
					t.Fatal(err)
				}
			},
			"small appends": func(t *rapid.T) {
				m := open(t)
				for i := range rapid.IntRange(1, 40).Draw(t, "n") {
					l.append(m, fmt.Sprint(i))
				}
			},
			"close": func(t *rapid.T) {
				if err := l.tryAppend(open(t), appendOptions{close: true}); err != nil {
					t.Fatal(err)
				}
			},
			"delete": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					l.delete(open(t))
				}
			},
			"reopen": func(*rapid.T) { l.reopen() },
			"check":  func(*rapid.T) { l.check() },
			"":       func(*rapid.T) { l.checkMemtable() },
		})
		l.finish()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	})
}

// few keeps a rapid test short unless the command line asks for a number of
// checks.
func few(t *testing.T) {
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		return
	}
	if err := flag.Set("rapid.checks", "15"); err != nil {
		t.Fatal(err)
	}
}

// Every range of a short stream, whatever part of it is sealed.
func TestReadEveryRange(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain"} {
		for _, o := range []Options{{}, {SealAt: 1, CacheBytes: 1}, {SealAt: 500, CacheBytes: 500}} {
			l := newTestLog(t, o)
			m := l.create("a", contentType)
			for i := range 4 {
				l.append(m, fmt.Sprint(i), fmt.Sprint(10*i))
			}
			for from := range m.Tail + 1 {
				for to := from; to <= m.Tail; to++ {
					l.checkRead(m, from, to, 3)
				}
			}
		}
	}
}
