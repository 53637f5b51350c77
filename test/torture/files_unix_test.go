//go:build unix

package torture

import "syscall"

// wantFiles is enough for 20,000 connections.
const wantFiles = 24_000

// raiseFileLimit lets this process, and with it its children, open many
// connections, as far as the system allows.
func raiseFileLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || l.Cur >= wantFiles {
		return
	}
	higher := syscall.Rlimit{Cur: wantFiles, Max: max(l.Max, wantFiles)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) != nil {
		l.Cur = l.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) // fileLimit tells what was reached
	}
}

// fileLimit is how many files this process may have open.
func fileLimit() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 256
	}
	return int(min(l.Cur, 1<<20))
}
