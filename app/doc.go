// Package app is the program a person starts: the command line, the desktop
// window, and what stands around the server (log, ready file, messages).
//
// Program.Main is the whole program as a function: the binary and the end-to-end
// tests call it alike. It reads nothing but its arguments, so that several can
// run in one process, and it returns the exit status: 0 done, 1 failed while
// running, 2 asked for something that does not exist.
//
// There are two builds. With the tag desktop the program opens a window
// (desktop.go, the only file that knows Wails); without it, or where there is no
// display, it serves without one (headless.go). Both run the same server and the
// same inspector; the window is a web view of the inspector.
//
// Goroutines: while it serves, Main waits in the caller's goroutine. The desktop
// build adds one that watches for the end of the context and ends with the window,
// and one that watches for the end of the server, or follows the server of another
// process whose window this is. Opening a browser takes one that ends with the
// browser's launcher; a command beside the server one that ends with it.
package app
