package bench

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a process of this machine, seen through /proc. A nil one knows
// nothing.
type process struct{ pid int }

// findProcess returns the process that listens on a TCP address, nil when it is on
// another machine, another user's, or this one, whose figures would be the client's
// as well.
func findProcess(address string) *process {
	inode := listeningInode(address)
	if inode == "" {
		return nil
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // of other users: nothing is listed
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		if err != nil || pid == os.Getpid() {
			return nil
		}
		return &process{pid}
	}
	return nil
}

// listeningInode finds the socket that takes connections to an address of this
// machine; "": none does.
func listeningInode(address string) string {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil || !isLocal(tcp.IP) {
		return ""
	}
	anyAddress := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			const local, state, inode, listen = 1, 3, 9, "0A"
			f := strings.Fields(line)
			if len(f) <= inode || f[state] != listen {
				continue
			}
			ip, port, ok := parseSocket(f[local])
			switch {
			case !ok || port != tcp.Port:
			case ip.Equal(tcp.IP):
				return f[inode]
			case ip.IsUnspecified():
				anyAddress = f[inode]
			}
		}
	}
	return anyAddress
}

// parseSocket reads an address of /proc/net/tcp: words of four bytes in the order
// of the machine, a colon, the port.
func parseSocket(text string) (net.IP, int, bool) {
	address, portText, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if !ok || err != nil || len(raw)%4 != 0 {
		return nil, 0, false
	}
	ip := make(net.IP, len(raw))
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(ip[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	port, err := strconv.ParseUint(portText, 16, 16)
	return ip, int(port), err == nil
}

func isLocal(ip net.IP) bool {
	if ip.IsLoopback() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}

func (p *process) file(name string) string { return fmt.Sprintf("/proc/%d/%s", p.pid, name) }

// id is the process's number; 0: it is not known.
func (p *process) id() int {
	if p == nil {
		return 0
	}
	return p.pid
}

// cpu is the time that the process has computed so far, nil when that is not known.
// Linux counts it in hundredths of a second.
func (p *process) cpu() *time.Duration {
	if p == nil {
		return nil
	}
	data, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return nil
	}
	// Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(f) < 13 {
		return nil
	}
	const tick = 10 * time.Millisecond
	utime, err1 := strconv.ParseInt(f[11], 10, 64)
	stime, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return nil
	}
	cpu := time.Duration(utime+stime) * tick
	return &cpu
}

// resetPeak makes the peak of the memory count from now on. It reports whether it
// could.
func (p *process) resetPeak() bool {
	const resetPeakRSS = "5"
	return p != nil && os.WriteFile(p.file("clear_refs"), []byte(resetPeakRSS), 0) == nil
}

func (p *process) peakRSS() *int64 { return p.status("VmHWM:") }
func (p *process) rss() *int64     { return p.status("VmRSS:") }

// status reads a size from the process's status, nil when it is not known.
func (p *process) status(field string) *int64 {
	if p == nil {
		return nil
	}
	data, err := os.ReadFile(p.file("status"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(line, field)
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
		if err != nil {
			return nil
		}
		size := kib << 10
		return &size
	}
	return nil
}
