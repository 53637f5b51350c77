// Package window is the part of the desktop window that needs no window: the
// page it starts with, the page it shows when the server failed, and what it
// remembers between two starts.
//
// The web view does not show the inspector from its own asset server. It starts
// with a page that goes on to the inspector's address with a one-time code, so
// that the window and a browser run the same code against the same origin.
//
// Page is safe for concurrent use. The package starts no goroutine.
package window
