package live

import "sync/atomic"

// Topic is a value that changes and can be waited on. The zero Topic has no
// version yet; Publish must come before Current.
type Topic[T any] struct {
	current atomic.Pointer[Version[T]]
}

// Version is one immutable state of a topic.
type Version[T any] struct {
	Value      T
	superseded chan struct{}
}

// Superseded is closed when a newer version has been published.
func (v *Version[T]) Superseded() <-chan struct{} { return v.superseded }

// Current returns the newest version.
func (t *Topic[T]) Current() *Version[T] { return t.current.Load() }

// Publish makes value the current version and wakes all who wait on the one
// before. Only one goroutine may publish to a topic at a time.
func (t *Topic[T]) Publish(value T) {
	old := t.current.Swap(&Version[T]{Value: value, superseded: make(chan struct{})})
	if old != nil {
		close(old.superseded)
	}
}
