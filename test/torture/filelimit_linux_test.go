package torture

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tailrace/backend"
	"tailrace/test/program"
)

// TestFileSizeLimit lets no file of the program grow beyond a size. What does not
// fit is refused, what was acknowledged is there, and once files may grow again
// appends go on by themselves.
func TestFileSizeLimit(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	s.must(http.StatusCreated, http.MethodPut, "a", "", "Content-Type", textType)
	run, err := backend.ReadRunFile(program.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := unix.Prlimit(run.PID, syscall.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: unix.RLIM_INFINITY}, &old); err != nil {
		t.Fatal(err)
	}
	var acked strings.Builder
	add := func() reply {
		t.Helper()
		message := fmt.Sprint(acked.Len(), " ", strings.Repeat("x", 50_000), "\n")
		r, ok := s.do(http.MethodPost, "a", message, "Content-Type", textType)
		if !ok {
			t.Fatalf("no answer:\n%s", s.Output)
		}
		if r.status == http.StatusNoContent {
			acked.WriteString(message)
		}
		return r
	}
	check := func() {
		t.Helper()
		if got, _ := s.read("a", "-1"); string(got) != acked.String() {
			t.Fatalf("%d bytes are there, %d were acknowledged", len(got), acked.Len())
		}
	}
	r := add()
	for n := 0; r.status == http.StatusNoContent; n++ {
		if n > 200 {
			t.Fatal("the limit is not met")
		}
		r = add()
	}
	if r.status != http.StatusInsufficientStorage || !strings.Contains(string(r.body), "WRITE_FAILED") || r.header.Get("Retry-After") == "" {
		t.Fatalf("at the limit: %d %v: %s", r.status, r.header, r.body)
	}
	check()
	if err := unix.Prlimit(run.PID, syscall.RLIMIT_FSIZE, &old, nil); err != nil {
		t.Fatal(err)
	}
	if r := add(); r.status != http.StatusNoContent {
		t.Fatalf("without the limit: %d: %s", r.status, r.body)
	}
	check()
}
