// Package lint watches what clients do and says where they use the protocol
// against its intention: things that work, and cost more or lose something.
//
// It sees every request as it ends ([Linter.Observe] is the observer of the
// journal, so it is off with that), counts over a minute for each client and
// stream, and reports what happens often enough to be no accident. A client is an
// address and a user agent: on one machine that is the best there is. Answers that
// a fault has spoilt are not held against anybody.
//
// Memory is bounded: so many clients are watched, so many findings kept, and the
// oldest go first.
//
// Whether two programs write as one producer is told by who owns their connections.
// That is looked up by a goroutine of its own, when an append has come over another
// connection than the one before: at most once a second, and for a hundredth of the
// time. It ends with the look; [Linter.Close] waits for it.
package lint
