// Package program builds and runs Tailrace for tests that look at it from
// outside: a process of its own, on a folder of its own, on free ports.
//
//	func TestMain(m *testing.M) { program.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		dir := t.TempDir()
//		p := program.Start(t, dir, "--sse-max-age", "1s")
//		http.Get(p.DataURL + "/v1/stream/a")
//		p.Kill()                    // with SIGKILL
//		p = program.Start(t, dir)   // on what the first one has left
//	}
//
// It owns one goroutine for each process, which waits for its end; the end of the
// test ends the process.
package program
