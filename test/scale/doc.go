// Package scale puts many streams, large streams and long load on the built
// program and tells what that costs: memory, time to start, time of commits, and of
// snapshots beside that of cp.
//
// It asserts what is right, never how fast it is: figures are printed. With the
// other tests it works on little data; TAILRACE_SCALE=1 (make measure-scale) makes
// it large and takes some minutes and 12 GB of disk.
package scale
