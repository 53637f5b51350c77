// Package wire answers HTTP/1.1 on the data port, where every microsecond of a
// request counts, and leaves to net/http what is not plain.
//
// Plain is what nearly all clients send: one request after the other over a
// connection that stays open, whose head comes whole and holds nothing that
// changes how it is to be read (request.go has the rules). Such a request is
// parsed in place, given to the same http.Handler, and, if its answer is short,
// answered with one system call. Whenever a connection brings anything else - TLS, HTTP/2, a chunked or a
// large body, a head in pieces, a head that is wrong - it goes to net/http with
// every byte of that request, and stays there. So nothing is refused here, and
// there is one place that judges what is odd.
//
// What net/http does for a request and this does not: it reads ahead to notice
// that the client has gone. Here that happens only for requests that wait (see
// [Options]); the context of the others ends with the server.
//
// Handlers leave Date and Transfer-Encoding to the server, send no trailers and do
// not take connections over; all else that http.ResponseWriter and
// http.ResponseController offer is there.
//
// Goroutines: one for each connection, one more while a request waits, one that
// accepts, and one that closes connections nobody uses. All end with
// [Server.Shutdown], or soon after [Server.Close].
package wire
