package inspect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestSavingInTheWindow saves an export and a message where the person says.
func TestSavingInTheWindow(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a/orders", ""), `{"content_type":"application/json","body":"[1,22,9007199254740993]"}`, 201, nil)
	export := func() (e Export) {
		t.Helper()
		p.call("POST", "/api/exports", `{"stream":"a/orders","format":"ndjson"}`, 201, &e)
		return e
	}
	var saved struct{ Path *string }
	e := export()
	p.call("POST", "/api/exports/"+e.ID+"/save", "", 200, &saved)
	if saved.Path == nil || filepath.Base(*saved.Path) != "orders.ndjson" {
		t.Fatalf("saved %+v", saved)
	}
	data, err := os.ReadFile(*saved.Path)
	if err != nil || string(data) != "1\n22\n9007199254740993\n" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	p.call("GET", "/api/exports/"+e.ID, "", 200, &e)
	if sum := sha256.Sum256(data); e.State != "done" || e.Messages != 3 || *e.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the export: %+v", e)
	}
	p.call("POST", "/api/exports/"+e.ID+"/save", "", 410, nil)
	p.call("GET", e.URL, "", 410, nil)

	p.call("POST", of("a/orders", "/messages/2/save"), "", 200, &saved)
	if data, err := os.ReadFile(*saved.Path); string(data) != "9007199254740993" || filepath.Base(*saved.Path) != "orders-2.json" {
		t.Errorf("%s holds %q, %v", *saved.Path, data, err)
	}
	p.call("POST", of("a/orders", "/messages/3/save"), "", 404, nil)

	// What was saved is shown, and what the server does not know is not.
	p.call("POST", "/api/window/reveal", fmt.Sprintf(`{"what":"export","id":%q}`, e.ID), 204, nil)
	if want := filepath.Join(p.window.choose, "orders.ndjson"); len(p.window.at) != 1 || p.window.at[0] != want {
		t.Errorf("revealed %q, want %q", p.window.at, want)
	}
	p.call("POST", "/api/window/reveal", `{"what":"export","id":"/etc/passwd"}`, 404, nil)
	p.call("POST", "/api/window/reveal", `{"what":"data_folder","id":"/etc"}`, 404, nil) // this server has none
	p.call("POST", "/api/window/reveal", `{"what":"file","id":"/etc"}`, 422, nil)

	// A folder that cannot be written to, and a person who thinks better of it.
	p.window.choose = filepath.Join(p.window.choose, "absent")
	e = export()
	p.call("POST", "/api/exports/"+e.ID+"/save", "", 409, nil)
	p.window.choose = ""
	e = export()
	p.call("POST", "/api/exports/"+e.ID+"/save", "", 200, &saved)
	if saved.Path != nil {
		t.Errorf("saved at %s without an answer", *saved.Path)
	}
	if p.call("GET", "/api/exports/"+e.ID, "", 200, &e); e.State != "waiting" {
		t.Errorf("an export that nobody saved is %s", e.State)
	}
}

func TestSavingWithoutAWindow(t *testing.T) {
	p := newPageIn(t, NewWindows(nil))
	p.call("PUT", of("a", ""), `{"body":"x"}`, 201, nil)
	p.call("POST", of("a", "/messages/0/save"), "", 404, nil)
	p.call("POST", "/api/window/reveal", `{"what":"data_folder"}`, 404, nil)
}
