package journal

import (
	"errors"
	"iter"
	"net/http"
	"time"
)

// Exchange is a request on its way through the server, and the writer of its
// answer.
type Exchange struct {
	http.ResponseWriter
	Request *http.Request
	Began   time.Time
	// Took is how long it took; set when it ends.
	Took time.Duration
	// Stream is the path of the stream it is about; "": none, or not known.
	Stream string
	// Received is the size of its body, Sent that of the answer so far.
	Received, Sent int64
	// Status is what was answered; 0: nothing yet.
	Status  int
	Outcome Outcome
	// Fault is what was done to the request on purpose, for whoever does that to
	// set; "": nothing.
	Fault string

	journal *Journal
}

// Of returns the exchange that a handler's writer belongs to, nil when there is
// none.
func Of(w http.ResponseWriter) *Exchange {
	x, _ := w.(*Exchange)
	return x
}

// WriteHeader implements http.ResponseWriter.
func (x *Exchange) WriteHeader(status int) {
	if x.Status < http.StatusOK {
		x.Status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *Exchange) Write(b []byte) (int, error) {
	if x.Status < http.StatusOK {
		x.Status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.Sent += int64(n)
	return n, err
}

// WriteParts writes parts of a body of known length at once. It returns
// [errors.ErrUnsupported], and has written nothing, where the writer cannot do that.
func (x *Exchange) WriteParts(parts iter.Seq[[]byte]) (int64, error) {
	w, ok := x.ResponseWriter.(interface {
		WriteParts(iter.Seq[[]byte]) (int64, error)
	})
	if !ok {
		return 0, errors.ErrUnsupported
	}
	n, err := w.WriteParts(parts)
	x.Sent += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// About names the stream that the request is about.
func (x *Exchange) About(stream string) {
	if x != nil {
		x.Stream = stream
	}
}

// Got tells the size of the request's body.
func (x *Exchange) Got(bytes int) {
	if x != nil {
		x.Received = int64(bytes)
	}
}

// Decide tells what became of the request; the last one counts.
func (x *Exchange) Decide(o Outcome) {
	if x != nil {
		x.Outcome = o
	}
}

// Refuse is Decide for a refusal, beside what was known before.
func (x *Exchange) Refuse(d Decision, code, reason string) {
	if x != nil {
		x.Outcome.Decision, x.Outcome.Code, x.Outcome.Reason = d, code, reason
	}
}

// End writes the exchange into the journal.
func (x *Exchange) End() {
	x.Took = time.Since(x.Began)
	if x.Status == 0 && x.Outcome.Decision == Served && x.Fault == "" {
		x.Outcome.Decision = Left
	}
	x.journal.add(x)
}
