//go:build !linux

package peer

import "net/netip"

// look finds nothing: these systems do not tell without the rights of an
// administrator, or a library for each.
func look(map[netip.AddrPort]bool) map[netip.AddrPort]Process { return nil }

// Possible reports whether this system tells who owns a connection.
const Possible = false

// Owners finds nothing.
func Owners(map[Connection]bool) map[Connection]Owner { return nil }
