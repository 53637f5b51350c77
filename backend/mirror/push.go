package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const (
	// pushBytes is about how much goes out in one request.
	pushBytes = 512 << 10
	// checkAfter is how long nothing is sent before the copy is looked at once more:
	// somebody else may have written to it.
	checkAfter = 10 * time.Second
)

// push copies a stream to the remote until nothing is left to do, ctx ends or
// something fails.
func (s *stream) push(ctx context.Context, wait *backoff) error {
	rd, err := s.run.m.o.Engine.OpenReader(s.row.Path)
	if isMissing(err) {
		return errSourceDeleted
	} else if err != nil {
		return err
	}
	defer rd.Close()
	st, err := rd.State()
	if isMissing(err) {
		return errSourceDeleted
	} else if err != nil {
		return err
	}
	if s.row.State == store.MirrorClosed && s.row.Local == st.ID && !s.run.anew {
		return errClosed
	}
	if err := s.meet(ctx, rd, st); err != nil {
		return err
	}
	p := pusher{stream: s, rd: rd, checked: time.Now()}
	for {
		st, changed, err := rd.Current()
		if isMissing(err) {
			return errSourceDeleted
		} else if err != nil {
			return err
		}
		more, err := p.step(ctx, st)
		if err != nil {
			return err
		}
		wait.reset()
		if more {
			continue
		}
		s.see(StateLive, st.Tail)
		if s.run.once {
			return errArrived
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// meet makes sure that the copy is this stream's, and stands where it was left.
// What was in flight is found to have arrived, or not.
func (s *stream) meet(ctx context.Context, rd *engine.Reader, st *engine.State) error {
	again := s.row.State == store.MirrorAgain || s.row.State == store.MirrorClosed && s.run.anew
	r := s.run.remote
	if s.row.Local != 0 {
		there, err := r.head(ctx, s.row.Path)
		switch {
		case isGone(err) && again:
			s.row.Local = 0
			s.row.Epoch++ // requests of before that are still on their way count no more
		case isGone(err):
			return &stopError{"the copy was deleted; resume the mirror to make it anew"}
		case err != nil:
			return permanent(err)
		case s.row.Local != st.ID:
			return &stopError{"the stream here was deleted and made anew, and the copy is one of the stream before; delete the copy and resume the mirror to copy the new one"}
		case s.row.State == store.MirrorClosed && there.closed:
			return errClosed
		}
	}
	if s.row.Local == 0 {
		return s.create(ctx, st)
	}
	s.row.State, s.row.Error = "", ""
	found, err := s.settle(ctx, rd, st)
	if err != nil {
		return err
	}
	if found || again {
		return s.save()
	}
	return nil
}

// create makes the copy. One that is there and empty will do.
func (s *stream) create(ctx context.Context, st *engine.State) error {
	a, err := s.run.remote.create(ctx, s.row.Path, st.ContentType, st.Expiry)
	if refused(err, http.StatusConflict) {
		return &stopError{"the remote has another stream at this path: " + err.Error()}
	} else if err != nil {
		return permanent(err)
	}
	if !a.created {
		was, err := s.run.remote.head(ctx, s.row.Path)
		if err != nil {
			return err
		}
		data, err := s.behind(ctx, st.Kind, "-1", 1)
		if err != nil {
			return err
		}
		if data.Messages() > 0 || was.closed {
			return &stopError{"the remote has a stream with data of its own at this path; delete it, or mirror another path"}
		}
		a.next = was.next
	}
	if a.next == "" {
		return &stopError{"the remote does not tell the offset of a stream that it has made: it speaks another protocol"}
	}
	s.begin(st.ID, a.next)
	return s.save()
}

// settle compares what lies behind the known tail of the copy with what is in flight:
// either nothing is there, and it has not arrived, or just that.
func (s *stream) settle(ctx context.Context, rd *engine.Reader, st *engine.State) (found bool, err error) {
	a, err := s.run.remote.head(ctx, s.row.Path)
	if err != nil {
		return false, err
	}
	if a.next == s.row.Offset && (!a.closed || s.row.Closing && s.row.Until == s.row.Position) {
		if a.closed {
			return true, s.arrived(a.next)
		}
		return false, nil
	}
	if a.next > s.row.Offset && !a.closed { // tokens sort as offsets do (PROTOCOL §8)
		// Some servers give the tail another name when they tidy up.
		if have, err := s.behind(ctx, st.Kind, s.row.Offset, 0); err == nil && have.Messages() == 0 {
			s.row.Offset = a.next
			return false, s.save()
		}
	}
	foreign := &stopError{"the copy does not stand where this mirror left it: somebody else has written to it, or the remote has lost what it had acknowledged; delete the copy and resume the mirror to make it anew"}
	if !s.row.InFlight() {
		return false, foreign
	}
	want, err := cut(rd, st, s.row.Position, s.row.Until)
	if err != nil {
		return false, err
	}
	have, err := s.behind(ctx, st.Kind, s.row.Offset, len(want)*2+pushBytes)
	if refused(err, http.StatusBadRequest, http.StatusGone, http.StatusRequestedRangeNotSatisfiable) {
		return false, foreign
	} else if err != nil {
		return false, err
	}
	if !same(st.Kind, want, have.Data) || a.closed != s.row.Closing {
		return false, foreign
	}
	return true, s.arrived(a.next)
}

// behind returns what the copy holds from an offset on, or a part of it that is
// larger than limit.
func (s *stream) behind(ctx context.Context, kind protocol.Kind, offset string, limit int) (all protocol.Payload, err error) {
	for {
		a, err := s.run.remote.read(ctx, s.row.Path, offset, false, "")
		if err != nil {
			return all, err
		}
		err = split(kind, a.body, func(p protocol.Payload, _ bool) error {
			if kind == protocol.KindJSON && len(all.Data) > 0 && len(p.Data) > 0 {
				all.Data = append(all.Data, ',')
			}
			all.Data = append(all.Data, p.Data...)
			all.Sizes = append(all.Sizes, p.Sizes...)
			if len(all.Data) > limit {
				return io.EOF
			}
			return nil
		})
		if err = errors.Join(err, a.body.Close()); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil || a.upToDate || a.next == offset {
			return all, err
		}
		offset = a.next
	}
}

// arrived moves the position behind what was in flight.
func (s *stream) arrived(tail string) error {
	closed := s.row.Closing
	s.row.Position, s.row.Offset, s.row.Closing = s.row.Until, tail, false
	if closed {
		return errClosed
	}
	return nil
}

// pusher sends what a stream has, a piece at a time.
type pusher struct {
	*stream
	rd      *engine.Reader
	most    int64     // bytes or messages in one request, as far as the remote has shown; 0: it has not
	checked time.Time // when the copy was last seen to be ours
	unsaved bool      // the remote has taken something that the row does not tell
}

// step sends what is in flight, or else notes what shall be; more tells whether
// there may be something left.
func (p *pusher) step(ctx context.Context, st *engine.State) (more bool, err error) {
	row := &p.row
	if !row.InFlight() {
		more, err := p.take(st)
		if err != nil || !more && !p.unsaved {
			return more, err
		}
		p.unsaved = false
		return more, p.save()
	}
	if time.Since(p.checked) > checkAfter {
		if found, err := p.settle(ctx, p.rd, st); err != nil || found {
			return true, err
		}
	}
	p.see(StateCopying, st.Tail)
	body, err := cut(p.rd, st, row.Position, row.Until)
	if err != nil {
		return false, err
	}
	wire := body
	if st.Kind == protocol.KindJSON && len(body) > 0 {
		wire = append(append(append(make([]byte, 0, len(body)+2), '['), body...), ']')
	}
	if err := p.run.slot(ctx); err != nil {
		return false, err
	}
	a, err := p.run.remote.append(ctx, row.Path, st.ContentType, wire, protocol.Producer{ID: p.run.def.Producer, Epoch: row.Epoch, Seq: row.Seq}, row.Closing)
	p.run.free()
	if err != nil {
		return true, p.refused(ctx, err)
	}
	if a.status == http.StatusNoContent && len(body) > 0 {
		// A duplicate: a request that was thought lost has come late. It has to be ours.
		if a.seq > row.Seq {
			return false, &stopError{"the copy is ahead of this mirror: another one with the same positions, such as that of a copied data folder, writes to it"}
		}
		found, err := p.settle(ctx, p.rd, st)
		switch {
		case err != nil:
			return false, err
		case found:
			p.unsaved = true
			return true, nil
		case row.Seq > 0:
			return true, p.reintroduce(ctx)
		}
		return false, &stopError{"the remote says that it has what it does not have: a duplicate that is nowhere"}
	}
	if a.next == "" {
		if a, err = p.run.remote.head(ctx, row.Path); err != nil {
			return false, err
		}
	}
	row.Bytes += int64(len(body))
	p.checked, p.unsaved = time.Now(), true
	return true, p.arrived(a.next)
}

// take puts what is new in flight; more: there was something.
func (p *pusher) take(st *engine.State) (more bool, err error) {
	row := &p.row
	if row.Position < st.Tail {
		pieces, err := p.rd.Read(st, row.Position, pushBytes)
		if isMissing(err) {
			return false, errSourceDeleted
		} else if err != nil {
			return false, err
		}
		row.Until = pieces[len(pieces)-1].End
		if p.most > 0 {
			row.Until = min(row.Until, row.Position+p.most)
		}
	}
	row.Closing = st.Closed && row.Until == st.Tail
	if !row.InFlight() {
		return false, nil
	}
	row.Seq++
	return true, nil
}

// refused decides what a refusal of an append means.
func (p *pusher) refused(ctx context.Context, err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	row := &p.row
	switch {
	case isGone(err):
		return &stopError{"the copy was deleted; resume the mirror to make it anew"}
	case r.status == http.StatusRequestEntityTooLarge && row.Until-row.Position > 1:
		return p.halve()
	case r.status == http.StatusForbidden && r.epoch > row.Epoch:
		return &stopError{"another mirror with the same positions, such as that of a copied data folder, has taken over the copy"}
	case r.status == http.StatusConflict && r.closed:
		return &stopError{"somebody else has closed the copy"}
	case r.status == http.StatusConflict && r.expectedSeq >= 0 && r.expectedSeq < row.Seq,
		// It may have forgotten the epoch, which began with another number.
		r.status == http.StatusBadRequest && row.Seq > 0:
		return p.reintroduce(ctx)
	}
	return permanent(err)
}

// halve makes what is in flight smaller: the remote has not taken it, for it is too
// large.
func (p *pusher) halve() error {
	row := &p.row
	p.most = (row.Until - row.Position) / 2
	row.Until, row.Closing = row.Position+p.most, false
	return p.save()
}

// reintroduce begins a new epoch with a remote that has forgotten the producer, as
// servers may after a while (PROTOCOL §5.2.1), or where it stood, but has all of its
// data.
func (p *pusher) reintroduce(ctx context.Context) error {
	a, err := p.run.remote.head(ctx, p.row.Path)
	if err != nil {
		return err
	}
	if a.next != p.row.Offset {
		return &stopError{"the remote has lost what it had acknowledged; delete the copy and resume the mirror to make it anew"}
	}
	p.row.Epoch, p.row.Seq = p.row.Epoch+1, 0
	return p.save()
}

// cut returns the content between two positions.
func cut(rd *engine.Reader, st *engine.State, from, until int64) ([]byte, error) {
	end := *st
	end.Tail = until
	var out []byte
	for from < until {
		pieces, err := rd.Read(&end, from, pushBytes)
		if isMissing(err) {
			return nil, errSourceDeleted
		} else if err != nil {
			return nil, err
		}
		for _, piece := range pieces {
			if st.Kind == protocol.KindJSON && len(out) > 0 {
				out = append(out, ',')
			}
			out = append(out, piece.Data...)
			from = piece.End
		}
	}
	return out, nil
}

// same compares content. Some servers write JSON anew, so its meaning counts.
func same(kind protocol.Kind, a, b []byte) bool {
	if bytes.Equal(a, b) || kind != protocol.KindJSON {
		return bytes.Equal(a, b)
	}
	var x, y []any
	if json.Unmarshal(fmt.Appendf(nil, "[%s]", a), &x) != nil || json.Unmarshal(fmt.Appendf(nil, "[%s]", b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
