//go:build desktop && linux

package desktop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const title = "Tailrace"

// shown waits until the window shows more than an empty page and has come to rest, and returns it and the picture.
func shown(t *testing.T, d *display) (window, *image.RGBA) {
	t.Helper()
	var w window
	img, still := image.NewRGBA(image.Rectangle{}), 0
	eventually(t, "a window with something in it", func() (err error) {
		if w, err = d.find(title); err != nil {
			return err
		}
		last := img
		if img, err = d.picture(); err != nil {
			return err
		}
		// The mark that says that the page is live pulses all the time.
		if still++; differing(last, img) > 500 {
			still = 0
		}
		if n := colours(img); n < 30 || still < 10 {
			return fmt.Errorf("%d colours, the last %d pictures are alike", n, still)
		}
		return nil
	})
	return w, img
}

// differing counts the pixels in which two pictures differ.
func differing(a, b *image.RGBA) (n int) {
	if len(a.Pix) != len(b.Pix) {
		return len(b.Pix) / 4
	}
	for i := 0; i < len(a.Pix); i += 4 {
		if !bytes.Equal(a.Pix[i:i+3], b.Pix[i:i+3]) {
			n++
		}
	}
	return n
}

func closeWindow(t *testing.T, d *display, w window) {
	t.Helper()
	if err := d.close(w); err != nil {
		t.Fatal(err)
	}
}

func TestWindow(t *testing.T) {
	d, name := openDisplay(t)
	at := newPlace(t)
	first := at.launch(t, name)

	first.printed(t, "inspector session opened") // the page has used its one-time code
	w, empty := shown(t, d)
	keep(t, empty, "window-empty")
	if width, height, err := d.size(w); err != nil || width != 1280 || height != 800 {
		t.Errorf("the first window is %d × %d, %v, want 1280 × 800", width, height, err)
	}

	t.Run("shows a stream as it is made", func(t *testing.T) {
		put(t, at.dataURL(t)+"/v1/stream/orders/eu", `[{"id":1}]`)
		// The first stream replaces the first-run page: much of the window, not a counter.
		eventually(t, "another picture", func() error {
			img, err := d.picture()
			if err != nil {
				return err
			}
			if n := differing(empty, img); n < 5000 {
				return fmt.Errorf("%d pixels differ", n)
			}
			return nil
		})
		_, img := shown(t, d)
		keep(t, img, "window-stream")
	})

	t.Run("a second launch raises it", func(t *testing.T) {
		if _, err := d.cover(); err != nil {
			t.Fatal(err)
		}
		if top, err := d.topmost(); err != nil || top == w {
			t.Fatalf("the window is not covered: %v", err)
		}
		second := at.launch(t, name)
		second.exits(t, 0)
		eventually(t, "the window on top", func() error {
			if top, err := d.topmost(); err != nil || top != w {
				return errors.Join(errors.New("it is covered"), err)
			}
			return nil
		})
	})

	closeWindow(t, d, w)
	first.exits(t, 0)
	if _, err := os.Stat(filepath.Join(at.data, "run.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the run file is still there: %v", err)
	}
}

func TestWindowRemembersItsSize(t *testing.T) {
	d, name := openDisplay(t)
	at := newPlace(t)
	first := at.launch(t, name)
	w, _ := shown(t, d)
	if err := d.resize(w, 1000, 640); err != nil {
		t.Fatal(err)
	}
	closeWindow(t, d, w) // the program gets this message after that of the new size
	first.exits(t, 0)

	second := at.launch(t, name)
	w, _ = shown(t, d)
	if width, height, err := d.size(w); err != nil || width != 1000 || height != 640 {
		t.Errorf("the next window is %d × %d, %v, want 1000 × 640", width, height, err)
	}
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	second.exits(t, 0)
	if _, err := os.Stat(filepath.Join(at.data, "run.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the run file is still there after SIGTERM: %v", err)
	}
}

func TestClosingTheWindowAsksWhileClientsRead(t *testing.T) {
	d, name := openDisplay(t)
	at := newPlace(t)
	run := at.launch(t, name)
	w, _ := shown(t, d)
	stream := at.dataURL(t) + "/v1/stream/a"
	req, err := http.NewRequest(http.MethodPut, stream, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	for _, r := range []*http.Request{req, must(http.NewRequest(http.MethodGet, stream+"?offset=-1&live=sse", http.NoBody))} {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() // the second one reads all the time
	}

	ask := func() (question window) {
		t.Helper()
		closeWindow(t, d, w)
		eventually(t, "the question", func() (err error) {
			question, err = d.find("Quit Tailrace?")
			return err
		})
		return question
	}
	gone := func(what string) {
		t.Helper()
		eventually(t, what, func() error {
			if _, err := d.find("Quit Tailrace?"); err == nil {
				return errors.New("the question is still there")
			}
			return nil
		})
	}
	closeWindow(t, d, ask())
	gone("a question that was closed to go")
	if _, err := d.find(title); err != nil {
		t.Fatalf("the window is gone without an answer: %v", err)
	}

	_, before := shown(t, d)
	question := ask()
	eventually(t, "the question to be drawn", func() error {
		img, err := d.picture()
		if err != nil {
			return err
		}
		if n := differing(before, img); n < 20_000 {
			return fmt.Errorf("%d pixels differ", n)
		}
		keep(t, img, "window-quit-question")
		return nil
	})
	const n, alt = 57, 8 // No
	if err := d.press(question, n, alt); err != nil {
		t.Fatal(err)
	}
	gone("the question to go")
	run.printed(t, "serving without the window")
	res, err := http.Get(at.dataURL(t) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()

	at.launch(t, name).exits(t, 0)
	shown(t, d) // it is back
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	run.exits(t, 0)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWindowSaysThatThePortIsTaken(t *testing.T) {
	d, name := openDisplay(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := newPlace(t)
	run := at.launch(t, name, "--listen", taken.Addr().String())
	w, img := shown(t, d)
	keep(t, img, "window-port-taken")
	closeWindow(t, d, w)
	run.exits(t, 1)
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	run.printed(t, "port "+port+" is taken")
}

// Where a server runs already, as a service or in a terminal, the program becomes
// its window.
func TestWindowOfAServerThatRuns(t *testing.T) {
	d, name := openDisplay(t)
	at := newPlace(t)
	server := at.launch(t, "", "serve")
	server.printed(t, at.data)
	address := at.dataURL(t)
	run := at.launch(t, name)
	server.printed(t, "inspector session opened")
	w, img := shown(t, d)
	keep(t, img, "window-of-a-server")

	t.Run("a second launch raises it", func(t *testing.T) {
		if _, err := d.cover(); err != nil {
			t.Fatal(err)
		}
		at.launch(t, name).exits(t, 0)
		eventually(t, "the window on top", func() error {
			if top, err := d.topmost(); err != nil || top != w {
				return errors.Join(errors.New("it is covered"), err)
			}
			return nil
		})
	})
	whole := t // the servers outlive the parts
	t.Run("it stays when the server starts again", func(t *testing.T) {
		server.stop(t)
		server = at.launch(whole, "", "serve", "--listen", strings.TrimPrefix(address, "http://"))
		server.printed(t, at.data)
		server.printed(t, "inspector session opened") // the addresses of the inspector differ
		eventually(t, "the window of the new server", func() error {
			again := at.launch(t, name)
			again.exits(t, 0)
			if strings.Contains(again.out.String(), "its window comes to the front") {
				return nil
			}
			return errors.New("not attached yet")
		})
	})
	t.Run("closing it leaves the server", func(t *testing.T) {
		closeWindow(t, d, w)
		run.exits(t, 0)
		res, err := http.Get(address + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	})

	run = at.launch(t, name)
	w, _ = shown(t, d)
	server.stop(t)
	run.printed(t, "which this window belonged to")
	closeWindow(t, d, w)
	run.exits(t, 1)
}

func TestWithoutADisplayItServes(t *testing.T) {
	for what, display := range map[string]string{"none": "", "one that does not answer": ":4711"} {
		t.Run(what, func(t *testing.T) {
			at := newPlace(t)
			run := at.launch(t, display)
			run.printed(t, "serving without a window")
			run.printed(t, "#code=")
			res, err := http.Get(at.dataURL(t) + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("healthz: %s", res.Status)
			}
			if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			run.exits(t, 0)
		})
	}
}

func TestVersionSaysDesktop(t *testing.T) {
	run := newPlace(t).launchBare(t, "", "version")
	run.exits(t, 0)
	run.printed(t, "build    desktop")
	var info struct {
		Info struct {
			ProductVersion string `json:"productVersion"`
		} `json:"info"`
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "wails.json"))
	if err != nil || json.Unmarshal(data, &info) != nil || info.Info.ProductVersion == "" {
		t.Fatalf("wails.json holds no version: %v", err)
	}
	run.printed(t, "tailrace "+info.Info.ProductVersion)
}
