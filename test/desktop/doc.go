// Package desktop tests the window: the desktop build of the program, on a
// display of its own (Xvfb), seen and closed through the X protocol as a window
// manager would.
//
// The tests exist in the desktop build only:
//
//	make test-desktop
//
// TAILRACE_DESKTOP_BIN names the program; without it the tests build one. What
// the window showed is left in test-results/.
package desktop
