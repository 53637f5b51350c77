package torture

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tailrace/test/program"
)

// smallDisk mounts a disk of its own for the data folder below dir. Sizes are
// those of tmpfs.
func smallDisk(t *testing.T, dir, size string) (resize func(options string)) {
	t.Helper()
	data := program.DataDir(dir)
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("mounting a small disk needs root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(options string) {
		t.Helper()
		flags := uintptr(syscall.MS_REMOUNT)
		if options == "ro" {
			flags |= syscall.MS_RDONLY
		}
		if err := syscall.Mount("tmpfs", data, "tmpfs", flags, options); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull fills the disk under two streams, again and again. What is refused
// leaves nothing behind, reads go on, and once there is room appends go on by
// themselves, be it that the disk has grown or that a stream was deleted. After a
// kill all is there that was acknowledged.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	resize := smallDisk(t, dir, "12m")
	s := start(t, dir)
	acked := map[string][]string{"plain": {}, "produced": {}}
	for path := range acked {
		s.must(http.StatusCreated, http.MethodPut, path, "", "Content-Type", jsonType)
	}
	seq := 0
	// append sends a message to each stream; it reports false when the disk is full.
	appendBoth := func(size int) bool {
		t.Helper()
		room := true
		for path, want := range acked {
			message := fmt.Sprintf(`"%s %d %s"`, path, len(want), strings.Repeat("x", size))
			header := []string{"Content-Type", jsonType}
			success := http.StatusNoContent
			if path == "produced" {
				success = http.StatusOK
				header = append(header, "Producer-Id", "p", "Producer-Epoch", "0", "Producer-Seq", fmt.Sprint(seq))
			}
			r, ok := s.do(http.MethodPost, path, message, header...)
			switch {
			case !ok:
				t.Fatalf("append to %s: no answer", path)
			case r.status == success:
				acked[path] = append(want, message)
				if path == "produced" {
					seq++
				}
			case r.status == http.StatusInsufficientStorage:
				room = false
				if r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "DISK_FULL") {
					t.Fatalf("a full disk is answered with %v %s", r.header, r.body)
				}
			default:
				t.Fatalf("append to %s: %d: %s", path, r.status, r.body)
			}
		}
		return room
	}
	check := func() {
		t.Helper()
		for path, want := range acked {
			raw, last := s.read(path, "-1")
			got, err := split(jsonType, raw)
			if err != nil || !slices.Equal(got, want) || position(last.next()) != len(want) {
				t.Fatalf("%s holds %d messages up to %s, %d were acknowledged; %v %s",
					path, len(got), last.next(), len(want), err, difference(got, want))
			}
		}
	}
	fill := func() {
		t.Helper()
		for n := 0; appendBoth(20_000); n++ {
			if n > 5000 {
				t.Fatal("the disk does not fill up")
			}
		}
		for range 20 { // small ones may still find room, and then no more
			appendBoth(10)
		}
		check()
		if r, ok := s.do(http.MethodPut, "new", "", "Content-Type", jsonType); !ok || r.status != http.StatusInsufficientStorage && r.status != http.StatusCreated && r.status != http.StatusOK {
			t.Fatalf("create on a full disk: %d: %s", r.status, r.body)
		}
	}

	for n := range 3 {
		ballast := fmt.Sprint("ballast/", n)
		s.must(http.StatusCreated, http.MethodPut, ballast, strings.Repeat("x", 400_000), "Content-Type", textType)
		fill()
		s.must(http.StatusNoContent, http.MethodDelete, ballast, "")
		program.Until(t, "appends go on in the space of the deleted stream", func() bool { return appendBoth(1000) })
		check()
	}
	fill()
	resize("size=13m")
	program.Until(t, "with room again, appends go on", func() bool { return appendBoth(1000) })
	check()
	fill()
	s.kill()

	// A start needs a little room for itself.
	resize("size=14m")
	s = start(t, dir)
	check()
	program.Until(t, "after a restart with room, appends go on", func() bool { return appendBoth(1000) })
	check()
	t.Logf("%d and %d messages acknowledged, on a disk that was full twice", len(acked["plain"]), len(acked["produced"]))
}

// TestFullDiskStart kills the program on a full disk and starts it there again:
// it serves what was acknowledged, and streams can be deleted.
func TestFullDiskStart(t *testing.T) {
	dir := t.TempDir()
	smallDisk(t, dir, "12m")
	s := start(t, dir)
	s.must(http.StatusCreated, http.MethodPut, "a", "before", "Content-Type", textType)
	s.must(http.StatusCreated, http.MethodPut, "big", strings.Repeat("x", 500_000), "Content-Type", textType)
	reserve := filepath.Join(program.DataDir(dir), "tailrace.reserve")
	program.Until(t, "there is a reserve", func() bool {
		info, err := os.Stat(reserve)
		return err == nil && info.Size() == 6<<20
	})
	s.kill()
	f, err := os.Create(filepath.Join(program.DataDir(dir), "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for n, block := 0, make([]byte, 4096); err == nil; n++ {
		if n > 8192 {
			t.Fatal("the disk does not fill up")
		}
		_, err = f.Write(block)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir)
	if raw, r := s.read("a", "-1"); string(raw) != "before" {
		t.Errorf("on the full disk: %d, %q", r.status, raw)
	}
	s.must(http.StatusNoContent, http.MethodDelete, "big", "")
	program.Until(t, "appends go on", func() bool {
		r, ok := s.do(http.MethodPost, "a", " after", "Content-Type", textType)
		return ok && r.status == http.StatusNoContent
	})
	if raw, r := s.read("a", "-1"); string(raw) != "before after" {
		t.Errorf("with room again: %d, %q", r.status, raw)
	}
}

// TestReadOnlyFolder starts on a data folder that cannot be written to, new, in
// use before, and left behind by a crash: the program ends and says why.
func TestReadOnlyFolder(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(s *server)
	}{
		{"new", nil},
		{"used", func(s *server) {
			s.Stop()
		}},
		{"crashed", (*server).kill},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			resize := smallDisk(t, dir, "12m")
			if test.before != nil {
				s := start(t, dir)
				s.must(http.StatusCreated, http.MethodPut, "a", "", "Content-Type", textType)
				test.before(s)
			}
			resize("ro")
			s := launch(t, dir)
			code, said := s.Exit(), s.Output.String()
			t.Logf("the program says: %s", said)
			if code <= 0 {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(said, "read-only") || !strings.Contains(said, program.DataDir(dir)) {
				t.Error("it does not name the folder and that it is read-only")
			}
			if strings.Contains(said, "goroutine") {
				t.Error("it panics")
			}
		})
	}
}
