package window

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func visit(t *testing.T, p *Page, path string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("GET %s: %d %s", path, rec.Code, rec.Header().Get("Content-Type"))
	}
	return rec.Body.String()
}

func wantParts(t *testing.T, body string, want, not []string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(body, part) {
			t.Errorf("the page does not hold %q:\n%s", part, body)
		}
	}
	for _, part := range not {
		if strings.Contains(body, part) {
			t.Errorf("the page holds %q:\n%s", part, body)
		}
	}
}

func TestPageGoesOnToTheInspector(t *testing.T) {
	links := []string{"http://127.0.0.1:4438/#code=one", "http://127.0.0.1:4438/#code=two"}
	p := NewPage(func() (string, *Failure) {
		link := links[0]
		links = links[1:]
		return link, nil
	}, nil)
	wantParts(t, visit(t, p, "/"), []string{"/dark", "/light", "prefers-color-scheme"}, []string{"code=", "Try again"})
	if _, known := p.Dark(); known {
		t.Error("the colour scheme is known before the web view told it")
	}
	wantParts(t, visit(t, p, "/dark"), []string{`location.replace("http://127.0.0.1:4438/#code=one")`}, []string{"role=\"alert\""})
	if dark, known := p.Dark(); !dark || !known {
		t.Errorf("Dark() = %v, %v after /dark", dark, known)
	}
	wantParts(t, visit(t, p, "/light"), []string{"code=two"}, []string{"code=one"})
	if dark, known := p.Dark(); dark || !known {
		t.Errorf("Dark() = %v, %v after /light", dark, known)
	}
}

func TestPageShowsTheFailure(t *testing.T) {
	failure := &Failure{What: "port 4437 is <taken>", Steps: []string{"ss -ltnp 'sport = :4437'"}}
	p := NewPage(func() (string, *Failure) {
		if failure != nil {
			return "", failure
		}
		return "http://127.0.0.1:1/#code=x", nil
	}, func() { failure = nil })
	wantParts(t, visit(t, p, "/light"),
		[]string{"Port 4437 is &lt;taken&gt;.", "sport = :4437", "/retry", `role="alert"`}, []string{"<taken>", "location.replace"})
	wantParts(t, visit(t, p, "/retry"), []string{"location.replace(\"http://127.0.0.1:1/#code=x\")"}, []string{"alert"})

	final := NewPage(func() (string, *Failure) { return "", &Failure{What: "gone"} }, nil)
	wantParts(t, visit(t, final, "/light"), []string{"Gone."}, []string{"Try again"})
}

func TestPageKnowsNoOtherPath(t *testing.T) {
	p := NewPage(func() (string, *Failure) { t.Error("a link was made"); return "", nil }, nil)
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/favicon.ico", nil))
	if rec.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", rec.Code)
	}
}

func TestMemory(t *testing.T) {
	yes := true
	first := Memory{Width: 1280, Height: 800}
	t.Run("kept", func(t *testing.T) {
		dir := t.TempDir()
		want := Memory{Width: 1000, Height: 700, Maximised: true, Dark: &yes}
		if err := want.Save(dir); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, Recall(dir)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("the folder holds %v, %v, want one file", entries, err)
		}
	})
	for name, tt := range map[string]struct {
		file string
		want Memory
	}{
		"damaged":   {"{", first},
		"empty":     {"{}", first},
		"too small": {`{"width":3,"height":3}`, Memory{Width: 720, Height: 480}},
		"too large": {`{"width":99999,"height":700,"maximised":true}`, Memory{Width: 1280, Height: 800, Maximised: true}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, memoryName), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, Recall(dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if diff := cmp.Diff(first, Recall(t.TempDir())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("nowhere to save", func(t *testing.T) {
		if err := first.Save(filepath.Join(t.TempDir(), "absent")); err == nil {
			t.Error("no error")
		}
	})
}

func TestBackgroundIsThePages(t *testing.T) {
	for dark, hex := range map[bool]string{false: "--bg: #f7f9fa;", true: "--bg: #0a1011;"} {
		c := Background(dark)
		if got := "--bg: #" + hexByte(c.R) + hexByte(c.G) + hexByte(c.B) + ";"; got != hex || !strings.Contains(pageHTML, hex) {
			t.Errorf("dark=%v: the window starts with %s, the page with %s", dark, got, hex)
		}
	}
}

func hexByte(b uint8) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

func TestHasDisplay(t *testing.T) {
	for name, tt := range map[string]struct {
		goos string
		env  map[string]string
		want bool
	}{
		"x11":     {"linux", map[string]string{"DISPLAY": ":0"}, true},
		"wayland": {"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, true},
		"neither": {"linux", nil, false},
		"macOS":   {"darwin", nil, true},
		"windows": {"windows", nil, true},
	} {
		if got := HasDisplay(tt.goos, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestNeedsPlainBuffers(t *testing.T) {
	if NeedsPlainBuffers(fstest.MapFS{"proc/driver/rtc": {}}) {
		t.Error("without an NVIDIA driver")
	}
	if !NeedsPlainBuffers(fstest.MapFS{"proc/driver/nvidia/version": {}}) {
		t.Error("an NVIDIA driver was not seen")
	}
}

func TestPrefersDark(t *testing.T) {
	for name, tt := range map[string]struct {
		goos, theme, settings string
		want                  bool
	}{
		"nothing said":          {"linux", "", "", false},
		"variable":              {"linux", "Adwaita:dark", "", true},
		"variable wins":         {"linux", "Adwaita", "[Settings]\ngtk-theme-name=Yaru-dark\n", false},
		"dark theme":            {"linux", "", "[Settings]\ngtk-theme-name = Yaru-dark\n", true},
		"dark preferred":        {"linux", "", "[Settings]\ngtk-application-prefer-dark-theme=1\n", true},
		"light theme":           {"linux", "", "[Settings]\ngtk-theme-name=Adwaita\ngtk-application-prefer-dark-theme=0\n", false},
		"not where GTK is used": {"darwin", "Adwaita:dark", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			if tt.settings != "" {
				dir := filepath.Join(home, ".config", "gtk-3.0")
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "settings.ini"), []byte(tt.settings), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{"HOME": home, "GTK_THEME": tt.theme}
			if got := PrefersDark(tt.goos, func(k string) string { return env[k] }); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRevealCommand(t *testing.T) {
	for name, tt := range map[string]struct {
		goos, path string
		folder     bool
		want       string
	}{
		"a file on Linux":     {"linux", "/a/b c.seg", false, "xdg-open|/a"},
		"a folder on Linux":   {"linux", "/a/b", true, "xdg-open|/a/b"},
		"a file on macOS":     {"darwin", "/a/b.seg", false, "open|-R|/a/b.seg"},
		"a folder on macOS":   {"darwin", "/a", true, "open|/a"},
		"a file on Windows":   {"windows", `C:\a b\c,d.seg`, false, `explorer|/select,"C:\a b\c,d.seg"`},
		"a folder on Windows": {"windows", `C:\a b`, true, `explorer|"C:\a b"`},
	} {
		if got := strings.Join(RevealCommand(tt.goos, tt.path, tt.folder), "|"); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestFits(t *testing.T) {
	at := func(x, y int) Memory { return Memory{X: &x, Y: &y} }
	for _, tt := range []struct {
		m    Memory
		want bool
	}{
		{at(0, 0), true},
		{at(1820, 980), true},
		{at(1821, 0), false},
		{at(0, 981), false},
		{at(-1, 5), false},
		{Memory{}, false},
	} {
		if got := tt.m.Fits(1920, 1080); got != tt.want {
			t.Errorf("Fits of %v, %v: %v", tt.m.X, tt.m.Y, got)
		}
	}
}

func TestQuitQuestion(t *testing.T) {
	for n, want := range map[int64]string{1: "1 client reads live", 2: "2 clients read live"} {
		if got := QuitQuestion(n, "http://127.0.0.1:4437", "Yes", "No"); !strings.HasPrefix(got, want) || !strings.Contains(got, "No: keep serving") {
			t.Errorf("got %q", got)
		}
	}
}
