package protocol

import (
	"errors"
	"fmt"
)

// Outcomes that refuse a request and need no further data. The server package
// maps each to its status.
var (
	// ErrNotFound: there is no stream at the path, or it has expired.
	ErrNotFound = errors.New("no stream at this path")
	// ErrGone: the stream is soft-deleted and kept only for its forks (§4.2).
	ErrGone = errors.New("the stream is deleted; its data is kept only for its forks")
	// ErrReadOnly: a system stream cannot be changed from outside.
	ErrReadOnly = errors.New("system streams are written by the server only")
	// ErrOffsetGone: the offset belongs to an earlier stream at the same path.
	ErrOffsetGone = errors.New("this offset belongs to an earlier stream at this path that was deleted; start over from offset=-1")
	// ErrNewEpochSeq: a new epoch must begin with sequence number 0 (§5.2.1).
	ErrNewEpochSeq = errors.New("a new Producer-Epoch must start with Producer-Seq 0")
	// ErrEmptyBody: only a closing POST may have no body (§5.2).
	ErrEmptyBody = errors.New("the body is empty; an append needs at least one byte, and closing without data needs Stream-Closed: true")
	// ErrNoContentType: an append with a body must name its type (§5.2).
	ErrNoContentType = errors.New("an append with a body needs a Content-Type header")
	// ErrShuttingDown: the server is stopping; nothing was changed.
	ErrShuttingDown = errors.New("the server is shutting down")
)

// BadRequestError: a header, parameter or body is malformed.
type BadRequestError struct {
	Field  string // the header, parameter or "body"
	Reason string // what is wrong and what was expected
}

func (e *BadRequestError) Error() string { return e.Field + ": " + e.Reason }

// LimitError: a request exceeds a configured limit.
type LimitError struct {
	Field  string // the header that is too long, empty: the limit's name says it
	Limit  string // the limit's name as in the configuration file
	Max    int64
	Status int // the HTTP status that fits: 400, 413, 414 or 431
}

func (e *LimitError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: over the limit %s (%d)", e.Field, e.Limit, e.Max)
	}
	return fmt.Sprintf("over the limit %s (%d)", e.Limit, e.Max)
}

// ClosedError: the stream takes no more data (§4.1).
type ClosedError struct{ Tail Offset }

func (e *ClosedError) Error() string { return "the stream is closed at offset " + e.Tail.String() }

// ConflictError: a PUT names another configuration than the existing stream
// has, or a POST another content type (§5.1, §5.2).
type ConflictError struct{ Field, Have, Want string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: the stream has %s, the request has %s", e.Field, e.Have, e.Want)
}

// StaleEpochError: another process has claimed the producer id with a higher
// epoch (§5.2.1).
type StaleEpochError struct{ Epoch, Current int64 }

func (e *StaleEpochError) Error() string {
	return fmt.Sprintf("Producer-Epoch %d is fenced: the current epoch is %d", e.Epoch, e.Current)
}

// SeqGapError: a sequence number came before the ones it follows (§5.2.1).
type SeqGapError struct{ Expected, Received int64 }

func (e *SeqGapError) Error() string {
	return fmt.Sprintf("Producer-Seq %d leaves a gap: expected %d", e.Received, e.Expected)
}

// StreamSeqError: Stream-Seq does not increase (§5.2).
type StreamSeqError struct{ Last, Received string }

func (e *StreamSeqError) Error() string {
	return fmt.Sprintf("Stream-Seq %s is not greater than the last one, %s (compared byte by byte)",
		quoteShort(e.Received), quoteShort(e.Last))
}
