package live

import (
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTopic(t *testing.T) {
	var topic Topic[int]
	if topic.Current() != nil {
		t.Fatal("a new topic has a version")
	}
	topic.Publish(1)
	first := topic.Current()
	select {
	case <-first.Superseded():
		t.Fatal("superseded before there was a newer version")
	default:
	}
	topic.Publish(2)
	<-first.Superseded()
	if first.Value != 1 || topic.Current().Value != 2 {
		t.Errorf("versions hold %d and %d", first.Value, topic.Current().Value)
	}
}

// Whoever waits on the version that it has seen gets to the last one, however
// many are published meanwhile.
func TestWaitersReachTheLastVersion(t *testing.T) {
	const last = 2000
	var topic Topic[int]
	topic.Publish(0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for seen := 0; seen < last; {
				v := topic.Current()
				if v.Value < seen {
					t.Errorf("version %d after %d", v.Value, seen)
					return
				}
				if seen = v.Value; seen < last {
					<-v.Superseded()
				}
			}
		})
	}
	for i := 1; i <= last; i++ {
		topic.Publish(i)
	}
	wg.Wait()
}
