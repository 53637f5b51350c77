//go:build desktop && linux

package desktop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Keys of Xvfb's keyboard, and modifiers.
const (
	keyS, keyF1 = 39, 67
	withAlt     = 8
)

// api posts to the inspector of the running program and returns the status and
// the answer.
func (p place) api(path, body string) (int, string, error) {
	data, err := os.ReadFile(filepath.Join(p.data, "run.json"))
	if err != nil {
		return 0, "", err
	}
	var run struct {
		InspectorURL string `json:"inspector_url"`
		Token        string `json:"token"`
	}
	if err := json.Unmarshal(data, &run); err != nil {
		return 0, "", err
	}
	req, err := http.NewRequest(http.MethodPost, run.InspectorURL+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+run.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

// mustAPI decodes the answer of a call that succeeds.
func (p place) mustAPI(t *testing.T, path, body string, into any) {
	t.Helper()
	status, answer, err := p.api(path, body)
	if err != nil || status/100 != 2 {
		t.Fatalf("POST %s: %d %s, %v", path, status, answer, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		t.Fatal(err)
	}
}

// fakeFileManager takes the place of the desktop's, and returns the file that it
// writes what it is to show into.
func fakeFileManager(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shown := filepath.Join(dir, "shown")
	script := "#!/bin/sh\necho \"$@\" >" + shown + ".part\nmv " + shown + ".part " + shown + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return shown
}

// saveThroughDialog exports a stream, answers the dialog, and returns where the
// file is.
func saveThroughDialog(t *testing.T, d *display, at place, stream string) (export, path string) {
	t.Helper()
	var made struct{ ID string }
	at.mustAPI(t, "/api/exports", `{"stream":"`+stream+`","format":"ndjson"}`, &made)
	type outcome struct {
		status int
		answer string
		err    error
	}
	saving := make(chan outcome, 1)
	go func() {
		var o outcome
		o.status, o.answer, o.err = at.api("/api/exports/"+made.ID+"/save", "")
		saving <- o
	}()
	eventually(t, "the file", func() error {
		select {
		case o := <-saving:
			var saved struct{ Path string }
			if err := json.Unmarshal([]byte(o.answer), &saved); err != nil || o.status != http.StatusOK || saved.Path == "" {
				t.Fatalf("saving: %d %s, %v", o.status, o.answer, o.err)
			}
			path = saved.Path
			return nil
		default:
		}
		dialog, err := d.find("Save")
		if err != nil {
			return err
		}
		return errors.Join(d.press(dialog, keyS, withAlt), errors.New("the dialog is open"))
	})
	return made.ID, path
}

func TestWindowSavesAndShowsFiles(t *testing.T) {
	shownAt := fakeFileManager(t)
	for _, attached := range []bool{false, true} {
		t.Run(map[bool]string{false: "of its own server", true: "of a server that runs"}[attached], func(t *testing.T) {
			d, name := openDisplay(t)
			at := newPlace(t)
			if attached {
				at.launch(t, "", "serve").printed(t, at.data)
			}
			run := at.launch(t, name)
			w, _ := shown(t, d)
			put(t, at.dataURL(t)+"/v1/stream/orders/eu", `[{"id":9007199254740993},{"id":2}]`)
			export, path := saveThroughDialog(t, d, at, "orders/eu")
			if filepath.Dir(path) != at.home || filepath.Base(path) != "eu.ndjson" {
				t.Errorf("saved as %s, want eu.ndjson in %s", path, at.home)
			}
			if data, err := os.ReadFile(path); string(data) != "{\"id\":9007199254740993}\n{\"id\":2}\n" {
				t.Errorf("it holds %q, %v", data, err)
			}

			for body, want := range map[string]string{
				`{"what":"export","id":"` + export + `"}`: at.home,
				`{"what":"data_folder"}`:                  at.data,
			} {
				_ = os.Remove(shownAt)
				at.mustAPI(t, "/api/window/reveal", body, nil)
				eventually(t, "the file manager", func() error {
					got, err := os.ReadFile(shownAt)
					if err == nil && strings.TrimSpace(string(got)) != want {
						t.Fatalf("%s showed %s, want %s", body, got, want)
					}
					return err
				})
			}
			closeWindow(t, d, w)
			run.exits(t, 0)
		})
	}
}

// put creates a JSON stream.
func put(t *testing.T, url, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("creating a stream: %s", res.Status)
	}
}

// The menu has the page do what it says.
func TestMenu(t *testing.T) {
	d, name := openDisplay(t)
	at := newPlace(t)
	run := at.launch(t, name)
	run.printed(t, "inspector session opened")
	w, before := shown(t, d)
	if err := d.press(w, keyF1, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the dialog with the shortcuts", func() error {
		img, err := d.picture()
		if err != nil {
			return err
		}
		if n := differing(before, img); n < 20_000 {
			return fmt.Errorf("%d pixels differ", n)
		}
		keep(t, img, "window-menu-help")
		return nil
	})
	closeWindow(t, d, w)
	run.exits(t, 0)
}
