// Package inspect is the inspector listener: the built frontend and the API
// behind it, described by OpenAPI.
//
// It looks from inside: streams and messages are read from the engine and the
// store, never through the protocol, so that looking at a stream neither
// restarts its TTL nor counts as a reader. What it writes goes through the
// engine like any other request.
//
// Every API call needs the bearer token, which a page gets by spending a
// one-time code from the fragment of the link it was opened with. There is no
// CORS and no cookie.
//
// The package starts no goroutines; event streams run on those of net/http and
// end with the request's context.
package inspect
