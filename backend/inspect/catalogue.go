package inspect

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// catalogue is all streams as lists need them, read again only when the registry
// tells of a change: a page of a hundred thousand streams then costs a look at
// memory. What changes with every append comes from the streams in use.
type catalogue struct {
	mu       sync.Mutex
	streams  []store.Brief // sorted by path
	registry int64         // messages of the registry when it was read; -1: never
	readAt   time.Time
	took     time.Duration
}

const (
	// restPart bounds the share of time that reading the catalogue may take while
	// streams come and go: one part of so many.
	restPart = 10
	// oldest is how old counts of streams that are not in use may be.
	oldest = 15 * time.Second
)

// all returns the streams as they are, or were a moment ago. The slice must not
// be changed.
func (c *catalogue) all(ctx context.Context, db *store.DB) ([]store.Brief, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var registry int64
	if st, _, err := db.Load(ctx, protocol.RegistryPath); err == nil {
		registry = st.Messages
	}
	age := time.Since(c.readAt)
	changed := registry != c.registry && age > c.took*restPart
	if c.registry >= 0 && !c.readAt.IsZero() && !changed && age < oldest {
		return c.streams, nil
	}
	begin := time.Now()
	streams, err := db.Briefs(ctx)
	if err != nil {
		return nil, err
	}
	c.streams, c.registry, c.readAt, c.took = streams, registry, time.Now(), time.Since(begin)
	return streams, nil
}

// selection says which streams a list shows, and in what order. Zero values
// select everything.
type selection struct {
	filter string // a glob when it contains a *, else words that the path contains
	kind   string // json, text or bytes
	state  string // open, closed, fork or deleted
	system bool   // include system streams
	sort   string // path, messages, bytes, created or last
	desc   bool
}

func stateOf(b *store.Brief) string {
	switch {
	case b.Deleted:
		return "deleted"
	case b.Closed:
		return "closed"
	default:
		return "open"
	}
}

func (q *selection) matches(b *store.Brief) bool {
	switch {
	case b.System && !q.system,
		q.kind != "" && q.kind != b.Kind.String(),
		q.state == "fork" && !b.Fork,
		q.state != "" && q.state != "fork" && q.state != stateOf(b):
		return false
	case strings.Contains(q.filter, "*"):
		return protocol.MatchGlob(q.filter, b.Path)
	default:
		return hasWords(b.Path, q.filter)
	}
}

// hasWords reports whether a path contains all words, which blanks separate.
func hasWords(path, words string) bool {
	for word := range strings.SplitSeq(words, " ") {
		if !strings.Contains(path, word) {
			return false
		}
	}
	return true
}

// pick returns the selected streams in the order in which they are, as they are.
func (q *selection) pick(all []store.Brief) []*store.Brief {
	var out []*store.Brief
	for i := range all {
		if q.matches(&all[i]) {
			out = append(out, &all[i])
		}
	}
	return out
}

// of returns the selected streams in order. It leaves all as it is.
func (q *selection) of(all []store.Brief, active []engine.Activity) []*store.Brief {
	out := q.pick(all)
	if q.sort == "" || q.sort == "path" {
		if q.desc {
			slices.Reverse(out)
		}
		return out
	}
	type keyed struct {
		key    int64
		stream *store.Brief
	}
	now := byID(active)
	sorted := make([]keyed, len(out))
	for i, b := range out {
		sorted[i] = keyed{q.key(b, now[b.ID]), b}
	}
	// Stable: streams that are alike stay sorted by path.
	slices.SortStableFunc(sorted, func(a, b keyed) int {
		order := cmp.Compare(a.key, b.key)
		if q.desc {
			order = -order
		}
		return order
	})
	for i := range sorted {
		out[i] = sorted[i].stream
	}
	return out
}

// byID returns the states of streams in use: they have the counts of this moment.
func byID(active []engine.Activity) map[int64]*engine.State {
	now := make(map[int64]*engine.State, len(active))
	for i := range active {
		now[active[i].State.ID] = active[i].State
	}
	return now
}

// key is what a stream is sorted by; st is its state if it is in use.
func (q *selection) key(b *store.Brief, st *engine.State) int64 {
	messages, bytes, last := b.Messages, b.Bytes, b.LastAppendAt
	if st != nil {
		messages, bytes, last = st.Messages, st.Bytes, st.LastAppendAt
	}
	switch q.sort {
	case "messages":
		return messages
	case "bytes":
		return bytes
	case "created":
		return b.CreatedAt
	default:
		return last
	}
}

// count adds a stream to the facets.
func (f *Facets) count(b *store.Brief) {
	switch b.Kind {
	case protocol.KindJSON:
		f.Kind.JSON++
	case protocol.KindText:
		f.Kind.Text++
	default:
		f.Kind.Bytes++
	}
	switch stateOf(b) {
	case "deleted":
		f.State.Deleted++
	case "closed":
		f.State.Closed++
	default:
		f.State.Open++
	}
	if b.Fork {
		f.State.Fork++
	}
}
