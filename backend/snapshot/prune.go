package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// PruneRequest says which recorded snapshots are kept; the others are deleted with
// their files. Those that a compacted stream is read from, or that a kept one goes
// on from, are kept in any case.
type PruneRequest struct {
	Glob     string        // streams it is about; empty: all
	Target   string        // snapshots it is about: those of a target; empty: all
	KeepLast int           // newest snapshots of each stream and place; at least 1
	KeepFor  time.Duration // and all that are younger; 0: no matter
	DryRun   bool
	Reach    Where // keys for buckets, when they are not the server's own
}

func (r *PruneRequest) matches(s *Created) bool {
	return (r.Glob == "" || protocol.MatchGlob(r.Glob, s.Path)) && (r.Target == "" || r.Target == s.Target)
}

// Prune deletes old snapshots and returns those that it has deleted, or would.
func (m *Manager) Prune(ctx context.Context, r PruneRequest) ([]Created, error) {
	if r.KeepLast < 1 {
		return nil, &RequestError{errors.New("at least the newest snapshot of a stream is kept: keep_last must be 1 or more")}
	}
	if _, ok := m.o.Targets[r.Target]; !ok && r.Target != "" {
		return nil, &UnknownTargetError{r.Target}
	}
	return m.prune(ctx, []PruneRequest{r})
}

// prune deletes what the first request that is about a snapshot does not keep. A
// place that fails does not keep the others.
func (m *Manager) prune(ctx context.Context, rules []PruneRequest) ([]Created, error) {
	all, err := m.Recorded(ctx, "")
	if err != nil {
		return nil, err
	}
	type shelf struct{ stream, place string }
	kept := map[shelf]int{}
	needed := map[int64]bool{} // chains with a newer snapshot that is kept
	failed := map[string]bool{}
	pruned := []Created{}
	var errs []error
	for _, s := range all { // newest first
		of := shelf{s.Path, s.Place}
		r := ruleFor(rules, &s)
		if r == nil || s.InUse || kept[of] < r.KeepLast || (r.KeepFor > 0 && s.CreatedAt >= m.o.Now().Add(-r.KeepFor).UnixMilli()) {
			kept[of]++
			needed[chainID(&s.Snapshot)] = true
			continue
		}
		if needed[chainID(&s.Snapshot)] || failed[s.Place] {
			continue
		}
		if !r.DryRun {
			switch err := m.delete(ctx, &s.Snapshot, r.Reach.Place.Keys); {
			case errors.Is(err, store.ErrSnapshotInUse):
				continue // compacted meanwhile
			case err != nil:
				failed[s.Place] = true
				errs = append(errs, err)
				continue
			}
		}
		pruned = append(pruned, s)
	}
	return pruned, errors.Join(errs...)
}

func ruleFor(rules []PruneRequest, s *Created) *PruneRequest {
	for i := range rules {
		if rules[i].matches(s) {
			return &rules[i]
		}
	}
	return nil
}

// delete removes a snapshot: first the record, so that none is ever without a
// file.
func (m *Manager) delete(ctx context.Context, s *store.Snapshot, keys *bucket.Keys) error {
	w := m.reach(s, keys)
	b, err := m.open(&w)
	if err != nil {
		return err
	}
	if _, err := b.Stat(ctx, s.Key); err != nil && bucket.ProblemOf(err) != bucket.ProblemMissing {
		return err // it would stay behind
	}
	if err := m.o.Store.RemoveSnapshot(s.ID); err != nil {
		return err
	}
	err = b.Delete(ctx, s.Key)
	if s.Manifest != "" {
		err = errors.Join(b.Delete(ctx, s.Manifest), err)
	}
	if err != nil {
		return fmt.Errorf("%s is not recorded any more, but could not be deleted: %w", b.Location(s.Key), err)
	}
	return nil
}
