package peer

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// look finds the programs that have sockets at these addresses: the kernel's table
// of connections tells the inode of each, and the one with that inode among its
// open files is the program.
func look(addresses map[netip.AddrPort]bool) map[netip.AddrPort]Process {
	inodes := map[string]netip.AddrPort{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		readTable(table, addresses, inodes)
	}
	found := map[netip.AddrPort]Process{}
	dirs, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil || len(inodes) == 0 {
		return found
	}
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended, or belongs to somebody else
		}
		for _, file := range files {
			link, err := os.Readlink(filepath.Join(dir, file.Name()))
			if err != nil || !strings.HasPrefix(link, "socket:[") {
				continue
			}
			inode := strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")
			at, ok := inodes[inode]
			if !ok {
				continue
			}
			found[at] = describe(filepath.Dir(dir))
			if delete(inodes, inode); len(inodes) == 0 {
				return found
			}
		}
	}
	return found
}

// describe names the program of a folder in /proc.
func describe(dir string) Process {
	p := Process{}
	p.PID, _ = strconv.Atoi(filepath.Base(dir)) // it was globbed as a number
	if name, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
		p.Name = strings.TrimSpace(string(name))
	}
	return p
}

// readTable adds the inodes of connections whose local end is wanted.
func readTable(name string, wanted map[netip.AddrPort]bool, inodes map[string]netip.AddrPort) {
	f, err := os.Open(name)
	if err != nil {
		return // no such protocol
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[9] == "0" {
			continue
		}
		if at, ok := parseAddress(fields[1]); ok && wanted[at] {
			inodes[fields[9]] = at
		}
	}
}

// parseAddress reads "0100007F:1F90": the address as words in the byte order of
// the machine, which is little-endian wherever this runs.
func parseAddress(s string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(address)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || portErr != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	at, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(at.Unmap(), uint16(n)), ok
}
