package upgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look at a schema's version

	"tailrace/test/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// expected is what readers got from the program that wrote a fixture.
type expected struct {
	Version      string
	Subscription bool
	Streams      map[string]struct {
		ContentType string `json:"content_type"`
		NextOffset  string `json:"next_offset"`
		Closed      bool
		SHA256      string
	}
}

// unpack puts a fixture into a folder as [program.Start] wants it: the data in data.
func unpack(t *testing.T, fixture string) (dir string, e expected) {
	t.Helper()
	dir = t.TempDir()
	f, err := os.Open(fixture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(name, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return dir, e
}

func schema(t *testing.T, dir string) (version int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(program.DataDir(dir), "tailrace.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

func fixtures(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/schema-*.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// There is a fixture of every schema that had a successor.
func TestEverySchemaHasAFixture(t *testing.T) {
	steps, err := filepath.Glob("../../backend/store/migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= len(steps); n++ {
		if _, err := os.Stat(fmt.Sprintf("testdata/schema-%d.tar.gz", n)); err != nil && n < len(steps) {
			t.Errorf("no fixture of schema %d: make one with the last program that wrote it (test/upgrade/make.mjs)", n)
		}
	}
}

// What every version has left is served by this one, as it was.
func TestUpgrade(t *testing.T) {
	for _, fixture := range fixtures(t) {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			dir, e := unpack(t, fixture)
			if got, want := fmt.Sprintf("schema-%d.tar.gz", schema(t, dir)), filepath.Base(fixture); got != want {
				t.Fatalf("the fixture holds %s", got)
			}
			p := program.Start(t, dir)
			verify(t, p, e)
			goOn(t, p)
			p.CheckOutput()
			if status := p.Stop(); status != 0 {
				t.Errorf("it ended with %d:\n%s", status, p.Output)
			}
			verify(t, program.Start(t, dir), e)
		})
	}
}

// A crash while the data is brought to the new schema loses nothing.
func TestKilledWhileUpgrading(t *testing.T) {
	oldest := fixtures(t)[0]
	for range 12 {
		dir, e := unpack(t, oldest)
		for range 3 {
			p := program.Launch(t, dir)
			time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond) // the moment is what is tried
			p.Kill()
		}
		p := program.Start(t, dir)
		verify(t, p, e)
		p.CheckOutput()
		p.Kill()
	}
}

// A program that is older than the data leaves it alone, and says why.
func TestDowngradeIsRefused(t *testing.T) {
	newest := fixtures(t)[len(fixtures(t))-1]
	dir, _ := unpack(t, newest)
	path := filepath.Join(program.DataDir(dir), "tailrace.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 1000"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := program.Launch(t, dir)
	if status := p.Exit(); status != 1 {
		t.Errorf("it ended with %d", status)
	}
	for _, part := range []string{"schema version 1000", "newer Tailrace", "--data-dir"} {
		if !strings.Contains(p.Output.String(), part) {
			t.Errorf("it does not say %q:\n%s", part, p.Output)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database has changed (%v)", err)
	}
}

func call(t *testing.T, method, url, body string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, text
}

// verify reads everything and compares it with what the old program gave.
func verify(t *testing.T, p *program.Program, e expected) {
	t.Helper()
	root := p.DataURL + "/v1/stream/"
	for path, want := range e.Streams {
		hash := sha256.New()
		offset, closed, kind := "-1", false, ""
		for upToDate := false; !upToDate; {
			res, text := call(t, "GET", root+path+"?offset="+offset, "")
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%s from %s: %s: %s", path, offset, res.Status, text)
			}
			hash.Write(text)
			offset, kind = res.Header.Get("Stream-Next-Offset"), res.Header.Get("Content-Type")
			upToDate, closed = res.Header.Get("Stream-Up-To-Date") == "true", res.Header.Get("Stream-Closed") == "true"
			if path == "__registry__" && offset >= want.NextOffset {
				break // events of this test may follow
			}
		}
		if path == "__registry__" {
			continue
		}
		if sum := hex.EncodeToString(hash.Sum(nil)); sum != want.SHA256 && path != "producers" || offset < want.NextOffset || closed != want.Closed || kind != want.ContentType {
			t.Errorf("%s of %s: %s, next offset %s, closed %v, %s; want %+v", path, e.Version, sum, offset, closed, kind, want)
		}
	}
	if res, _ := call(t, "GET", root+"gone", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("the deleted stream: %s", res.Status)
	}
	if e.Subscription {
		if res, text := call(t, "GET", root+"__ds/subscriptions/readers", ""); res.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("orders/*")) {
			t.Errorf("the subscription: %s: %s", res.Status, text)
		}
	}
}

// goOn writes where the old program stopped.
func goOn(t *testing.T, p *program.Program) {
	t.Helper()
	producer := func(seq string) int {
		res, _ := call(t, "POST", p.DataURL+"/v1/stream/producers", `{"seq":`+seq+`}`,
			"Content-Type", "application/json", "Producer-Id", "writer", "Producer-Epoch", "4", "Producer-Seq", seq)
		return res.StatusCode
	}
	if status := producer("2"); status != http.StatusNoContent {
		t.Errorf("a duplicate of an append to the old program: %d", status)
	}
	if status := producer("3"); status != http.StatusOK {
		t.Errorf("the next append of the producer: %d", status)
	}
	if res, text := call(t, "POST", p.DataURL+"/v1/stream/closed", "more", "Content-Type", "text/plain"); res.StatusCode != http.StatusConflict {
		t.Errorf("an append to the closed stream: %s: %s", res.Status, text)
	}
}
