package peer

import (
	"net/netip"
	"sync"
	"time"
)

// Process is a running program.
type Process struct {
	PID  int
	Name string
}

// Connection is a TCP connection of this machine.
type Connection struct{ Client, Server netip.AddrPort }

// Owner is the one program that has the client's end of a connection. PID and Began
// tell it from every other, also from one that gets its number later.
type Owner struct {
	Process
	Began uint64 // by a clock of the system's own
}

// Is reports whether both are the same running program, which may change its name.
func (o Owner) Is(other Owner) bool { return o.PID == other.PID && o.Began == other.Began }

// Looking costs milliseconds, so what was found is kept for a while: longer when
// it was something, since connections last.
const (
	keepFound   = 20 * time.Second
	keepMissing = 2 * time.Second
	maxKept     = 4096
)

// Finder finds the programs behind connections. The zero Finder is ready.
type Finder struct {
	mu    sync.Mutex
	known map[netip.AddrPort]finding
}

type finding struct {
	Process
	until time.Time
}

// Find returns the programs that have connections from these addresses, by
// address. Those that are not known are left out.
func (f *Finder) Find(addresses ...string) map[string]Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	wanted, unknown := map[string]netip.AddrPort{}, map[netip.AddrPort]bool{}
	for _, a := range addresses {
		at, err := netip.ParseAddrPort(a)
		if err != nil || !at.Addr().Unmap().IsLoopback() {
			continue
		}
		at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
		wanted[a] = at
		if now.After(f.known[at].until) {
			unknown[at] = true
		}
	}
	if len(unknown) > 0 {
		if f.known == nil || len(f.known) > maxKept {
			f.known = map[netip.AddrPort]finding{}
			for _, at := range wanted { // one look finds all of them
				unknown[at] = true
			}
		}
		found := look(unknown)
		for at := range unknown {
			k := finding{Process: found[at], until: now.Add(keepFound)}
			if k.PID == 0 {
				k.until = now.Add(keepMissing)
			}
			f.known[at] = k
		}
	}
	out := map[string]Process{}
	for a, at := range wanted {
		if k := f.known[at]; k.PID != 0 {
			out[a] = k.Process
		}
	}
	return out
}
