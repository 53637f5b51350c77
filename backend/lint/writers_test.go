package lint

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tailrace/backend/journal"
	"tailrace/backend/peer"
)

// team is a linter, and the connections of programs that write to it.
type team struct {
	Linter
	t      *testing.T
	now    time.Time
	conns  map[string]*Conn
	owners map[peer.Connection]peer.Owner
	looks  int
	// often: programs are looked up whenever somebody asks.
	often bool
}

func newTeam(t *testing.T) *team {
	m := &team{t: t, often: true, now: time.Unix(1000, 0), conns: map[string]*Conn{}, owners: map[peer.Connection]peer.Owner{}}
	m.writers.patience = time.Hour // this machine may be slow
	m.writers.find = func(of map[peer.Connection]bool) map[peer.Connection]peer.Owner {
		m.looks++
		out := map[peer.Connection]peer.Owner{}
		for c := range of {
			if o, ok := m.owners[c]; ok {
				out[c] = o
			}
		}
		return out
	}
	return m
}

// write stores an append. "A1" is the first connection of program A; a small letter
// is a program that cannot be found. It waits for what is looked up.
func (m *team) write(conn, producer string, epoch, seq, incarnation int64) {
	c := m.conns[conn]
	if c == nil {
		c = &Conn{Connection: peer.Connection{Client: netip.AddrPortFrom(netip.IPv6Loopback(), uint16(len(m.conns)+1))}}
		m.conns[conn] = c
		if strings.ToUpper(conn) == conn {
			m.owners[c.Connection] = peer.Owner{Process: peer.Process{PID: int(conn[0]), Name: "program-" + conn[:1]}, Began: 7}
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/stream/a", nil)
	r = r.WithContext(context.WithValue(r.Context(), connKey{}, c))
	r.Header.Set("Producer-Id", producer)
	r.Header.Set("Producer-Epoch", fmt.Sprint(epoch))
	r.Header.Set("Producer-Seq", fmt.Sprint(seq))
	m.now = m.now.Add(2 * lookEvery)
	if m.often {
		m.writers.next = time.Time{}
	}
	m.Observe(&journal.Exchange{
		Request: r, Began: m.now, Stream: "a", Status: http.StatusOK,
		Outcome: journal.Outcome{Decision: journal.Stored, Incarnation: incarnation},
	})
	m.writers.looking.Wait()
}

func TestTwoProcesses(t *testing.T) {
	for name, tt := range map[string]struct {
		conns  string
		expect bool
	}{
		"one comes back": {"A1 B1 A1 B1", true},
		"one comes back, known from its return on": {"A1 B1 A1 B1 A1", true},
		"one comes back over another connection":   {"A1 B1 A2 B1 A1", true},
		"with an unknown one between":              {"A1 b1 B1 A1 B1 A1", true},
		"over many connections of one":             {"A1 A2 A3 A4 A5 A6 A7 A8 A9 A1 A2 A3", false},
		"one goes on where the other ended":        {"A1 A2 A1 B1 B2 B1 B2 B1", false},
		"each writes once":                         {"A1 B1 C1 D1 E1 F1 G1 H1 I1 J1", false},
		"one after the other, each for a while":    {"A1 A2 A1 B1 B2 B1 C1 C2 C1", false},
		"the other is not known":                   {"A1 b1 A1 b1 A1 b1", false},
		"none is known":                            {"a1 b1 a1 b1 a1 b1", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTeam(t)
			for seq, conn := range strings.Fields(tt.conns) {
				m.write(conn, "p", 0, int64(seq)+1, 0)
			}
			got := m.Findings()
			if !tt.expect {
				if len(got) > 0 {
					t.Errorf("found %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Rule != TwoProcesses || got[0].Client != "program-A, process 65, and program-B, process 66" ||
				got[0].Stream != "a" || !strings.Contains(got[0].Request, `as "p", epoch 0`) || got[0].Section == "" || got[0].Words == "" {
				t.Errorf("found %+v", got)
			}
		})
	}
}

func TestTwoProcessesApart(t *testing.T) {
	for name, of := range map[string]func(i int64) (producer string, epoch, seq, incarnation int64){
		"have a producer each":        func(i int64) (string, int64, int64, int64) { return fmt.Sprint(i % 2), 0, i, 0 },
		"raise the epoch":             func(i int64) (string, int64, int64, int64) { return "p", i, 0, 0 },
		"write to a stream made anew": func(i int64) (string, int64, int64, int64) { return "p", 0, i, i },
		// The answers come in another order than the commits: A 1 to 4, then B.
		"hand over, seen out of order": func(i int64) (string, int64, int64, int64) { return "p", 0, []int64{1, 9, 2, 10, 3, 11}[i], 0 },
	} {
		t.Run(name, func(t *testing.T) {
			m := newTeam(t)
			for i, conn := range strings.Fields("A1 B1 A1 B1 A1 B1") {
				producer, epoch, seq, incarnation := of(int64(i))
				m.write(conn, producer, epoch, seq, incarnation)
			}
			if got := m.Findings(); len(got) > 0 {
				t.Errorf("found %+v", got)
			}
		})
	}
}

// When a producer was forgotten, its sequence numbers begin anew.
func TestTwoProcessesAfterABeginning(t *testing.T) {
	m := newTeam(t)
	for i, conn := range strings.Fields("A1 A2 A1 B1 B2 B1 B2") {
		m.write(conn, "p", 0, []int64{1, 2, 3, 0, 1, 2, 3}[i], 0)
	}
	if got := m.Findings(); len(got) > 0 {
		t.Errorf("found %+v", got)
	}
}

// A program that has the number of one that has ended is another one.
func TestTwoProcessesOfOneNumber(t *testing.T) {
	m := newTeam(t)
	m.write("A1", "p", 0, 1, 0)
	m.write("A2", "p", 0, 2, 0)
	m.write("B1", "p", 0, 3, 0)
	m.write("A3", "p", 0, 4, 0)
	m.Forget() // what it concluded from these; A3 belongs to a later program
	m.conns["A3"].owner.Began = 8
	m.write("A2", "p", 0, 5, 0)
	m.write("B1", "p", 0, 6, 0)
	m.write("A3", "p", 0, 7, 0)
	if got := m.Findings(); len(got) > 0 {
		t.Errorf("found %+v", got)
	}
}

// However often the connection changes, programs are looked up once a second.
func TestLooksAreRare(t *testing.T) {
	m := newTeam(t)
	m.often = false
	for seq := range int64(50) {
		m.now = m.now.Add(-2*lookEvery + 100*time.Millisecond)
		m.write(fmt.Sprintf("A%d", seq), "p", 0, seq+1, 0)
	}
	if m.looks < 1 || m.looks > 6 {
		t.Errorf("looked %d times in 5 s", m.looks)
	}
	m.Close()
	m.often = true
	before := m.looks
	m.write("B1", "p", 0, 100, 0)
	if m.looks != before {
		t.Error("looked after it was closed")
	}
}

func TestWritersAreBounded(t *testing.T) {
	m := newTeam(t)
	for i := range int64(3 * maxLines) {
		m.write("A1", fmt.Sprint(i), 0, 1, 0)
	}
	for i := range int64(3 * maxWriters) {
		m.write(fmt.Sprintf("A%d", i), "p", 0, i+1, 0)
	}
	if n := len(m.writers.lines); n > maxLines {
		t.Errorf("%d lines", n)
	}
	if n := len(m.writers.lines[lineKey{"a", "p"}].writers); n > maxWriters {
		t.Errorf("%d writers", n)
	}
}
