package mirror

import (
	"context"
	"errors"
	"sync"

	"tailrace/backend/store"
)

// concurrent is how many requests of one mirror are under way at a time, waiting
// reads not counted.
const concurrent = 8

// run is a mirror at work: a goroutine that finds streams, and one for each that is
// being copied.
type run struct {
	m      *Manager
	def    store.Mirror
	remote *remote
	once   bool // it ends when everything that is there has arrived
	anew   bool // a person wants it: copies that were complete are looked for, too
	slots  chan struct{}

	copying sync.WaitGroup

	mu      sync.Mutex
	streams map[string]*stream
	active  map[string]bool // being copied; false: and to be looked at once more after that
	found   bool            // everything that was there at the beginning is in streams
	trouble string          // why streams cannot be found
}

// load makes a run with what is stored about its streams.
func (m *Manager) load(def *store.Mirror) (*run, error) {
	r := &run{m: m, def: *def, slots: make(chan struct{}, concurrent), streams: map[string]*stream{}, active: map[string]bool{}}
	rows, err := m.o.Store.MirrorStreams(m.ctx, def.ID)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		r.streams[row.Path] = r.newStream(row)
	}
	return r, nil
}

func (r *run) newStream(row store.MirrorStream) *stream {
	s := &stream{run: r, row: row, stored: row}
	s.seen = StreamSight{
		Path: row.Path, State: StateWaiting, Position: row.Position, Behind: -1, Bytes: row.Bytes, Error: row.Error, UpdatedAt: row.UpdatedAt,
	}
	if terminal(&row) {
		s.seen.State = State(row.State)
	}
	return s
}

// work copies until ctx ends, or, of a run that is to end, until everything has
// arrived or was given up. An error is why the mirror cannot go on.
func (r *run) work(ctx context.Context) error {
	defer r.copying.Wait()
	find := r.local
	if r.def.Direction == store.MirrorPull {
		find = r.distant
	}
	wait := backoff{first: r.m.o.Backoff}
	for {
		err := find(ctx)
		var stop *stopError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &stop), r.once && wait.tries >= onceTries:
			r.setTrouble(err.Error())
			return err
		case err == nil && r.once:
			return nil
		case err == nil: // one stream is named, and on its way
			<-ctx.Done()
			return nil
		}
		r.setTrouble(err.Error())
		if !pause(ctx, wait.next(err)) {
			return nil
		}
	}
}

// add has a stream copied, unless it is already or has come to its end. id is its
// number here; 0: it has just been made, or is elsewhere.
func (r *run) add(ctx context.Context, path string, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.streams[path]; s != nil {
		s.found = true
	}
	if _, busy := r.active[path]; busy {
		r.active[path] = false
		return
	}
	s := r.streams[path]
	if s == nil {
		s = r.newStream(store.MirrorStream{Mirror: r.def.ID, Path: path, Seq: -1})
		s.found = true
		r.streams[path] = s
	}
	switch s.row.State {
	case store.MirrorStopped:
		return // until a person has looked
	case store.MirrorClosed, store.MirrorSourceDeleted:
		if id != 0 && id == s.row.Local && !r.anew {
			return
		}
	}
	r.active[path] = true
	r.copying.Go(func() {
		for again := true; again; {
			s.follow(ctx)
			again = r.done(s)
		}
	})
}

// done takes note that the copying of a stream has ended; again: another stream may
// have been made at its path meanwhile.
func (r *run) done(s *stream) (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.active[s.row.Path] && s.row.State != store.MirrorStopped {
		r.active[s.row.Path] = true
		return true
	}
	delete(r.active, s.row.Path)
	return false
}

// forget drops a stream that was announced and is not there any more.
func (r *run) forget(path string) {
	r.mu.Lock()
	delete(r.streams, path)
	r.mu.Unlock()
	r.m.changed()
}

// listed takes note that everything that is there has been found. What was copied
// before and is not there any more was deleted meanwhile.
func (r *run) listed() {
	r.mu.Lock()
	var gone []*stream
	for path, s := range r.streams {
		switch {
		case s.found || terminal(&s.row) || !r.wants(path):
		case s.row.Local == 0:
			delete(r.streams, path) // nothing was copied
		default:
			gone = append(gone, s)
		}
	}
	r.mu.Unlock()
	for _, s := range gone {
		s.ended(errSourceDeleted)
	}
	r.mu.Lock()
	r.found, r.trouble = true, ""
	r.mu.Unlock()
	r.m.changed()
}

func (r *run) setTrouble(text string) {
	r.mu.Lock()
	r.trouble = text
	r.mu.Unlock()
	r.m.changed()
}

// slot waits until a request may be made.
func (r *run) slot(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *run) free() { <-r.slots }

// look returns what there is to see of the streams.
func (r *run) look() (streams []StreamSight, found bool, trouble string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		streams = append(streams, s.look())
	}
	return streams, r.found, r.trouble
}
