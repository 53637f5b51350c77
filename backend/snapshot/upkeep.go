package snapshot

import (
	"context"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Rules say what the manager does by itself.
type Rules struct {
	// Every says of which open streams snapshots are taken when they have grown.
	Every []ScheduleRule
	// Keep says which recorded snapshots stay; the first that is about one counts.
	Keep []PruneRequest
	// Compact says which streams are compacted.
	Compact []CompactRequest
}

// ScheduleRule takes snapshots of streams that have grown.
type ScheduleRule struct {
	Glob, Target string
	Every        time.Duration // when so long has passed since the last; 0: no matter
	Bytes        int64         // or when so much is new; 0: no matter
}

const (
	// upkeepEvery is the time between two looks at what has become due.
	upkeepEvery = time.Minute
	// rareEvery is how many of them go by between two looks at what costs more.
	rareEvery = 10
	// retryPause is how long a scheduled snapshot that failed is left alone.
	retryPause = 5 * time.Minute
)

// runUpkeep takes scheduled snapshots, compacts and prunes until the manager is
// closed.
func (m *Manager) runUpkeep() {
	every := m.o.UpkeepEvery
	if every == 0 {
		every = upkeepEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	failed := map[series]time.Time{}
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-m.stop.Done():
			return
		}
		m.takeScheduled(failed)
		if n%rareEvery == 0 {
			m.compactByRule()
			m.pruneByRule()
		}
	}
}

// series are the snapshots of a stream at a target.
type series struct{ stream, target string }

// seriesState is where a series stands.
type seriesState struct {
	incarnation, end, at int64
	bytes                int64 // payload of the stream up to there
}

// takeScheduled takes the snapshots that are due, one after the other.
func (m *Manager) takeScheduled(failed map[series]time.Time) {
	if len(m.o.Rules.Every) == 0 {
		return
	}
	briefs, err := m.o.Store.Briefs(m.stop)
	if err != nil {
		m.complain("looking for snapshots to take failed", err)
		return
	}
	have, err := m.seriesStates()
	if err != nil {
		m.complain("looking for snapshots to take failed", err)
		return
	}
	for i := range briefs {
		b := &briefs[i]
		for _, r := range m.o.Rules.Every {
			of := series{b.Path, r.Target}
			if b.System || b.Deleted || b.Closed || !protocol.MatchGlob(r.Glob, b.Path) || !m.due(&r, b, have[of]) || m.o.Now().Before(failed[of]) {
				continue
			}
			if err := m.takeNow(of); err != nil {
				failed[of] = m.o.Now().Add(retryPause)
				m.complain("a scheduled snapshot failed and will be tried again", err, "stream", b.Path, "target", r.Target)
			}
			if m.stop.Err() != nil {
				return
			}
			break
		}
	}
}

// complain logs what nobody waits for, unless it is the end of the manager.
func (m *Manager) complain(what string, err error, more ...any) {
	if m.stop.Err() == nil {
		m.o.Log.Warn(what, append(more, "error", err)...)
	}
}

func (m *Manager) takeNow(of series) error {
	j, err := m.Create(CreateRequest{Path: of.stream, To: Where{Name: of.target}, Increment: true})
	if err != nil {
		return err
	}
	<-j.Done()
	return j.Progress().Err
}

// seriesStates returns where all series stand.
func (m *Manager) seriesStates() (map[series]*seriesState, error) {
	all, err := m.o.Store.Snapshots(m.stop, "")
	if err != nil {
		return nil, err
	}
	states := map[series]*seriesState{}
	for i := len(all) - 1; i >= 0; i-- { // oldest first
		s := &all[i]
		of := series{s.Path, s.Target}
		before := states[of]
		now := &seriesState{incarnation: s.Incarnation, end: s.End, at: s.CreatedAt, bytes: s.Bytes}
		if s.Start > 0 && before != nil && before.incarnation == s.Incarnation && before.end == s.Start {
			now.bytes += before.bytes
		}
		states[of] = now
	}
	return states, nil
}

// due reports whether a stream has grown enough, or long enough ago.
func (m *Manager) due(r *ScheduleRule, b *store.Brief, last *seriesState) bool {
	tail := b.Bytes
	if b.Kind == protocol.KindJSON {
		tail = b.Messages
	}
	if last == nil || last.incarnation != b.Incarnation {
		return tail > 0
	}
	if tail <= last.end {
		return false
	}
	age := time.Duration(m.o.Now().UnixMilli()-last.at) * time.Millisecond
	return (r.Every > 0 && age >= r.Every) || (r.Bytes > 0 && b.Bytes-last.bytes >= r.Bytes)
}

// compactByRule compacts what the rules name, as jobs.
func (m *Manager) compactByRule() {
	for _, r := range m.o.Rules.Compact {
		plan, err := m.PlanCompact(m.stop, r)
		if err == nil && len(plan) > 0 {
			err = m.compactNow(r)
		}
		if err != nil {
			m.complain("compaction failed", err, "streams", r.Streams, "target", r.To.Name)
		}
	}
}

func (m *Manager) compactNow(r CompactRequest) error {
	j, err := m.Compact(r)
	if err != nil {
		return err
	}
	<-j.Done()
	return j.Progress().Err
}

// pruneByRule deletes the snapshots that no rule keeps.
func (m *Manager) pruneByRule() {
	if len(m.o.Rules.Keep) == 0 {
		return
	}
	pruned, err := m.prune(context.WithoutCancel(m.stop), m.o.Rules.Keep)
	if err != nil {
		m.complain("old snapshots could not be deleted", err)
	}
	if len(pruned) > 0 {
		m.o.Log.Info("old snapshots were deleted", "count", len(pruned))
	}
}
