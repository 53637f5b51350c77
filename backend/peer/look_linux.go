package peer

import (
	"bufio"
	"bytes"
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
	eachConnection(func(local, _ netip.AddrPort, inode string) {
		if addresses[local] {
			inodes[inode] = local
		}
	})
	found := map[netip.AddrPort]Process{}
	if len(inodes) == 0 {
		return found
	}
	eachSocket(func(dir, inode string) bool {
		if at, ok := inodes[inode]; ok {
			found[at] = describe(dir)
			delete(inodes, inode)
		}
		return len(inodes) > 0
	})
	return found
}

// Possible reports whether this system tells who owns a connection.
const Possible = true

// Owners finds the programs that have the client's end of connections. One that
// several have, as children of a program may, is left out: nobody can tell which of
// them writes. It takes milliseconds.
func Owners(of map[Connection]bool) map[Connection]Owner {
	inodes := map[string]Connection{}
	eachConnection(func(local, remote netip.AddrPort, inode string) {
		if c := (Connection{local, remote}); of[c] {
			inodes[inode] = c
		}
	})
	if len(inodes) == 0 {
		return nil
	}
	holders := map[Connection]map[string]bool{}
	eachSocket(func(dir, inode string) bool {
		if c, ok := inodes[inode]; ok {
			if holders[c] == nil {
				holders[c] = map[string]bool{}
			}
			holders[c][dir] = true
		}
		return true
	})
	owners := map[Connection]Owner{}
	for c, dirs := range holders {
		for dir := range dirs {
			if began, ok := began(dir); ok && len(dirs) == 1 {
				owners[c] = Owner{Process: describe(dir), Began: began}
			}
		}
	}
	return owners
}

// eachSocket calls visit with the sockets of all programs that may be looked at,
// and the program's folder, until it has seen enough.
func eachSocket(visit func(dir, inode string) (more bool)) {
	dirs, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil {
		return
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
			if !visit(filepath.Dir(dir), inode) {
				return
			}
		}
	}
}

// began is when a program started, in ticks since the machine did: proc(5), the
// 22nd field of stat. The second one, its name, may hold anything but ends with the
// last bracket.
func began(dir string) (uint64, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	return ticks, err == nil
}

// describe names the program of a folder in /proc.
func describe(dir string) Process {
	p := Process{}
	p.PID, _ = strconv.Atoi(filepath.Base(dir)) // it was globbed as a number
	if name, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
		p.Name = fullName(dir, strings.TrimSpace(string(name)))
	}
	return p
}

// shortened is the length at which the kernel cuts the name of a program: proc(5),
// comm.
const shortened = 15

// fullName is a name that may have been cut, as the command line has it: the program,
// or the script that it runs.
func fullName(dir, name string) string {
	if len(name) < shortened {
		return name
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return name // it has just ended
	}
	words := bytes.SplitN(line, []byte{0}, 3) // program, perhaps script, and the rest
	for _, word := range words[:min(len(words), 2)] {
		if base := filepath.Base(string(word)); strings.HasPrefix(base, name) {
			return base
		}
	}
	return name
}

// eachConnection calls visit with every TCP connection of this machine, from both
// of its ends.
func eachConnection(visit func(local, remote netip.AddrPort, inode string)) {
	readTable("/proc/net/tcp", visit)
	readTable("/proc/net/tcp6", visit)
}

func readTable(name string, visit func(local, remote netip.AddrPort, inode string)) {
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
		local, ok := parseAddress(fields[1])
		if remote, known := parseAddress(fields[2]); ok && known {
			visit(local, remote, fields[9])
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
