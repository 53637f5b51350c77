package inspect

import (
	"testing"

	"tailrace/backend/journal"
)

// The events count the findings until somebody says to have looked at them: reading
// the list is not that.
func TestUnseenFindings(t *testing.T) {
	p := newPage(t)
	for range 3 { // times are too often
		p.sent("a", 0, 0, 403, journal.Outcome{Decision: journal.Fenced})
	}
	var list struct {
		Seen     uint64
		Findings []Finding
	}
	p.call("GET", "/api/findings", "", 200, &list)
	if len(list.Findings) != 1 || list.Findings[0].Number != 1 || list.Seen != 0 {
		t.Fatalf("%+v", list)
	}
	f := p.events("")
	if e := f.next("stats"); e["findings_unseen"] != 1.0 {
		t.Errorf("before somebody looks: %v", e)
	}
	p.call("PUT", "/api/findings/seen", `{"number":1}`, 204, nil)
	if p.call("GET", "/api/findings", "", 200, &list); len(list.Findings) != 1 || list.Seen != 1 {
		t.Errorf("%+v", list)
	}
	for f.next("stats")["findings_unseen"] != 0.0 { // those that were on their way
	}
}
