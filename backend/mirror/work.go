package mirror

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"tailrace/backend/store"
)

// halt stops a mirror and waits for that.
func (m *Manager) halt(mi *mirror) {
	m.mu.Lock()
	stop, ended := mi.stop, mi.ended
	m.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

// start sets a mirror to work that does not; anew: a person wants it.
func (m *Manager) start(mi *mirror, once, anew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, stop := context.WithCancel(m.ctx)
	ended := make(chan struct{})
	mi.stop, mi.ended, mi.once = stop, ended, OnceNever
	if once {
		mi.once = OnceRunning
	}
	paused := mi.def.Paused
	m.working.Go(func() {
		defer close(ended)
		defer stop()
		if once {
			err := m.work(ctx, mi, true, anew)
			m.endOnce(ctx, mi, err)
		}
		if !paused && ctx.Err() == nil {
			_ = m.work(ctx, mi, false, anew) // it is shown
		}
		m.mu.Lock()
		mi.stop = nil
		m.mu.Unlock()
		m.changed()
	})
}

// work runs a mirror until it ends.
func (m *Manager) work(ctx context.Context, mi *mirror, once, anew bool) error {
	r, err := m.load(&mi.def)
	if err == nil {
		r.once, r.anew = once, anew
		r.remote, err = m.reach(mi)
	}
	if err == nil {
		m.mu.Lock()
		mi.run, mi.failure = r, ""
		m.mu.Unlock()
		m.changed()
		err = r.work(ctx)
		r.remote.close()
	}
	if err != nil {
		m.o.Log.Warn("a mirror cannot go on", "mirror", mi.def.Name, "error", err)
		m.mu.Lock()
		mi.failure = err.Error()
		m.mu.Unlock()
	}
	return err
}

func (m *Manager) endOnce(ctx context.Context, mi *mirror, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mi.once = OnceComplete
	if err != nil || ctx.Err() != nil {
		mi.once = OnceFailed
		return
	}
	all, _, _ := mi.run.look()
	if slices.ContainsFunc(all, func(s StreamSight) bool {
		return s.State != StateLive && s.State != StateClosed && s.State != StateSourceDeleted
	}) {
		mi.once = OnceFailed
	}
}

// reach prepares the remote of a mirror.
func (m *Manager) reach(mi *mirror) (*remote, error) {
	if err := checkGlob(mi.def.Glob); err != nil { // the configuration's has not been
		return nil, err
	}
	place := Remote{URL: mi.def.Remote, TokenEnv: mi.def.TokenEnv, HeaderFile: mi.def.HeaderFile, Insecure: mi.def.Insecure}
	if IsName(mi.def.Remote) {
		known, ok := m.o.Remotes[mi.def.Remote]
		if !ok {
			return nil, fmt.Errorf("the configuration has no remote %q any more", mi.def.Remote)
		}
		place = known
	}
	u, err := ParseRemote(place.URL, place.Insecure)
	if err != nil {
		return nil, err
	}
	if m.isOwn(place.URL) {
		return nil, errOwn
	}
	header := credentials{token: mi.token, env: place.TokenEnv, file: place.HeaderFile, get: m.o.Env}
	return newRemote(u, header), nil
}

// address is where a mirror's remote is.
func (m *Manager) address(def *store.Mirror) string {
	if known, ok := m.o.Remotes[def.Remote]; ok {
		if u, err := url.Parse(known.URL); err == nil {
			return u.String()
		}
	}
	return def.Remote
}
