package mirror

import (
	"slices"
	"strings"

	"tailrace/backend/store"
)

// Sight is what there is to see of a mirror.
type Sight struct {
	store.Mirror
	URL     string // of the remote, also when Remote is a name
	Token   bool   // one is held in memory
	State   string
	Error   string
	Once    Once
	Found   bool // the streams that were there when it began have been found
	Streams []StreamSight
}

// States of mirrors.
const (
	Running = "running"
	Paused  = "paused"
	Failed  = "failed" // it cannot go on
	Ended   = "ended"  // a run that was to end has
)

// List returns all mirrors, by name, with their streams in no order.
func (m *Manager) List() []Sight {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Sight, 0, len(m.mirrors))
	for _, mi := range m.mirrors {
		out = append(out, m.sightLocked(mi))
	}
	slices.SortFunc(out, func(a, b Sight) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Look returns one mirror, with its streams by path.
func (m *Manager) Look(name string) (Sight, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mi := m.mirrors[name]
	if mi == nil {
		return Sight{}, &NotFoundError{name}
	}
	s := m.sightLocked(mi)
	slices.SortFunc(s.Streams, func(a, b StreamSight) int { return strings.Compare(a.Path, b.Path) })
	return s, nil
}

func (m *Manager) sightLocked(mi *mirror) Sight {
	s := Sight{Mirror: mi.def, URL: m.address(&mi.def), Token: mi.token != "", Error: mi.failure, Once: mi.once}
	if mi.run != nil {
		s.Streams, s.Found, s.Error = mi.run.look()
		if s.Error == "" {
			s.Error = mi.failure
		}
	}
	switch {
	case mi.failure != "":
		s.State = Failed
	case mi.stop != nil:
		s.State = Running
	case mi.once != OnceNever:
		s.State = Ended
	default:
		s.State = Paused
	}
	return s
}
