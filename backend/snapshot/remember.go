package snapshot

import (
	"encoding/json"
	"errors"
	"time"

	"tailrace/backend/snapshot/backup"
	"tailrace/backend/store"
)

// maxResult is up to which size the result of a job is remembered over a restart.
const maxResult = 256 << 10

// record is what is remembered of a job that has ended.
func (j *Job) record() *store.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &store.Job{
		ID: j.ID, Kind: j.Kind, Subject: j.Subject, StartedAt: j.Started.UnixMilli(), EndedAt: j.ended.UnixMilli(),
		Bytes: j.bytes.Load(), Canceled: j.canceled,
	}
	if j.err != nil {
		r.Error = j.err.Error()
	}
	if result, err := json.Marshal(j.result); err == nil && len(result) <= maxResult && j.result != nil {
		r.Result = result
	}
	return r
}

// remember brings back the jobs of earlier runs. Those that were not done have
// failed: what they had begun was left behind by none of them.
func (m *Manager) remember() error {
	all, err := m.o.Store.Jobs(m.stop, keptJobs)
	if err != nil || len(all) == 0 {
		return err
	}
	abandoned := false
	for _, r := range all {
		j := &Job{ID: r.ID, Kind: r.Kind, Subject: r.Subject, Started: time.UnixMilli(r.StartedAt), request: r.Request, now: m.o.Now, cancel: func(error) {}, done: make(chan struct{})}
		close(j.done)
		j.bytes.Store(r.Bytes)
		j.canceled, j.ended = r.Canceled, time.UnixMilli(r.EndedAt)
		switch {
		case r.EndedAt == 0:
			abandoned, j.err, j.ended = true, errStopped, m.o.Now()
		case r.Error != "":
			j.err = errors.New(r.Error)
		}
		j.result = decodeResult(r.Kind, r.Result)
		m.jobs = append(m.jobs, j)
	}
	m.lastID.Store(all[len(all)-1].ID)
	if !abandoned && len(all) < keptJobs {
		return nil
	}
	return m.o.Store.AbandonJobs(m.o.Now().UnixMilli(), errStopped.Error(), all[0].ID)
}

// decodeResult reads the result of a job; nil: it is not known any more.
func decodeResult(kind string, data []byte) any {
	read := func(into any) bool { return data != nil && string(data) != "null" && json.Unmarshal(data, into) == nil }
	switch kind {
	case KindCreate:
		if r := new(Created); read(r) {
			return r
		}
	case KindVerify:
		if r := new(Verified); read(r) {
			return r
		}
	case KindRestore:
		if r := new(Restored); read(r) {
			return r
		}
	case KindBackup:
		if r := new(backup.Backup); read(r) {
			return r
		}
	case KindVerifyBackup:
		if r := new(backup.Verified); read(r) {
			return r
		}
	case KindCompact:
		if r := []Compaction(nil); read(&r) {
			return r
		}
	}
	return nil
}
