package store

import (
	"context"
	"fmt"

	"tailrace/backend/protocol"
)

// watch tells the committer which subscriptions an append concerns. It belongs to
// the committer: that is where appends and changes of subscriptions meet in one
// order, so a stream is linked by exactly the first append behind the creation of
// a subscription, whatever happens at the same time.
//
// Globs are matched once for each stream and set of subscriptions; after that an
// append costs a map lookup, and nothing at all when there are no subscriptions.
type watch struct {
	all     map[int64]*watcher    // by number
	streams map[string][]*watcher // by stream path, as far as known
	cached  int                   // what streams holds: paths and watchers
	// touched are the subscriptions that the group under way concerns; stale: the
	// last group failed, so that all of this may be ahead of the database.
	touched map[*watcher]*Notice
	stale   bool
}

// watcher is what the committer knows of a subscription.
type watcher struct {
	number                  int64
	id, pattern, wakeStream string
}

// Notice is what a commit means to a subscription.
type Notice struct {
	Paths      []string // streams of the subscription that may have pending work now
	WakeStream bool     // its wake stream has been created
}

// maxWatched bounds the cache of watched streams: their paths, and the
// subscriptions of each.
const maxWatched = 1 << 18

// OnWork sets the function that is told, after each commit, which subscriptions
// it concerns. The committer calls it, so it must not block.
func (d *DB) OnWork(f func(id string, n Notice)) { d.onWork.Store(&f) }

// load reads all subscriptions anew.
func (w *watch) load(ctx context.Context, c *committer) error {
	rows, err := c.conn.QueryContext(ctx, "SELECT number, id, coalesce(pattern, ''), coalesce(wake_stream, '') FROM subscriptions")
	if err != nil {
		return fmt.Errorf("load subscriptions: %w", err)
	}
	defer rows.Close()
	all := map[int64]*watcher{}
	for rows.Next() {
		var s watcher
		if err := rows.Scan(&s.number, &s.id, &s.pattern, &s.wakeStream); err != nil {
			return fmt.Errorf("load subscriptions: %w", err)
		}
		all[s.number] = &s
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("load subscriptions: %w", err)
	}
	*w = watch{all: all, streams: map[string][]*watcher{}, touched: map[*watcher]*Notice{}}
	return nil
}

func (w *watch) idle() bool { return len(w.all) == 0 }

func (w *watch) add(s *Subscription) {
	w.all[s.Number] = &watcher{number: s.Number, id: s.ID, pattern: s.Pattern, wakeStream: s.WakeStream}
	w.forget()
}

func (w *watch) remove(number int64) {
	delete(w.touched, w.all[number])
	delete(w.all, number)
	w.forget()
}

// forget empties the cache: subscriptions have come or gone.
func (w *watch) forget() {
	clear(w.streams)
	w.cached = 0
}

// forgetStream drops a path from the cache: its links change.
func (w *watch) forgetStream(path string) {
	if watchers, known := w.streams[path]; known {
		w.cached -= 1 + len(watchers)
		delete(w.streams, path)
	}
}

// remember adds a path to the cache.
func (w *watch) remember(path string, watchers []*watcher) {
	if w.cached >= maxWatched {
		w.forget()
	}
	w.streams[path] = watchers
	w.cached += 1 + len(watchers)
}

// isWakeStream reports whether a subscription writes its wakes to a path.
func (w *watch) isWakeStream(path string) bool {
	for _, s := range w.all {
		if s.wakeStream == path {
			return true
		}
	}
	return false
}

// matches reports whether the subscription's pattern covers an application
// stream. A subscription that writes wakes is not woken by wakes: that could go
// on for ever.
func (s *watcher) matches(path string, isWakeStream bool) bool {
	return s.pattern != "" && !(s.wakeStream != "" && isWakeStream) && protocol.MatchGlob(s.pattern, path)
}

// noticeOf is the notice that a subscription gets for the group under way.
func (w *watch) noticeOf(s *watcher) *Notice {
	n := w.touched[s]
	if n == nil {
		n = &Notice{}
		w.touched[s] = n
	}
	return n
}

// touch notes that a stream may have work for some subscriptions.
func (w *watch) touch(watchers []*watcher, path string) {
	for _, s := range watchers {
		n := w.noticeOf(s)
		n.Paths = append(n.Paths, path)
	}
}

// notify hands over what the group that is now on disk concerns.
func (w *watch) notify(d *DB) {
	if len(w.touched) == 0 {
		return
	}
	if f := d.onWork.Load(); f != nil {
		for s, n := range w.touched {
			(*f)(s.id, *n)
		}
	}
	clear(w.touched)
}

// watchWrite links the streams of a write and notes whom it concerns.
func (c *committer) watchWrite(ctx context.Context, w *Write) error {
	if c.watch.idle() {
		return nil
	}
	if w.Delete || w.SoftDelete {
		return c.dropGlobLinks(ctx, w.Stream)
	}
	if w.Create {
		for _, s := range c.watch.all {
			if s.wakeStream == w.Stream.Path {
				c.watch.noticeOf(s).WakeStream = true
			}
		}
		if w.Stream.Fork != nil && w.Stream.Fork.Base > 0 {
			return c.watchAppend(ctx, w.Stream) // it begins with what it inherits
		}
	}
	for _, b := range w.Batches {
		if b.Payload.Messages() > 0 {
			return c.watchAppend(ctx, w.Stream)
		}
	}
	return nil
}

// watchAppend notes whom an append to a stream concerns, and links it before that
// append where a pattern matches it for the first time (PROTOCOL §6.2).
func (c *committer) watchAppend(ctx context.Context, s *Stream) error {
	if c.watch.idle() {
		return nil
	}
	watchers, known := c.watch.streams[s.Path]
	if !known {
		var err error
		if watchers, err = c.linkGlobs(ctx, s); err != nil {
			return err
		}
		c.watch.remember(s.Path, watchers)
	}
	c.watch.touch(watchers, s.Path)
	return nil
}

// linkGlobs links a stream to the subscriptions whose patterns match it, where it
// is not, and returns all that it is linked to.
func (c *committer) linkGlobs(ctx context.Context, s *Stream) ([]*watcher, error) {
	watchers, byGlob, err := c.watchersOf(ctx, s.Path)
	if err != nil || s.System {
		return watchers, err
	}
	isWakeStream := c.watch.isWakeStream(s.Path)
	for _, sub := range c.watch.all {
		if byGlob[sub] || !sub.matches(s.Path, isWakeStream) {
			continue
		}
		if err := c.insertLink(ctx, sub.number, s.Path, false, Cursor{s.Incarnation, BeforeFirst}); err != nil {
			return nil, err
		}
		if _, linked := byGlob[sub]; !linked {
			watchers = append(watchers, sub)
		}
	}
	return watchers, nil
}

// insertLink adds a link at a cursor; one that is there keeps its own.
func (c *committer) insertLink(ctx context.Context, subscription int64, path string, explicit bool, at Cursor) error {
	column := "glob"
	if explicit {
		column = "explicit"
	}
	_, err := c.conn.ExecContext(ctx, `INSERT INTO subscription_links (subscription, path, glob, explicit, incarnation, position)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (subscription, path) DO UPDATE SET `+column+" = 1 WHERE "+column+" = 0",
		subscription, path, !explicit, explicit, at.Incarnation, at.Position)
	if err != nil {
		return fmt.Errorf("link %q: %w", path, err)
	}
	return nil
}

// watchersOf returns the subscriptions that are linked to a path, and of each
// whether by its pattern.
func (c *committer) watchersOf(ctx context.Context, path string) (all []*watcher, byGlob map[*watcher]bool, err error) {
	rows, err := c.conn.QueryContext(ctx, "SELECT subscription, glob FROM subscription_links WHERE path = ?", path)
	if err != nil {
		return nil, nil, fmt.Errorf("find the subscriptions of %q: %w", path, err)
	}
	defer rows.Close()
	byGlob = map[*watcher]bool{}
	for rows.Next() {
		var number int64
		var glob bool
		if err := rows.Scan(&number, &glob); err != nil {
			return nil, nil, fmt.Errorf("find the subscriptions of %q: %w", path, err)
		}
		if s := c.watch.all[number]; s != nil {
			all = append(all, s)
			byGlob[s] = glob
		}
	}
	return all, byGlob, rows.Err()
}

// dropGlobLinks forgets a deleted stream. Should there be one at its path again,
// its first append links that from its start. Explicit links stay.
func (c *committer) dropGlobLinks(ctx context.Context, s *Stream) error {
	c.watch.forgetStream(s.Path)
	for _, query := range []string{
		"DELETE FROM subscription_links WHERE path = ? AND explicit = 0",
		"UPDATE subscription_links SET glob = 0 WHERE path = ? AND glob = 1",
	} {
		if _, err := c.conn.ExecContext(ctx, query, s.Path); err != nil {
			return fmt.Errorf("unlink %q: %w", s.Path, err)
		}
	}
	return nil
}
