//go:build desktop && !bindings

package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// attachParentProcess asks AttachConsole for the console of the parent.
const attachParentProcess = ^uintptr(0)

// standardStreams returns where the program writes. A Windows program with a
// window starts without a console, even from one: without this,
// `tailrace serve` would print nothing. Redirected output is left alone.
func standardStreams() (stdout, stderr *os.File) {
	stdout, stderr = os.Stdout, os.Stderr
	if usable(windows.STD_OUTPUT_HANDLE) && usable(windows.STD_ERROR_HANDLE) {
		return stdout, stderr
	}
	attach := windows.NewLazySystemDLL("kernel32.dll").NewProc("AttachConsole")
	if ok, _, _ := attach.Call(attachParentProcess); ok == 0 {
		return stdout, stderr // started from the desktop: nobody reads
	}
	console, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return stdout, stderr
	}
	if !usable(windows.STD_OUTPUT_HANDLE) {
		stdout = console
	}
	if !usable(windows.STD_ERROR_HANDLE) {
		stderr = console
	}
	return stdout, stderr
}

func usable(which uint32) bool {
	handle, err := windows.GetStdHandle(which)
	if err != nil || handle == 0 || handle == windows.InvalidHandle {
		return false
	}
	kind, err := windows.GetFileType(handle)
	return err == nil && kind != windows.FILE_TYPE_UNKNOWN
}
