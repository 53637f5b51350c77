package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// A mirror's streams are found in the registry of the source: the stream that
// announces what is created there.

// names reports whether a glob is the name of one stream.
func names(glob string) bool { return !strings.Contains(glob, "*") }

// wants reports whether the mirror is about a stream.
func (r *run) wants(path string) bool {
	return mirrorable(path) == nil && protocol.MatchGlob(r.def.Glob, path)
}

// mirrorable checks that a path is one that streams of users have: what a remote
// announces need not be.
func mirrorable(path string) error {
	if path == protocol.RegistryPath || protocol.IsControlPath(path) {
		return &RequestError{fmt.Sprintf("%q belongs to the server itself and is not mirrored", path)}
	}
	if err := protocol.CheckPath(path, protocol.DefaultLimits()); err != nil {
		return &RequestError{fmt.Sprintf("%q is no path of a stream: %v", path, err)}
	}
	return nil
}

// checkGlob checks one that is the name of a stream.
func checkGlob(glob string) error {
	if !names(glob) {
		return nil
	}
	return mirrorable(glob)
}

// announced reads registry events; a stream that was made shows in made.
func announced(events protocol.Payload, each func(path string, made bool)) {
	var list []struct {
		Type    string
		Key     string
		Headers struct{ Operation string }
	}
	// What is no event is somebody's own data in a stream of that name.
	if json.Unmarshal(fmt.Appendf(nil, "[%s]", events.Data), &list) != nil {
		return
	}
	for _, e := range list {
		if e.Key != "" && (e.Headers.Operation == "insert" || e.Headers.Operation == "delete") {
			each(e.Key, e.Headers.Operation == "insert")
		}
	}
}

// local finds the streams here, those that are there and those that come.
func (r *run) local(ctx context.Context) error {
	rd, err := r.m.o.Engine.OpenReader(protocol.RegistryPath)
	if err != nil {
		return err
	}
	defer rd.Close()
	st, err := rd.State()
	if err != nil {
		return err
	}
	at := st.Tail // what is announced from here on may be in the list already
	all, err := r.m.o.Store.Briefs(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if b := &all[i]; !b.System && !b.Deleted && r.wants(b.Path) {
			r.add(ctx, b.Path, b.ID)
		}
	}
	r.listed()
	if r.once {
		if streams, _, _ := r.look(); len(streams) == 0 && names(r.def.Glob) {
			return &stopError{fmt.Sprintf("there is no stream %q here", r.def.Glob)}
		}
		return nil
	}
	for {
		st, changed, err := rd.Current()
		if err != nil {
			return err
		}
		for at < st.Tail {
			pieces, err := rd.Read(st, at, chunkBytes)
			if err != nil {
				return err
			}
			for _, p := range pieces {
				announced(protocol.Payload{Data: p.Data}, func(path string, made bool) {
					if made && r.wants(path) {
						// It is announced a moment before it can be read.
						r.m.o.Engine.AwaitPublished(path, protocol.Offset{Incarnation: math.MaxInt64})
						r.add(ctx, path, 0)
					}
				})
				at = p.End
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// distant finds the streams of the remote: by its registry, unless one is named.
func (r *run) distant(ctx context.Context) error {
	if names(r.def.Glob) {
		r.add(ctx, r.def.Glob, 0)
		r.listed()
		return nil
	}
	there := map[string]bool{}
	offset, cursor, live := start, "", false
	for {
		a, err := r.remote.read(ctx, protocol.RegistryPath, offset, live, cursor)
		if refused(err, http.StatusNotFound, http.StatusForbidden, http.StatusUnauthorized) {
			return &stopError{fmt.Sprintf("the streams of the remote cannot be listed: it has no %s that may be read (%v); name one stream, without *", protocol.RegistryPath, err)}
		} else if err != nil {
			return permanent(err)
		}
		if !strings.HasPrefix(a.contentType, "application/json") && a.status != http.StatusNoContent {
			return errors.Join(&stopError{"the remote's " + protocol.RegistryPath + " is no list of streams; name one stream, without *"}, a.body.Close())
		}
		err = split(protocol.KindJSON, a.body, func(p protocol.Payload, _ bool) error {
			announced(p, func(path string, made bool) {
				there[path] = made
				if made && live && r.wants(path) {
					r.add(ctx, path, 0)
				}
			})
			return nil
		})
		if err = errors.Join(err, a.body.Close()); err != nil {
			return err
		}
		offset, cursor = a.next, a.cursor
		if a.upToDate && !live {
			for path, made := range there {
				if made && r.wants(path) {
					r.add(ctx, path, 0)
				}
			}
			there = map[string]bool{}
			r.listed()
			if r.once {
				return nil
			}
			live = true
		}
	}
}

// terminal reports whether a stream has come to its end, as far as this run knows.
func terminal(row *store.MirrorStream) bool {
	switch row.State {
	case store.MirrorClosed, store.MirrorSourceDeleted, store.MirrorStopped:
		return true
	}
	return false
}
