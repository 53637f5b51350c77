// Package service has the user's service manager run a program from login on:
// systemd's on Linux, launchd on macOS.
//
// It writes one file, of which it says that it wrote it, and tells the manager. It
// asks for no more rights than the user has. Windows has services of the machine
// only, which would run as another user; there [Unsupported] says what to do. The
// package starts no goroutines.
package service
