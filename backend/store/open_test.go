package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	sqlite "modernc.org/sqlite"
)

func TestMain(m *testing.M) {
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, dsn string) error {
		if !strings.Contains(dsn, smallDisk) {
			return nil
		}
		_, err := conn.ExecContext(context.Background(), "PRAGMA max_page_count = 100", nil)
		return err
	})
	goleak.VerifyTestMain(m)
}

// smallDisk in a folder's name makes the database in it refuse to grow beyond 100
// pages.
const smallDisk = "small-disk"

func TestOpenSetsUpTheFile(t *testing.T) {
	l := newTestLog(t, Options{})
	l.append(l.create("a", "text/plain"), "x")
	got := map[string]int64{}
	for _, name := range []string{"page_size", "auto_vacuum", "application_id", "user_version"} {
		got[name] = l.query("PRAGMA " + name)
	}
	want := map[string]int64{"page_size": 4096, "auto_vacuum": 2, "application_id": applicationID, "user_version": int64(len(migrationSteps()))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var mode string
	var sync int
	conn := l.db.read
	if err := errors.Join(
		conn.QueryRow("PRAGMA journal_mode").Scan(&mode),
		conn.QueryRow("PRAGMA query_only").Scan(&sync),
	); err != nil || mode != "wal" || sync != 1 {
		t.Errorf("readers: journal mode %q, query_only %d, %v", mode, sync, err)
	}
	if _, err := conn.Exec("DELETE FROM streams"); err == nil {
		t.Error("a reading connection can write")
	}
	if n, err := l.db.DiskBytes(); err != nil || n < 4096 {
		t.Errorf("disk bytes: %d, %v", n, err)
	}
}

// The committer's connection must sync every commit, or a power cut loses
// acknowledged appends.
func TestWritingConnectionSyncsFully(t *testing.T) {
	for volatile, wanted := range map[bool]map[string]int{
		false: {"synchronous": 2, "fullfsync": 1},
		true:  {"synchronous": 0, "fullfsync": 0}, // by explicit choice only
	} {
		db, err := openFile(context.Background(), filepath.Join(t.TempDir(), FileName), volatile)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range wanted {
			var got int
			if err := db.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != want {
				t.Errorf("volatile %v: %s is %d, %v; want %d", volatile, name, got, err, want)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	write := func(query string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(query); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		setup func(*testing.T, string)
		want  string
	}{
		{"another program's database", write("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)"), "another program"},
		{"another program's application id", write("PRAGMA application_id = 7; CREATE TABLE mine (x)"), "another program"},
		{"a file that is no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 400)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a database"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, FileName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			tt.setup(t, path)
			before, _ := os.ReadFile(path)
			db, err := Open(context.Background(), dir, Options{})
			if err == nil {
				db.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q does not say %q or name the file", err, tt.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			if left, _ := filepath.Glob(path + "-*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	l := newTestLog(t, tiny)
	l.append(l.create("a", "text/plain"), "x")
	l.close()
	l.exec("PRAGMA user_version = 99")
	_, err := Open(context.Background(), l.dir, Options{})
	var newer *NewerSchemaError
	if !errors.As(err, &newer) || newer.Have != 99 || newer.Newest != len(migrationSteps()) {
		t.Fatalf("got %v", err)
	}
	l.exec(fmt.Sprintf("PRAGMA user_version = %d", len(migrationSteps())))
	l.open()
	l.startRegistry()
}

func TestOpenMissingFolder(t *testing.T) {
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "missing"), Options{})
	if err == nil {
		db.Close()
		t.Fatal("opened")
	}
}

func TestOpenReportsADamagedLog(t *testing.T) {
	for name, query := range map[string]string{
		"a gap in a stream": "DELETE FROM ops WHERE seq = (SELECT min(seq) + 2 FROM ops)",
		"bad sizes":         "UPDATE ops SET sizes = x'ffffffffffffffffffff' WHERE seq = (SELECT max(seq) FROM ops)",
		"bad content type":  "UPDATE streams SET content_type = 'nonsense' WHERE path = 'a'",
	} {
		t.Run(name, func(t *testing.T) {
			l := openTestLog(t, t.TempDir(), Options{})
			m := l.create("a", "application/json")
			for range 5 {
				l.append(m, "1", "2")
			}
			l.close()
			l.exec(query)
			db, err := Open(context.Background(), l.dir, Options{})
			if err == nil {
				db.Close()
				t.Fatal("opened a log with " + name)
			}
			t.Log(err)
		})
	}
}

func TestDSN(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b c?#%/tailrace.db": "file:///a/b%20c%3F%23%25/tailrace.db?",
		"C:/x/tailrace.db":      "file:///C:/x/tailrace.db?",
	} {
		if got := dsn(path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s", path, got)
		}
	}
}

func TestOpenFolderWithOddName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%20é&x=1")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := openTestLog(t, dir, tiny)
	l.append(l.create("a", "text/plain"), "x")
	if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
		t.Error(err)
	}
	l.finish()
}
