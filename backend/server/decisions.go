package server

import (
	"errors"
	"fmt"
	"net/http"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// appendOutcome is what the journal keeps of an append that was not refused.
func appendOutcome(req *engine.AppendRequest, done *engine.Appended) journal.Outcome {
	o := journal.Outcome{
		Decision: journal.Stored, Incarnation: done.Next.Incarnation, Next: done.Next.Position,
		First: done.First, Count: int64(req.Payload.Messages()), Closes: req.Close,
	}
	switch {
	case done.Duplicate:
		o.Decision, o.Count = journal.Duplicate, 0
		if done.Producer != nil {
			o.Last = done.Producer.Seq
		}
	case req.Empty:
		o.Decision = journal.Closed
	}
	return o
}

// createOutcome is what it keeps of a new stream.
func createOutcome(req *engine.CreateRequest, st *engine.State) journal.Outcome {
	count := int64(req.Payload.Messages())
	return journal.Outcome{
		Decision: journal.Created, Incarnation: st.Incarnation, Next: st.Tail,
		First: st.Messages - count, Count: count, Closes: st.Closed,
	}
}

// readOutcome is what it keeps of a read between two positions.
func readOutcome(d journal.Decision, st *engine.State, from, next int64) journal.Outcome {
	return journal.Outcome{Decision: d, Incarnation: st.Incarnation, From: from, Next: next}
}

// refusal is what it keeps of an error: as few words as tell why. The sentence
// for the client is longer, and what it hides is hidden here, too.
func refusal(rep reply, err error, message string) (d journal.Decision, code, reason string) {
	var (
		stale    *protocol.StaleEpochError
		gap      *protocol.SeqGapError
		seq      *protocol.StreamSeqError
		conflict *protocol.ConflictError
		closed   *protocol.ClosedError
		limit    *protocol.LimitError
	)
	d, reason = journal.Error, message
	switch {
	case errors.As(err, &stale):
		d, reason = journal.Fenced, fmt.Sprintf("epoch %d is fenced by epoch %d", stale.Epoch, stale.Current)
	case errors.As(err, &gap):
		d, reason = journal.Gap, fmt.Sprintf("expected seq %d, got %d", gap.Expected, gap.Received)
	case errors.As(err, &seq):
		d, reason = journal.Gap, fmt.Sprintf("Stream-Seq %q is not greater than %q", seq.Received, seq.Last)
	case errors.As(err, &closed):
		d, reason = journal.Closed, "the stream is closed at "+closed.Tail.String()
	case errors.As(err, &conflict):
		reason = fmt.Sprintf("%s: has %s, asked for %s", conflict.Field, conflict.Have, conflict.Want)
	case errors.As(err, &limit):
		reason = fmt.Sprintf("over %s, %d", limit.Limit, limit.Max)
	case errors.Is(err, protocol.ErrNotFound):
		d = journal.Missing
	case errors.Is(err, protocol.ErrGone):
		d, reason = journal.Deleted, "deleted, kept for its forks only"
	case errors.Is(err, protocol.ErrOffsetGone):
		d, reason = journal.Stale, "the offset is of an earlier stream at this path"
	case errors.Is(err, store.ErrDiskFull):
		reason = "the disk is full"
	case rep.status == http.StatusUnauthorized || rep.status == http.StatusForbidden:
		d = journal.Denied
	}
	return d, rep.code, reason
}
