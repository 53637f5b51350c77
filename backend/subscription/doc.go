// Package subscription gives subscriptions their semantics (PROTOCOL §6–7):
// durable cursors over streams that wake workers, by webhook or through a wake
// stream.
//
// # How work is found
//
// Nothing but cursors says what is pending: a linked stream that reaches beyond
// its cursor is. The committer links streams in the very transaction of the
// append that makes them known (package store), and tells the [Manager] after
// each commit which subscriptions it concerns.
//
// # Guarantees
//
//   - A wake is on disk, with its generation, before anybody hears of it. The wake
//     event of a pull-wake subscription is in the same transaction.
//   - A generation names one wake for ever. After a crash a webhook is told again
//     of the wake in flight, with the same id, generation and token.
//   - An ack moves all its cursors and ends the lease in one transaction; cursors
//     never move back.
//   - A lost notice loses nothing: opening the manager looks at every subscription.
//
// # Goroutines
//
// One actor for each subscription with something to do: only it decides about the
// subscription, and it ends when there is nothing to wait for. One goroutine for
// each delivery under way. All end before [Manager.Close] returns.
package subscription
