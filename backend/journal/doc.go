// Package journal remembers the latest requests of the data port and what became
// of them, for people who want to see why.
//
// # The hook
//
// The server hands every request to [Journal.Begin] and gets an [Exchange], which
// is the http.ResponseWriter that all handlers are given. Whoever decides
// something says so there, and finds it with [Of]:
//
//	journal.Of(w).Decide(journal.Outcome{Decision: journal.Duplicate, Last: 57})
//
// [Of] returns nil while the journal is off. The methods that tell something do
// nothing for nil, so that nobody has to ask. Who answers a request on purpose
// otherwise than the server would, or does something to an answer, sets
// [Exchange.Fault]; the entry is marked with it:
//
//	if x := journal.Of(w); x != nil {
//		x.Fault = "status 503"
//	}
//
// [Exchange.End] writes the entry, and then calls [Options.Observe] with the
// exchange: its request, status, outcome and stream, on the goroutine of the
// request. That is the place to watch what clients do.
//
// # What is kept
//
// Entries are encoded into blocks of bytes without pointers: the collector has
// nothing to follow, memory is bounded by a number of bytes, and the oldest block
// goes when there is no room. Of headers and queries only known names keep their
// values (keep.go), so tokens, cookies and whatever else is secret never get in.
// Bodies are not kept. Nothing is written to disk.
//
// Besides, a [Tally] counts for each producer what became of its appends since
// the program started, for as many producers as there is room for.
//
// The package starts no goroutines.
package journal
