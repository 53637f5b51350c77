package mirror

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// stopError ends the copying of a stream until a person has looked.
type stopError struct{ reason string }

func (e *stopError) Error() string { return e.reason }

// How the copying of a stream ends when nothing is wrong with it.
var (
	errClosed        = errors.New("all of it has been copied")
	errSourceDeleted = errors.New("the source was deleted; the copy is kept")
	errArrived       = errors.New("everything has arrived") // of a run that ends then
	// errNoSource: a stream that was named is not there yet, or one that was announced
	// cannot be read yet: a server may tell a moment before it shows.
	errNoSource = errors.New("the remote has no such stream yet")
)

// stream is the copying of one stream.
type stream struct {
	run *run
	row store.MirrorStream
	// stored is the row as it is in the database.
	stored store.MirrorStream
	found  bool // by this run, at the source; guarded by run.mu
	sight
}

// follow copies the stream until it ends or ctx does. Whatever may pass by itself is
// tried again, each time from what is stored.
func (s *stream) follow(ctx context.Context) {
	copyOnce := s.push
	if s.run.def.Direction == store.MirrorPull {
		copyOnce = s.pull
	}
	wait := backoff{first: s.run.m.o.Backoff}
	for {
		err := copyOnce(ctx, &wait)
		if ctx.Err() != nil {
			return
		}
		if s.ended(err) {
			return
		}
		if errors.Is(err, errNoSource) && !names(s.run.def.Glob) && wait.tries >= onceTries {
			if s.row.Local == 0 {
				s.run.forget(s.row.Path)
				return
			}
			if s.ended(errSourceDeleted) {
				return
			}
		}
		if s.run.once && (wait.tries >= onceTries || errors.Is(err, errNoSource) && names(s.run.def.Glob)) {
			s.show(StateFailed, err.Error())
			return
		}
		state := StateRetrying
		if errors.Is(err, errNoSource) {
			state = StateWaiting
		}
		s.show(state, err.Error())
		if !pause(ctx, wait.next(err)) {
			return
		}
	}
}

// ended stores and shows the end of a stream, if err is one.
func (s *stream) ended(err error) bool {
	var stop *stopError
	switch {
	case errors.Is(err, errArrived):
		s.show(StateLive, "")
		return true
	case errors.Is(err, errClosed) && s.row.State == store.MirrorClosed: // as it was
		s.show(StateClosed, "")
		return true
	case errors.Is(err, errClosed):
		s.row.State, s.row.Error = store.MirrorClosed, ""
	case errors.Is(err, errSourceDeleted):
		s.row.State, s.row.Error = store.MirrorSourceDeleted, err.Error()
	case errors.As(err, &stop):
		s.row.State, s.row.Error = store.MirrorStopped, stop.reason
		s.run.m.o.Log.Warn("a stream is not mirrored any more", "mirror", s.run.def.Name, "stream", s.row.Path, "reason", stop.reason)
	default:
		return false
	}
	if err := s.save(); err != nil {
		s.show(StateRetrying, err.Error())
		return false
	}
	s.show(State(s.row.State), s.row.Error)
	return true
}

// save stores the row. When that fails, the row is again what is stored: nothing
// must be sent that is not.
func (s *stream) save() error {
	s.row.UpdatedAt = s.run.m.o.Now().UnixMilli()
	if err := s.run.m.o.Store.SaveMirrorStream(&s.row); err != nil {
		s.row = s.stored
		return err
	}
	s.stored = s.row
	return nil
}

// begin is the row of a copy that begins, at the start.
func (s *stream) begin(local int64, offset string) {
	s.row = store.MirrorStream{Mirror: s.row.Mirror, Path: s.row.Path, Epoch: s.row.Epoch, Seq: -1, Local: local, Offset: offset}
}

// backoff is how long to wait before something is tried again: longer each time,
// and not in step with others.
type backoff struct {
	first time.Duration
	tries int
}

const (
	longestBackoff = 30 * time.Second
	// longestAsked bounds what a remote may ask for with Retry-After.
	longestAsked = 10 * time.Minute
	// onceTries is how often something fails in a row before a run that is to end
	// gives it up.
	onceTries = 6
)

func (b *backoff) next(err error) time.Duration {
	d := min(b.first<<min(b.tries, 16), longestBackoff)
	b.tries++
	d = d/2 + rand.N(d/2+1)
	var r *refusal
	if errors.As(err, &r) {
		d = max(d, min(r.retryAfter, longestAsked))
	}
	return d
}

func (b *backoff) reset() { b.tries = 0 }

// pause waits; false: ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// isGone reports whether there is no stream, or none any more.
func isGone(err error) bool { return refused(err, http.StatusNotFound, http.StatusGone) }

// permanent makes the refusals that no repetition changes stop the stream.
// Permissions may change: they are tried again, slowly.
func permanent(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return err
	}
	if r.status/100 == 5 && r.status != http.StatusNotImplemented {
		return err
	}
	return &stopError{r.Error()}
}

func isMissing(err error) bool {
	return errors.Is(err, protocol.ErrNotFound) || errors.Is(err, protocol.ErrGone)
}
