package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/protocol"
)

// Kind is what a fault does.
type Kind string

// The kinds of faults.
const (
	Status     Kind = "status"      // answer with a status, and do nothing else
	Delay      Kind = "delay"       // wait before the request is looked at
	DropBefore Kind = "drop-before" // close the connection, nothing done
	DropAfter  Kind = "drop-after"  // do what is asked, then close the connection without an answer
	Cut        Kind = "cut"         // close the connection in the middle of the answer
	Timeout    Kind = "timeout"     // end the wait of a long-poll or SSE response early
	Kill       Kind = "kill"        // close the connection after a while, whatever it is doing
)

const (
	// DefaultFor is how long a fault is armed when nobody says, MaxFor at most.
	DefaultFor = 5 * time.Minute
	MaxFor     = time.Hour
	// MaxDelay bounds Delay and Jitter.
	MaxDelay = 5 * time.Minute
	// maxArmed is how many are armed at once.
	maxArmed = 50
)

// Fault is something that goes wrong on purpose.
type Fault struct {
	Kind Kind
	// Streams is a path or glob (PROTOCOL §6.2); "": every stream.
	Streams string
	// Methods are those it is for; none: every method.
	Methods []string
	// Status is what is answered, RetryAfter the header's seconds; 0: none.
	Status, RetryAfter int
	// After is how long to wait: Delay before the request is looked at, Timeout and
	// Kill until the end. Jitter is added to it, a random part each time.
	After, Jitter time.Duration
	// Bytes of the answer's body pass before a Cut; 0: half of its first piece.
	Bytes int64
	// Probability is how often it happens, of 1; 0: always.
	Probability float64
	// Count is how often it happens in all; 0: as often as it is met.
	Count int64
	// For is how long it is armed; 0: DefaultFor.
	For time.Duration
}

// Armed is a fault that waits for its requests.
type Armed struct {
	Fault
	ID          int64
	Armed, Ends time.Time
	hits        atomic.Int64
}

// Hits is how often it has happened.
func (a *Armed) Hits() int64 {
	if a.Count > 0 {
		return min(a.hits.Load(), a.Count)
	}
	return a.hits.Load()
}

// Error says what is wrong with a fault.
type Error struct{ Field, Reason string }

func (e *Error) Error() string { return e.Field + ": " + e.Reason }

// ErrNotLocal: the server can be reached from elsewhere.
var ErrNotLocal = errors.New("faults are for servers that listen on this machine only")

// Set holds the faults that are armed. A nil Set has none.
type Set struct {
	local bool
	now   func() time.Time
	armed atomic.Pointer[[]*Armed] // nil: none

	mu   sync.Mutex // guards changes of armed
	last int64
}

// New returns an empty set. Local says that the data port is one of this machine.
func New(local bool, now func() time.Time) *Set { return &Set{local: local, now: now} }

// Arm adds a fault.
func (s *Set) Arm(f Fault) (*Armed, error) {
	if !s.local {
		return nil, ErrNotLocal
	}
	if f.For == 0 {
		f.For = DefaultFor
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	list := s.current(now)
	if len(list) >= maxArmed {
		return nil, &Error{"faults", fmt.Sprintf("%d are armed already; disarm some", len(list))}
	}
	s.last++
	a := &Armed{Fault: f, ID: s.last, Armed: now, Ends: now.Add(f.For)}
	s.store(append(list, a))
	return a, nil
}

// Disarm removes a fault, and reports whether there was one.
func (s *Set) Disarm(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.current(s.now())
	rest := slices.DeleteFunc(slices.Clone(list), func(a *Armed) bool { return a.ID == id })
	s.store(rest)
	return len(rest) < len(list)
}

// Clear removes all.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(nil)
}

// List returns what is armed, the oldest first.
func (s *Set) List() []*Armed {
	if s == nil || s.armed.Load() == nil {
		return nil
	}
	return s.current(s.now())
}

// current is what is armed still: neither over nor used up.
func (s *Set) current(now time.Time) []*Armed {
	p := s.armed.Load()
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(*p), func(a *Armed) bool {
		return !now.Before(a.Ends) || (a.Count > 0 && a.hits.Load() >= a.Count)
	})
}

func (s *Set) store(list []*Armed) {
	if len(list) == 0 {
		s.armed.Store(nil)
		return
	}
	s.armed.Store(&list)
}

// Any reports whether a request has to be looked at.
func (s *Set) Any() bool { return s != nil && s.armed.Load() != nil }

// Pick returns the fault that a request meets, nil when it meets none: the first
// that was armed of those that fit.
func (s *Set) Pick(r *http.Request, path string) *Armed {
	now := s.now()
	over := false
	for _, a := range *s.armedNow() {
		if !now.Before(a.Ends) || (a.Count > 0 && a.hits.Load() >= a.Count) {
			over = true
			continue
		}
		if !a.fits(r, path) || (a.Probability > 0 && rand.Float64() >= a.Probability) {
			continue
		}
		if n := a.hits.Add(1); a.Count > 0 && n > a.Count {
			continue // another request was the last one
		}
		return a
	}
	if over {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.store(s.current(now))
	}
	return nil
}

func (s *Set) armedNow() *[]*Armed {
	if p := s.armed.Load(); p != nil {
		return p
	}
	return new([]*Armed)
}

func (f *Fault) fits(r *http.Request, path string) bool {
	if f.Streams != "" && !protocol.MatchGlob(f.Streams, path) {
		return false
	}
	if len(f.Methods) > 0 && !slices.Contains(f.Methods, r.Method) {
		return false
	}
	// Only what waits can be made to stop waiting.
	return f.Kind != Timeout || (r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, protocol.QueryLive+"="))
}

// wait is how long this time.
func (f *Fault) wait() time.Duration {
	d := f.After
	if f.Jitter > 0 {
		d += rand.N(f.Jitter + 1)
	}
	return d
}

func (f *Fault) check() error {
	kinds := []Kind{Status, Delay, DropBefore, DropAfter, Cut, Timeout, Kill}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return &Error{"kind", fmt.Sprintf("one of %v", kinds)}
	case f.Kind == Status && (f.Status < 400 || f.Status > 599):
		return &Error{"status", "between 400 and 599"}
	case f.RetryAfter < 0 || f.RetryAfter > 86400:
		return &Error{"retry_after", "between 0 and 86400 seconds"}
	case f.After < 0 || f.After > MaxDelay:
		return &Error{"after", fmt.Sprintf("between 0 and %v", MaxDelay)}
	case f.Jitter < 0 || f.Jitter > MaxDelay:
		return &Error{"jitter", fmt.Sprintf("between 0 and %v", MaxDelay)}
	case f.Kind == Delay && f.After == 0 && f.Jitter == 0:
		return &Error{"after", "a delay needs some time, or jitter"}
	case f.Bytes < 0:
		return &Error{"bytes", "not below 0"}
	case f.Probability < 0 || f.Probability > 1:
		return &Error{"probability", "between 0 and 1"}
	case f.Count < 0:
		return &Error{"count", "not below 0"}
	case f.For < time.Second || f.For > MaxFor:
		return &Error{"for", fmt.Sprintf("between %v and %v", time.Second, MaxFor)}
	}
	if field := f.unused(); field != "" {
		return &Error{field, fmt.Sprintf("a fault of kind %s has none", f.Kind)}
	}
	for _, m := range f.Methods {
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE"}, m) {
			return &Error{"methods", fmt.Sprintf("%q is none that streams have", m)}
		}
	}
	return nil
}

// unused is a field that is set and means nothing to the kind, "" when there is none.
func (f *Fault) unused() string {
	waits := f.Kind == Delay || f.Kind == Timeout || f.Kind == Kill
	switch {
	case f.Status != 0 && f.Kind != Status:
		return "status"
	case f.RetryAfter != 0 && f.Kind != Status:
		return "retry_after"
	case f.After != 0 && !waits:
		return "after"
	case f.Jitter != 0 && !waits:
		return "jitter"
	case f.Bytes != 0 && f.Kind != Cut:
		return "bytes"
	}
	return ""
}

// String names the fault in a few words.
func (f *Fault) String() string {
	switch f.Kind {
	case Status:
		return fmt.Sprintf("status %d", f.Status)
	case Delay:
		return "delayed"
	case DropBefore:
		return "dropped before it was done"
	case DropAfter:
		return "done, but the answer was dropped"
	case Cut:
		return "cut off in the middle"
	case Timeout:
		return "made to time out"
	}
	return "killed"
}
