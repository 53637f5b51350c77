package live

import (
	"sync"
	"sync/atomic"
)

// Topic is a value that changes and can be waited on. The zero Topic has no
// version yet; Publish must come before Current.
type Topic[T any] struct {
	current atomic.Pointer[Version[T]]
}

// Version is one immutable state of a topic.
type Version[T any] struct {
	Value T

	mu         sync.Mutex
	old        bool          // there is a newer one
	superseded chan struct{} // made for the first who waits: most versions have nobody
}

// Superseded is closed when a newer version has been published.
func (v *Version[T]) Superseded() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.superseded == nil {
		v.superseded = make(chan struct{})
		if v.old {
			close(v.superseded)
		}
	}
	return v.superseded
}

// supersede wakes all who wait.
func (v *Version[T]) supersede() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.old = true
	if v.superseded != nil {
		close(v.superseded)
	}
}

// Current returns the newest version.
func (t *Topic[T]) Current() *Version[T] { return t.current.Load() }

// Publish makes value the current version and wakes all who wait on the one
// before. Only one goroutine may publish to a topic at a time.
func (t *Topic[T]) Publish(value T) {
	if old := t.current.Swap(&Version[T]{Value: value}); old != nil {
		old.supersede()
	}
}
