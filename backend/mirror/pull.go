package mirror

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// start is the offset of the beginning of a stream.
const start = "-1"

// pull copies a stream from the remote until nothing is left to do, ctx ends or
// something fails.
func (s *stream) pull(ctx context.Context, wait *backoff) error {
	if s.row.State == store.MirrorClosed {
		if _, err := stateOf(s.run.m.o.Engine, s.row.Path); !s.run.anew || !isMissing(err) {
			return errClosed
		}
		s.row.State = store.MirrorAgain
	}
	source, err := s.run.remote.head(ctx, s.row.Path)
	switch {
	case isGone(err) && s.row.State == store.MirrorSourceDeleted && !names(s.run.def.Glob):
		return errNoSource // another one is announced at its path
	case isGone(err) && s.row.Local != 0:
		return errSourceDeleted
	case refused(err, http.StatusNotFound):
		return errNoSource
	case err != nil:
		return permanent(err)
	case s.row.State == store.MirrorSourceDeleted:
		return &stopError{"the source was deleted and made anew, and the copy is one of the stream before; delete the copy and resume the mirror to copy the new one"}
	}
	kind, err := s.prepare(source)
	if err != nil {
		return err
	}
	p := puller{stream: s, kind: kind, offset: s.row.Offset, known: s.row.Skip, ttl: source.ttl != ""}
	if p.known > 0 {
		rd, err := s.run.m.o.Engine.OpenReader(s.row.Path)
		if err != nil {
			return err
		}
		defer rd.Close()
		if p.copy, err = rd.State(); err != nil {
			return err
		}
		p.rd = rd
	}
	for {
		more, err := p.step(ctx)
		if err != nil {
			return err
		}
		wait.reset()
		if more {
			continue
		}
		s.see(StateLive, s.row.Position)
		if s.run.once {
			return errArrived
		}
	}
}

// prepare makes sure that the copy is there, and as it was left.
func (s *stream) prepare(source *answer) (protocol.Kind, error) {
	e := s.run.m.o.Engine
	again := s.row.State == store.MirrorAgain
	if s.row.Local != 0 {
		st, err := stateOf(e, s.row.Path)
		switch {
		case isMissing(err) && again:
			s.row.Local = 0
		case isMissing(err):
			return 0, &stopError{"the copy was deleted; resume the mirror to make it anew"}
		case err != nil:
			return 0, err
		case st.ID != s.row.Local || st.Tail != s.row.Position:
			return 0, &stopError{engine.ErrNotMirror.Error() + "; delete the copy and resume the mirror to make it anew"}
		default:
			s.row.State, s.row.Error = "", ""
			if again {
				return st.Kind, s.save()
			}
			return st.Kind, nil
		}
	}
	created, err := e.Create(s.row.Path, &engine.CreateRequest{ContentType: source.contentType})
	var conflict *protocol.ConflictError
	switch {
	case errors.As(err, &conflict):
		return 0, &stopError{"there is another stream here at this path: " + err.Error()}
	case err != nil:
		return 0, local(err)
	case created.State.Tail > 0 || created.State.Closed:
		return 0, &stopError{"there is a stream with data of its own here at this path; delete it, or mirror another path"}
	}
	s.begin(created.State.ID, start)
	return created.State.Kind, s.save()
}

func stateOf(e *engine.Engine, path string) (*engine.State, error) {
	rd, err := e.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	return rd.State()
}

// local makes what this server refuses for good stop the stream.
func local(err error) error {
	var bad *protocol.BadRequestError
	var limit *protocol.LimitError
	if errors.As(err, &bad) || errors.As(err, &limit) || errors.Is(err, protocol.ErrReadOnly) {
		return &stopError{"this server does not take it: " + err.Error()}
	}
	return err
}

// puller reads one answer after the other.
type puller struct {
	*stream
	kind   protocol.Kind
	offset string // of the next read
	cursor string
	known  int64 // how much of what comes next is in the copy: it is compared
	rd     *engine.Reader
	copy   *engine.State

	live bool   // the last answer reached the tail
	tail string // of the source when it was last looked at
	ttl  bool   // the source has a sliding TTL: it is watched without reading
}

// step reads an answer and appends what is new; more: there may be more at once.
func (p *puller) step(ctx context.Context) (more bool, err error) {
	if p.live && p.ttl {
		return p.watch(ctx)
	}
	live := p.live
	if !live {
		if err := p.run.slot(ctx); err != nil {
			return false, err
		}
		defer p.run.free()
	}
	a, err := p.run.remote.read(ctx, p.row.Path, p.offset, live, p.cursor)
	if err != nil {
		return false, p.refused(ctx, err)
	}
	// A live answer that says closed is asked for once more: only one that was read
	// from the log is sure to hold everything.
	closing := a.closed && !live
	got, err := p.take(a, closing)
	if err = errors.Join(err, a.body.Close()); err != nil {
		return false, err
	}
	if got == 0 && p.offset != start && a.next < p.offset { // tokens sort as offsets do (PROTOCOL §8)
		return false, errTailBehind
	}
	if p.known > 0 && a.upToDate {
		return false, errRecreated
	}
	if closing {
		return false, errClosed
	}
	p.offset, p.cursor = a.next, a.cursor
	p.live = (a.upToDate || live && a.status == http.StatusNoContent) && !a.closed
	return !p.live, nil
}

// errTailBehind: either the source is another one, or its server shows messages a
// moment before it counts them, as the reference server does. The next try begins
// with comparing, which tells.
var errTailBehind = errors.New("the remote names a tail before what it has sent; its last answer is compared with the copy")

var errRecreated = &stopError{"the source is not the stream that was copied: it was deleted and made anew, or has lost data; delete the copy and resume the mirror to copy it as it is"}

// take compares what is known of an answer with the copy, and appends the rest.
// The row that is stored with each part tells how much of the answer is here.
func (p *puller) take(a *answer, closing bool) (got int64, err error) {
	began := p.offset
	err = split(p.kind, a.body, func(part protocol.Payload, last bool) error {
		n := part.Length(p.kind)
		got += n
		fresh, err := p.compare(part)
		if err != nil {
			return err
		}
		ends := last && closing && p.known == 0 // else it ends before the copy does
		if fresh.Messages() == 0 && !ends {
			return nil
		}
		p.see(StateCopying, p.row.Position)
		row := p.row
		row.Offset, row.Skip = began, got
		row.Bytes += int64(len(fresh.Data))
		row.UpdatedAt = p.run.m.o.Now().UnixMilli()
		if ends {
			row.State = store.MirrorClosed
		}
		out, err := p.run.m.o.Engine.Append(row.Path, &engine.AppendRequest{
			Empty: fresh.Messages() == 0, Payload: fresh, Close: ends, Mirrored: &row,
			Frame: func(protocol.Kind) (protocol.Payload, error) { return fresh, nil },
		})
		switch {
		case errors.Is(err, engine.ErrNotMirror), isMissing(err), errors.As(err, new(*protocol.ClosedError)):
			return &stopError{engine.ErrNotMirror.Error() + "; delete the copy and resume the mirror to make it anew"}
		case err != nil:
			return local(err)
		}
		row.Position, row.Until = out.Next.Position, out.Next.Position
		p.row, p.stored = row, row
		return nil
	})
	return got, err
}

// compare takes what is known off a part of an answer; it has to be what the copy
// ends with.
func (p *puller) compare(part protocol.Payload) (fresh protocol.Payload, err error) {
	if p.known == 0 {
		return part, nil
	}
	old, fresh := divide(p.kind, part, p.known)
	from := p.row.Position - p.known
	have, err := cut(p.rd, p.copy, from, from+old.Length(p.kind))
	if err != nil {
		return fresh, err
	}
	if !same(p.kind, have, old.Data) {
		return fresh, errRecreated
	}
	p.known -= old.Length(p.kind)
	return fresh, nil
}

// divide cuts a payload behind n bytes or messages.
func divide(kind protocol.Kind, p protocol.Payload, n int64) (before, after protocol.Payload) {
	if n >= p.Length(kind) {
		return p, protocol.Payload{}
	}
	if kind != protocol.KindJSON {
		return bytePayload(p.Data[:n]), bytePayload(p.Data[n:])
	}
	size := int(n) - 1 // the commas
	for _, s := range p.Sizes[:n] {
		size += s
	}
	return protocol.Payload{Data: p.Data[:size], Sizes: p.Sizes[:n]}, protocol.Payload{Data: p.Data[size+1:], Sizes: p.Sizes[n:]}
}

// watchEvery is how often a stream with a sliding TTL is looked at.
const watchEvery = 2 * time.Second

// watch waits for a source with a sliding TTL to grow. Asking for its tail does not
// restart the TTL, as reading does (PROTOCOL §5.5): only what its writers do keeps
// it alive.
func (p *puller) watch(ctx context.Context) (more bool, err error) {
	if p.tail != "" && !pause(ctx, watchEvery) {
		return false, ctx.Err()
	}
	a, err := p.run.remote.head(ctx, p.row.Path)
	if err != nil {
		return false, p.refused(ctx, err)
	}
	p.tail = a.next
	if a.next == p.offset && !a.closed {
		return false, nil
	}
	p.live = false
	return true, nil
}

// refused decides what a refusal of a read means.
func (p *puller) refused(ctx context.Context, err error) error {
	switch {
	case refused(err, http.StatusNotFound):
		return errSourceDeleted
	case refused(err, http.StatusGone, http.StatusBadRequest, http.StatusRequestedRangeNotSatisfiable):
		// Either the stream is gone, or the offset is none of its.
		_, headErr := p.run.remote.head(ctx, p.row.Path)
		switch {
		case isGone(headErr):
			return errSourceDeleted
		case headErr != nil:
			return permanent(headErr)
		}
		return &stopError{errRecreated.reason + " (" + strconv.Quote(err.Error()) + ")"}
	}
	return permanent(err)
}
