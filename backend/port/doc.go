// Package port binds the data listener: one port on one or more addresses that
// answers plain HTTP and TLS alike, told apart by the first byte of a connection.
//
// # Goroutines
//
// A [Listener] runs one for each address until it is closed, and one for each
// connection until that has sent its first byte, at most as long as the timeout.
// A silent connection holds up nobody. [Listener.Close] ends all of them and
// waits; connections that were accepted belong to who accepted them.
package port
