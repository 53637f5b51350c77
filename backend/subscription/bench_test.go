package subscription

import (
	"fmt"
	"sync"
	"testing"

	"tailrace/backend/engine"
)

// BenchmarkAppend shows what subscriptions cost the writers of streams.
func BenchmarkAppend(b *testing.B) {
	for name, subscriptions := range map[string]int{"none": 0, "one": 1, "hundred": 100} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			w.create("wakes")
			const streams = 64
			for i := range streams {
				w.create(fmt.Sprintf("events/%d", i), `1`)
			}
			for i := range subscriptions {
				w.subscribe(fmt.Sprint(i), pullWake(""))
			}
			body := payload(b, []string{`"some hundred bytes of text, or nearly as many, for it to look like the messages of an application"`})
			b.ResetTimer()
			var running sync.WaitGroup
			for i := range streams {
				running.Go(func() {
					for range b.N / streams {
						if _, err := w.engine.Append(fmt.Sprintf("events/%d", i), &engine.AppendRequest{ContentType: "application/json", Payload: body}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
		})
	}
}

// BenchmarkWake is a whole wake of a subscription with many streams: append,
// claim and ack.
func BenchmarkWake(b *testing.B) {
	for _, streams := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			w := newWorld(b)
			w.create("wakes")
			var creating sync.WaitGroup
			for n := range 50 {
				creating.Go(func() {
					for i := n; i < streams; i += 50 {
						w.create(fmt.Sprintf("events/%d", i))
					}
				})
			}
			creating.Wait()
			w.subscribe("s", pullWake(""))
			b.ResetTimer()
			for n := range b.N {
				w.append("events/0", `1`)
				c := w.claim("s", "w")
				w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, c.Generation, true, [2]string{"events/0", at(int64(n + 1))}))
			}
		})
	}
}
