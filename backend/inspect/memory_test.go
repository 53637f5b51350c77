package inspect

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMemory(t *testing.T) {
	p := newPage(t)
	if status := p.send("GET", "/api/memory", "", "Authorization: Bearer nobody's").StatusCode; status != http.StatusUnauthorized {
		t.Errorf("without the token: status %d", status)
	}
	change := func(values string) int {
		t.Helper()
		return p.send("PATCH", "/api/memory", `{"values":`+values+`}`).StatusCode
	}
	for _, values := range []string{`{"theme":"dark","detail.width":"384"}`, `{"theme":"light","recent":""}`, `{"recent":null}`} {
		if status := change(values); status != http.StatusNoContent {
			t.Fatalf("%s: status %d", values, status)
		}
	}
	var many []string
	for i := range memoryNames {
		many = append(many, fmt.Sprintf(`"%s":"1"`, strings.Repeat("a", i%60+1)+"."+strings.Repeat("b", i/60+1)))
	}
	for name, values := range map[string]string{
		"no name":      `{"Theme":"dark","recent":"a"}`,
		"a long name":  `{"` + strings.Repeat("a", 65) + `":"1"}`,
		"a long value": `{"theme":"` + strings.Repeat("x", memoryValue+1) + `"}`,
		"too many":     `{` + strings.Join(many, ",") + `}`,
		"no text":      `{"theme":1}`,
	} {
		if status := change(values); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", name, status)
		}
	}
	body, err := io.ReadAll(p.send("GET", "/api/memory", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	if have := strings.TrimSpace(string(body)); have != `{"values":{"detail.width":"384","theme":"light"}}` {
		t.Errorf("remembered is %s", have)
	}
}

func TestMemoryOutlivesTheServer(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	value := "dark"
	if err := recall(dir, log).change(map[string]*string{"theme": &value}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"theme": "dark"}, recall(dir, log).all()); diff != "" {
		t.Error(diff)
	}
	for _, damaged := range []string{`{"theme":`, `null`, `[]`, ``} {
		if err := os.WriteFile(filepath.Join(dir, memoryFile), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		m := recall(dir, log)
		if have := m.all(); len(have) != 0 {
			t.Errorf("%q: %v", damaged, have)
		}
		if err := m.change(map[string]*string{"theme": &value}); err != nil {
			t.Errorf("%q: %v", damaged, err)
		}
	}
}
