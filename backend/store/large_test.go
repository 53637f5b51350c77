package store

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLargeSegmentsAreShared: those who read a large message at the same time hold
// it once, and nobody holds it when they are done.
func TestLargeSegmentsAreShared(t *testing.T) {
	for _, contentType := range []string{"text/plain", "application/json"} {
		t.Run(contentType, func(t *testing.T) {
			l := newTestLog(t, tiny)
			s := l.create("large", contentType)
			l.append(s, `"before"`)
			l.append(s, `"`+strings.Repeat("x", 3*largeBytes)+`"`)
			for range 20 { // out of memory with it
				l.append(s, `"`+strings.Repeat("y", 500)+`"`)
			}
			from := s.batches[1].Start
			read := func() *byte {
				pieces, err := l.db.Read(context.Background(), &s.Stream, from, s.Tail, 1)
				if err != nil || len(pieces) != 1 || pieces[0].of == nil || len(pieces[0].Data) < 3*largeBytes {
					t.Errorf("%d pieces, %v", len(pieces), err)
					return nil
				}
				return &pieces[0].Data[0]
			}
			first, err := l.db.Read(context.Background(), &s.Stream, from, s.Tail, 1)
			if err != nil {
				t.Fatal(err)
			}
			var readers sync.WaitGroup
			for range 8 {
				readers.Go(func() {
					if read() != &first[0].Data[0] {
						t.Error("the message is held twice")
					}
				})
			}
			readers.Wait()
			runtime.KeepAlive(first)

			held := func() int {
				l.db.large.mu.Lock()
				defer l.db.large.mu.Unlock()
				return len(l.db.large.loads)
			}
			for deadline := time.Now().Add(20 * time.Second); held() > 0; {
				if time.Now().After(deadline) {
					t.Fatal("it is still held")
				}
				runtime.GC() // forgetting follows it, on a goroutine of the runtime
			}
			if read() == nil {
				t.Error("it cannot be read again")
			}
		})
	}
}
