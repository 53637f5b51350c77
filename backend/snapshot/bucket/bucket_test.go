package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/snapshot/bucket"
)

// onEach runs a test on a folder and on an S3 bucket.
func onEach(t *testing.T, test func(t *testing.T, b bucket.Bucket)) {
	t.Run("folder", func(t *testing.T) {
		test(t, open(t, bucket.Target{Location: filepath.Join(t.TempDir(), "new", "folder")}))
	})
	t.Run("s3", func(t *testing.T) {
		test(t, open(t, startGateway(t).target("s3://snapshots/some/prefix")))
	})
}

func put(t *testing.T, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		t.Fatal(err)
	}
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestWhatIsPutIsThere(t *testing.T) {
	onEach(t, func(t *testing.T, b bucket.Bucket) {
		ctx := t.Context()
		small, large := []byte("small"), noise(40<<20) // more than two parts
		put(t, b, "stream/a/1.seg", small)
		put(t, b, "stream/a/2.seg", large)
		put(t, b, "stream/ab/1.seg", small)
		put(t, b, "stream/a/1.seg", []byte("again"))

		for key, want := range map[string][]byte{"stream/a/1.seg": []byte("again"), "stream/a/2.seg": large} {
			r, err := b.Open(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v; want %d", key, len(got), err, len(want))
			}
			if o, err := b.Stat(ctx, key); err != nil || o.Size != int64(len(want)) || o.Key != key {
				t.Errorf("stat: %+v, %v", o, err)
			}
		}
		const from, n = 17_000_001, 100_000
		if got, err := b.Range(ctx, "stream/a/2.seg", from, n); err != nil || !bytes.Equal(got, large[from:from+n]) {
			t.Errorf("range: %d bytes, %v", len(got), err)
		}
		if _, err := b.Range(ctx, "stream/a/1.seg", 0, 100); err == nil {
			t.Error("a range beyond the end is read")
		}
		if diff := cmp.Diff([]string{"stream/a/1.seg", "stream/a/2.seg"}, keys(t, b, "stream/a/")); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		for range 2 { // deleting what is gone is no error
			if err := b.Delete(ctx, "stream/a/1.seg"); err != nil {
				t.Error(err)
			}
		}
		for name, err := range map[string]error{
			"open": errOf(b.Open(ctx, "stream/a/1.seg")), "range": errOf(b.Range(ctx, "stream/a/1.seg", 0, 1)), "stat": errOf(b.Stat(ctx, "stream/a/1.seg")),
		} {
			if bucket.ProblemOf(err) != bucket.ProblemMissing {
				t.Errorf("%s of a missing file: %v", name, err)
			}
		}
		if err := b.Test(ctx); err != nil {
			t.Errorf("test: %v", err)
		}
		if diff := cmp.Diff([]string{"stream/a/2.seg", "stream/ab/1.seg"}, keys(t, b, "")); diff != "" {
			t.Errorf("list of all (-want +got):\n%s", diff)
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func keys(t *testing.T, b bucket.Bucket, prefix string) (keys []string) {
	t.Helper()
	objects, err := b.List(context.Background(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

// TestFailedPutsLeaveNothing ends uploads in the middle, some parts of which have
// arrived: by an error of the writer, also one that looks like an end, and by
// cancelling.
func TestFailedPutsLeaveNothing(t *testing.T) {
	onEach(t, func(t *testing.T, b bucket.Bucket) {
		part := noise(20 << 20)
		for _, failure := range []error{errors.New("no more"), io.EOF, io.ErrUnexpectedEOF} {
			err := b.Put(t.Context(), "k/failed", func(w io.Writer) error {
				_, err := w.Write(part)
				return errors.Join(err, failure)
			})
			if !errors.Is(err, failure) {
				t.Errorf("put: %v, want %v", err, failure)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := b.Put(ctx, "k/cancelled", func(w io.Writer) error {
			if _, err := w.Write(part); err != nil {
				return err
			}
			cancel()
			_, err := w.Write(part)
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled put: %v", err)
		}
		if left := keys(t, b, ""); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// TestFailedPutsLeaveNoParts looks at the disk behind the S3 server.
func TestFailedPutsLeaveNoParts(t *testing.T) {
	g := startGateway(t)
	b := open(t, g.target("s3://snapshots"))
	err := b.Put(t.Context(), "k", func(w io.Writer) error {
		_, err := w.Write(noise(36 << 20))
		return errors.Join(err, errors.New("no more"))
	})
	if err == nil {
		t.Fatal("a failed write is taken")
	}
	err = filepath.WalkDir(g.Data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerKilledDuringUpload(t *testing.T) {
	g := startGateway(t)
	b := open(t, g.target("s3://snapshots"))
	err := b.Put(t.Context(), "k", func(w io.Writer) error {
		if _, err := w.Write(noise(40 << 20)); err != nil {
			return err
		}
		g.Kill()
		_, err := w.Write(noise(40 << 20))
		return err
	})
	if bucket.ProblemOf(err) != bucket.ProblemConnect {
		t.Errorf("put: %v", err)
	}
	if _, err := os.Stat(filepath.Join(g.Data, "snapshots", "k")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the object: %v", err)
	}
}

func TestProblemsAreNamed(t *testing.T) {
	g := startGateway(t)
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tlsServer.Close)
	skewed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, `<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>`)
		}
	}))
	t.Cleanup(skewed.Close)
	good := g.target("s3://snapshots/p")
	with := func(change func(*bucket.Target)) bucket.Target {
		c := good
		change(&c)
		return c
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		target  bucket.Target
		problem string
		says    string
	}{
		"wrong access key": {with(func(c *bucket.Target) { c.Keys = &bucket.Keys{Access: "other", Secret: "s3cr3t"} }), bucket.ProblemKeys, "access key"},
		"wrong secret":     {with(func(c *bucket.Target) { c.Keys = &bucket.Keys{Access: "tester", Secret: "s3cr3t"} }), bucket.ProblemKeys, "secret key"},
		"no such bucket":   {with(func(c *bucket.Target) { c.Location = "s3://elsewhere/p" }), bucket.ProblemNoBucket, "no such bucket"},
		"unknown name":     {with(func(c *bucket.Target) { c.Endpoint = "http://no.such.host.invalid" }), bucket.ProblemName, "DNS"},
		"nobody answers":   {with(func(c *bucket.Target) { c.Endpoint = "http://127.0.0.1:1" }), bucket.ProblemConnect, "refused"},
		"strange TLS":      {with(func(c *bucket.Target) { c.Endpoint = tlsServer.URL }), bucket.ProblemTLS, "certificate"},
		"no TLS":           {with(func(c *bucket.Target) { c.Endpoint = strings.Replace(g.Endpoint, "http:", "https:", 1) }), bucket.ProblemTLS, "does not speak TLS"},
		"clock":            {with(func(c *bucket.Target) { c.Endpoint = skewed.URL }), bucket.ProblemClock, "clock"},
		"no folder":        {bucket.Target{Location: filepath.Join(t.TempDir(), "none")}, bucket.ProblemNoBucket, "no such folder"},
		"a file":           {bucket.Target{Location: file}, bucket.ProblemNoBucket, "not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := open(t, c.target).Test(t.Context())
			if bucket.ProblemOf(err) != c.problem || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v\nproblem %q, want %q with %q", err, bucket.ProblemOf(err), c.problem, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestNoKeys(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/") // keeps the machine's role out
	target := bucket.Target{Location: "s3://snapshots", Endpoint: "http://127.0.0.1:1"}
	if err := open(t, target).Test(t.Context()); bucket.ProblemOf(err) != bucket.ProblemKeys || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without keys: %v", err)
	}
}

func TestKeysOfTheEnvironment(t *testing.T) {
	g := startGateway(t)
	t.Setenv("AWS_ACCESS_KEY_ID", gatewayKeys.Access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", gatewayKeys.Secret)
	target := g.target("s3://snapshots")
	target.Keys = nil
	if err := open(t, target).Test(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("everything may be written to; as root on Linux, TestReadOnlyDisk looks at this")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := open(t, bucket.Target{Location: dir}).Test(t.Context()); bucket.ProblemOf(err) != bucket.ProblemDenied {
		t.Error(err)
	}
}

func TestKeysStayInTheFolder(t *testing.T) {
	b := open(t, bucket.Target{Location: t.TempDir()})
	for _, key := range []string{"../x", "/etc/x", "a/../../x"} {
		if err := b.Put(t.Context(), key, func(io.Writer) error { return nil }); err == nil {
			t.Errorf("%q is taken", key)
		}
	}
}

func TestSplit(t *testing.T) {
	for location, want := range map[string][2]string{
		"/backups/stream/YQ/snapshot-1.seg":      {"/backups", "stream/YQ/snapshot-1.seg"},
		"s3://b/p/stream/YQ/snapshot-1.seg":      {"s3://b/p", "stream/YQ/snapshot-1.seg"},
		"s3://b/stream/YQ/snapshot-1.seg":        {"s3://b", "stream/YQ/snapshot-1.seg"},
		"/tmp/stream/x/stream/YQ/snapshot-1.seg": {"/tmp/stream/x", "stream/YQ/snapshot-1.seg"},
		"/tmp/other.seg":                         {"/tmp", "other.seg"},
		"/stream/YQ/snapshot-1.seg":              {"/", "stream/YQ/snapshot-1.seg"},
		"/other.seg":                             {"/", "other.seg"},
		"other.seg":                              {"", "other.seg"},
		"s3://b/other.seg":                       {"s3://b", "other.seg"},
	} {
		if place, key := bucket.Split(location, "stream"); [2]string{place, key} != want {
			t.Errorf("%s: %q, %q", location, place, key)
		}
	}
}
