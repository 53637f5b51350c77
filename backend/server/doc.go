// Package server speaks the Durable Streams protocol over HTTP on top of the
// engine: one file per operation, one table from errors to statuses.
//
// It decides nothing about streams. A handler parses the request, calls the
// engine and writes what it says; [Server.fail] alone turns an error into a
// status. The package starts no goroutines; live readers run on those of
// net/http and end with the request's context.
package server
