package mirror

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

func large() bool { return os.Getenv("TAILRACE_TORTURE") != "" }

func seeded(t *testing.T) func(part uint64) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("TAILRACE_TORTURE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal("TAILRACE_TORTURE_SEED: ", err)
		}
	}
	t.Logf("TAILRACE_TORTURE_SEED=%d", seed)
	return func(part uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, part)) }
}

// Streams are written, copied and compared while both ends are killed.
func TestBothEndsAreKilled(t *testing.T) {
	for _, tt := range []struct {
		name, direction string
		other           func(*testing.T) end
	}{
		{"push_to_tailrace", "push", func(t *testing.T) end { return newTailrace(t) }},
		{"pull_from_tailrace", "pull", func(t *testing.T) end { return newTailrace(t) }},
		{"push_to_the_reference_server", "push", func(t *testing.T) end { return newReference(t) }},
		{"pull_from_the_reference_server", "pull", func(t *testing.T) end { return newReference(t) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			random := seeded(t)
			here, there := newTailrace(t), tt.other(t)
			source, copied := end(here), there
			if tt.direction == "pull" {
				source, copied = there, here
			}
			share, times := 100, 4 // messages for each stream between two kills
			if large() {
				share, times = 250, 100
			}
			c := newClient(t)
			const streams = 4
			path := func(i int) string { return fmt.Sprintf("s%d", i) }
			asJSON := func(i int) bool { return i > 0 }
			began := time.Now()
			var writers sync.WaitGroup
			shares := make([]chan int, streams)
			for i := range streams {
				// By name: the reference server lists nothing.
				here.run("mirror", tt.direction, path(i), there.root(), "--name", path(i), "--detach")
				shares[i] = make(chan int, times)
				writers.Go(func() { c.write(source.root()+path(i), asJSON(i), shares[i], random(uint64(i+1))) })
			}
			kills := torment(random(0), times, func() {
				for _, s := range shares {
					s <- share
				}
			}, here, there)
			for _, s := range shares {
				close(s)
			}
			writers.Wait()
			for i := range streams {
				here.until(path(i), "closed")
			}
			messages := share * times
			t.Logf("%d messages, %d kills, %s", streams*messages, kills, time.Since(began).Round(time.Millisecond))
			for i := range streams {
				want := content(asJSON(i), messages)
				from, closed := c.read(source.root() + path(i))
				to, copyClosed := c.read(copied.root() + path(i))
				// A reference server that is killed may have kept what it has not acknowledged,
				// and takes it a second time when the writer repeats it.
				if _, forgetful := source.(*reference); !forgetful && !bytes.Equal(from, want) {
					t.Errorf("%s: the source itself is not what was written: %d bytes, want %d", path(i), len(from), len(want))
				}
				if !bytes.Equal(from, to) || closed != copyClosed || !closed {
					t.Errorf("%s: the copy differs: %d bytes, %x, closed %t; want %d, %x, %t", path(i),
						len(to), sha256.Sum256(to), copyClosed, len(from), sha256.Sum256(from), closed)
				}
			}
		})
	}
}
