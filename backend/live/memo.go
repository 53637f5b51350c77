package live

import "sync"

// Memo keeps what one reader has made of a version, for all others who want the
// same: what is sent to thousands is encoded once. The zero Memo is empty.
type Memo[K comparable, V any] struct {
	mu    sync.Mutex
	known bool
	key   K
	value V
}

// Get returns the value of a key. It is made if it is not the one that was kept
// last; makeValue tells whether it is to be kept. It must not wait for anything.
func (m *Memo[K, V]) Get(key K, makeValue func() (value V, keep bool)) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known && m.key == key {
		return m.value
	}
	value, keep := makeValue()
	if keep {
		m.key, m.value, m.known = key, value, true
	}
	return value
}
