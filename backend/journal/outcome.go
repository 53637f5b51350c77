package journal

// Decision is what became of a request, in one word.
type Decision uint8

// Decisions. A request with any of them is rejected when its status is 400 or
// more.
const (
	Served    Decision = iota // nothing about a stream: the front page, a preflight
	Stored                    // appended
	Duplicate                 // an append that was there already
	Gap                       // an append whose sequence number came too early
	Fenced                    // an append of an epoch that is over
	Closed                    // a closure, or an append to what is closed
	Created                   // a new stream
	Exists                    // a PUT of a stream that was there
	Deleted                   // a DELETE, or a request for what only forks still need
	Read                      // a catch-up read, or a HEAD
	Live                      // a long-poll or an SSE response
	Unchanged                 // a read of what the client has
	Missing                   // there is no such stream
	Stale                     // an offset of a stream that was at this path before
	Denied                    // by Host, Origin or token
	Control                   // a call of the subscription API
	Error                     // any other refusal
	Left                      // the client went away before it was answered

	decisions // how many there are
)

var words = [decisions]string{
	"served", "stored", "duplicate", "gap", "fenced", "closed", "created", "exists", "deleted", "read", "live",
	"unchanged", "missing", "stale", "denied", "control", "error", "left",
}

func (d Decision) String() string { return words[d] }

// ParseDecision finds a decision by its word.
func ParseDecision(word string) (Decision, bool) {
	for d := range decisions {
		if words[d] == word {
			return d, true
		}
	}
	return 0, false
}

// Words returns the words of all decisions.
func Words() []string { return words[:] }

// Outcome is what became of a request, in figures. Which of them count depends on
// the decision.
type Outcome struct {
	Decision Decision
	// Code is the machine-readable reason of a refusal, as its body has it, and
	// Reason a few words that go with it.
	Code, Reason string
	// Incarnation of the stream; From and Next are the positions before and behind
	// what was read.
	Incarnation, From, Next int64
	// First is the ordinal of the first message written, Count how many were.
	First, Count int64
	// Last is the highest sequence number that had been accepted of a producer.
	Last int64
	// Closes: the request closed the stream.
	Closes bool
}
