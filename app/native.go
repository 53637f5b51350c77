//go:build desktop

package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	wails_runtime "github.com/wailsapp/wails/v2/pkg/runtime"

	"tailrace/app/window"
)

// nativeWindow is what the inspector may ask of the window.
type nativeWindow struct{ d *desktop }

var errNotOpen = errors.New("the window is not open")

// Show brings the window to the front.
func (n nativeWindow) Show() { n.d.show() }

// ChooseFile asks where to save a file. One question is asked at a time.
func (n nativeWindow) ChooseFile(_ context.Context, name string) (string, error) {
	ctx := n.d.window()
	if ctx == nil {
		return "", errNotOpen
	}
	if !n.d.asking.TryLock() {
		return "", errors.New("it is asking already")
	}
	defer n.d.asking.Unlock()
	return wails_runtime.SaveFileDialog(ctx, wails_runtime.SaveDialogOptions{
		Title: "Save", DefaultFilename: name, DefaultDirectory: n.d.downloads(), CanCreateDirectories: true,
	})
}

// downloads is where files are offered to be saved first.
func (d *desktop) downloads() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return "" // the dialog begins somewhere
	}
	if folder := filepath.Join(home, "Downloads"); isFolder(folder) {
		return folder
	}
	return home
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Reveal shows a file in the file manager.
func (n nativeWindow) Reveal(_ context.Context, path string) error {
	args := window.RevealCommand(runtime.GOOS, path, isFolder(path))
	c := window.Command(args)
	if err := c.Start(); err != nil {
		return err
	}
	go func() { _ = c.Wait() }() // it may stay open; what it says at its end tells nothing
	return nil
}
