//go:build desktop

package app

import (
	"encoding/json"
	"runtime"

	"github.com/wailsapp/wails/v2/pkg/menu"
	"github.com/wailsapp/wails/v2/pkg/menu/keys"
	wails_runtime "github.com/wailsapp/wails/v2/pkg/runtime"
)

// menu is the window's menu. What it does in the page is the page's own: it gets
// the name of the action (frontend/src/lib/state/menu.ts).
func (d *desktop) menu() *menu.Menu {
	page := func(action string) menu.Callback {
		return func(*menu.CallbackData) { d.tellPage(action) }
	}
	m := menu.NewMenu()
	mac := runtime.GOOS == "darwin"
	if mac {
		m.Append(menu.AppMenu())
	}

	file := m.AddSubmenu("File")
	file.AddText("New Stream …", keys.CmdOrCtrl("n"), page("create"))
	file.AddText("Import a File …", keys.CmdOrCtrl("o"), page("import"))
	file.AddText("Export Messages …", keys.CmdOrCtrl("e"), page("export"))
	file.AddText("Take a Snapshot …", nil, page("snapshot"))
	file.AddSeparator()
	file.AddText("Show the Data Folder", nil, page("data-folder"))
	if !mac { // its own menu has it there
		file.AddSeparator()
		file.AddText("Quit", keys.CmdOrCtrl("q"), func(*menu.CallbackData) { d.quit() })
	}

	// Undo, Cut, Copy and Paste are roles, which only macOS has and needs: elsewhere
	// the web view has their keys.
	if mac {
		m.Append(menu.EditMenu())
	}
	edit := m.AddSubmenu(map[bool]string{true: "Stream", false: "Edit"}[mac])
	edit.AddText("Append …", nil, page("append"))
	edit.AddText("Find …", keys.CmdOrCtrl("f"), page("find"))
	edit.AddSeparator()
	edit.AddText("Copy the Server's Address", nil, func(*menu.CallbackData) { d.copyAddress() })

	view := m.AddSubmenu("View")
	view.AddText("Go to …", keys.CmdOrCtrl("k"), page("palette"))
	view.AddSeparator()
	for _, screen := range []struct{ label, action string }{
		{"Streams", "streams"},
		{"Readers", "readers"},
		{"Requests", "requests"},
		{"Subscriptions", "subscriptions"},
		{"Findings", "findings"},
		{"Faults", "faults"},
		{"Activity", "activity"},
		{"Snapshots", "snapshots"},
		{"Mirrors", "mirrors"},
		{"Settings", "settings"},
	} {
		view.AddText(screen.label, nil, page(screen.action))
	}
	view.AddSeparator()
	view.AddText("Reload", keys.CmdOrCtrl("r"), func(*menu.CallbackData) { d.reload() })

	if mac {
		m.Append(menu.WindowMenu())
	}
	help := m.AddSubmenu("Help")
	help.AddText("Keyboard Shortcuts", keys.Key("f1"), page("help"))
	help.AddText("About Tailrace", nil, page("about"))
	return m
}

// tellPage has the page do something; a page that is not the inspector does not
// listen.
func (d *desktop) tellPage(action string) {
	ctx := d.window()
	if ctx == nil {
		return
	}
	detail, err := json.Marshal(action)
	if err != nil {
		return // a string can be written
	}
	wails_runtime.WindowExecJS(ctx, `window.dispatchEvent(new CustomEvent("tailrace-menu", { detail: `+string(detail)+` }))`)
}

// copyAddress puts where streams live into the clipboard.
func (d *desktop) copyAddress() {
	d.mu.Lock()
	ctx, url := d.wails, ""
	if d.attached != nil {
		url = d.attached.DataURL
	} else if d.backend != nil {
		url = d.backend.DataURL()
	}
	d.mu.Unlock()
	if ctx == nil || url == "" {
		return
	}
	if err := wails_runtime.ClipboardSetText(ctx, url+"/v1/stream"); err != nil {
		d.log.Warn("the address was not copied", "error", err)
	}
}

func (d *desktop) quit() {
	if ctx := d.window(); ctx != nil {
		wails_runtime.Quit(ctx)
	}
}
