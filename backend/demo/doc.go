// Package demo is a handful of applications that use the server as strangers
// would: through the protocol, over HTTP. It shows what there is to see, and the
// pictures of the documentation show it.
//
// Everything it writes lies in streams of fixed names below demo/ and in
// subscriptions whose names begin with demo-, so that all of it can be removed
// again without touching anything else.
//
// # Goroutines
//
// One for each application, and one for each of their readers, started by
// [Player.Start]. They end when the time is up, with [Player.Stop], and before
// [Player.Close] returns.
package demo
