// Package testserver runs a Durable Streams server within a Go test: the server
// that `tailrace serve` runs, on a free port, with data that goes with the test.
//
//	func TestChat(t *testing.T) {
//		srv := testserver.Start(t)
//		res, err := http.Post(srv.Stream("chat/room-1"), "text/plain", body)
//		…
//	}
//
// [Options] shorten waits and move the clock. [Server.Stop] and [Server.Restart]
// show what clients make of a server that goes away and comes back with what it
// had acknowledged.
package testserver
