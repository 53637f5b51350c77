package snapshot

import (
	"encoding/json"
	"fmt"
)

// CanBeginAgain reports whether it is known what the job was asked for, and it was
// not begun by the server itself, which does that again by itself.
func (j *Job) CanBeginAgain() bool { return j.request != nil }

// Again begins a job anew that has ended, with what it was asked for. Keys that came
// with the call then are not known any more: the server's own count.
func (m *Manager) Again(j *Job) (*Job, error) {
	select {
	case <-j.done:
	default:
		return nil, &RequestError{fmt.Errorf("job %d still runs", j.ID)}
	}
	if !j.CanBeginAgain() {
		return nil, &RequestError{fmt.Errorf("it is not known what job %d was asked for", j.ID)}
	}
	switch j.Kind {
	case KindCreate:
		return again(j, m.Create)
	case KindVerify:
		return again(j, m.Verify)
	case KindRestore:
		return again(j, m.Restore)
	case KindCompact:
		return again(j, m.Compact)
	case KindBackup:
		return again(j, m.Backup)
	case KindVerifyBackup:
		return again(j, func(r backupRequest) (*Job, error) { return m.VerifyBackup(r.Location, r.From) })
	}
	return nil, &RequestError{fmt.Errorf("job %d is of another kind", j.ID)}
}

func again[R any](j *Job, begin func(R) (*Job, error)) (*Job, error) {
	var r R
	if err := json.Unmarshal(j.request, &r); err != nil {
		return nil, fmt.Errorf("what job %d was asked for: %w", j.ID, err)
	}
	return begin(r)
}
