package backend

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tailrace/backend/config"
)

// TestOfflineWithoutALog: a folder in which there is none stays as it is, unless it is
// a server's that is just starting.
func TestOfflineWithoutALog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	open := func() error {
		c := config.Default()
		c.DataDir = dir
		_, err := OpenOffline(Options{Config: c}, false)
		return err
	}
	if err := open(); !errors.Is(err, ErrNoLog) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made")
	}
	l, err := acquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var running *AlreadyRunningError
	if err := open(); !errors.As(err, &running) {
		t.Errorf("while a server is starting: %v", err)
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	if err := open(); !errors.Is(err, ErrNoLog) {
		t.Errorf("after one that did not start: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tailrace.db")); err == nil {
		t.Error("a log was made")
	}
}
