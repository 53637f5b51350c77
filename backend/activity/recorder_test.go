package activity

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

func TestRecorder(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(context.Background(), dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.Open(context.Background(), db, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := Open(e, db, time.Now)
		created, err := e.Create("a", &engine.CreateRequest{ContentType: "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		const seconds = 20
		for range seconds {
			for range 3 {
				body := []byte("12345")
				if _, err := e.Append("a", &engine.AppendRequest{
					ContentType: "text/plain", Payload: protocol.Payload{Data: body, Sizes: []int{len(body)}},
				}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		sum := func(samples []Sample, step time.Duration) (appends, bytes float64) {
			for _, s := range samples {
				appends += s.Appends * step.Seconds()
				bytes += s.Bytes * step.Seconds()
			}
			return math.Round(appends), math.Round(bytes)
		}
		at, all := r.All()
		if n, b := sum(all, Step); n != 3*seconds || b != 15*seconds || len(all) != seconds || !at.Equal(time.Now()) {
			t.Errorf("all: %v appends, %v bytes in %d samples, until %v", n, b, len(all), at)
		}
		_, own := r.Stream(created.State.ID)
		if n, b := sum(own, StreamStep); n != 3*seconds || b != 15*seconds || len(own) != 4 {
			t.Errorf("the stream: %v appends, %v bytes in %d samples", n, b, len(own))
		}
		for _, s := range own {
			if s.P50 <= 0 || s.P99 < s.P50 {
				t.Errorf("appends of a step waited %v and %v", s.P50, s.P99)
			}
		}
		if _, none := r.Stream(99); len(none) != 0 {
			t.Errorf("a stream that is not there has %d samples", len(none))
		}
		// A stream that was put away meanwhile counts its commits from nought.
		time.Sleep(5 * time.Minute)
		if _, ok := e.Activity("a"); ok {
			t.Error("an idle stream is still in use")
		}
		for range 2 {
			if _, err := e.Append("a", &engine.AppendRequest{
				ContentType: "text/plain", Payload: protocol.Payload{Data: []byte("6"), Sizes: []int{1}},
			}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * StreamStep)
		}
		timed := 0
		_, own = r.Stream(created.State.ID)
		for _, s := range own[len(own)-8:] {
			if s.P50 > 0 {
				timed++
			}
		}
		if timed != 2 {
			t.Errorf("%d steps with a commit behind a pause, want 2", timed)
		}
		r.Close()
		e.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRing(t *testing.T) {
	r := newRing(Step)
	start := time.Unix(0, 0)
	for i := range 1000 {
		r.add(start.Add(time.Duration(i)*Step), Sample{Readers: int64(i)})
	}
	_, got := r.samples()
	if len(got) != 900 || got[0].Readers != 100 || got[899].Readers != 999 {
		t.Errorf("%d samples from %d to %d", len(got), got[0].Readers, got[len(got)-1].Readers)
	}
	// A pause is empty steps, and never more of them than the window has.
	r.add(start.Add(1009*Step), Sample{Readers: 1})
	if _, got = r.samples(); got[899].Readers != 1 || got[898].Readers != 0 || got[889].Readers != 999 {
		t.Errorf("behind a pause: %v", got[888:])
	}
	r.add(start.Add(time.Hour), Sample{Readers: 2})
	if _, got = r.samples(); len(got) != 900 || got[899].Readers != 2 || got[0].Readers != 0 {
		t.Errorf("behind an hour: %v … %v", got[0], got[899])
	}
}
