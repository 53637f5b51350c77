// Package torture runs the built program under conditions that it must survive
// and checks, from outside, what it kept and what it told:
//
//   - SIGKILL at random moments under a mixed load of producers, plain appends,
//     forks, closures, deletions, short TTLs and subscriptions ([TestKill]);
//   - thousands of live readers that one append wakes ([TestReaders]), and live
//     readers whose stream is deleted or expires under them ([TestEnd]);
//   - a disk that fills up and gets room again, and one that is read-only
//     ([TestDiskFull], [TestReadOnlyFolder]).
//
// With the other tests it runs for a few seconds; TAILRACE_TORTURE=1 (make
// torture) makes it large, TAILRACE_TORTURE_SEED repeats the choices of a run.
package torture
