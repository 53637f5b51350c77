package window

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Smallest, first and largest sizes of the window, in logical pixels. The largest
// only keeps a damaged file from asking for a window nobody can reach.
const (
	MinWidth, MinHeight         = 720, 480
	DefaultWidth, DefaultHeight = 1280, 800
	maxSize                     = 16384
)

const memoryName = "window.json"

// Memory is what the window remembers between two starts.
type Memory struct {
	Width     int   `json:"width"`
	Height    int   `json:"height"`
	X         *int  `json:"x,omitempty"` // of the left upper corner; nil: unknown
	Y         *int  `json:"y,omitempty"`
	Maximised bool  `json:"maximised"`
	Dark      *bool `json:"dark,omitempty"` // colour scheme of the last time; nil: unknown
}

// Recall reads what the window of this data folder remembers. Nobody's window
// stays closed over a lost or damaged file: what cannot be used is replaced by
// its default.
func Recall(dataDir string) Memory {
	first := Memory{Width: DefaultWidth, Height: DefaultHeight}
	data, err := os.ReadFile(filepath.Join(dataDir, memoryName))
	if err != nil {
		return first
	}
	m := first
	if json.Unmarshal(data, &m) != nil {
		return first
	}
	if m.Width > maxSize || m.Height > maxSize {
		m.Width, m.Height = DefaultWidth, DefaultHeight
	}
	m.Width, m.Height = max(m.Width, MinWidth), max(m.Height, MinHeight)
	return m
}

// grip is how much of the window must be on the screen for a hand to get at it.
const grip = 100

// Fits reports whether a window at the remembered place can be reached on a screen
// of that size.
func (m Memory) Fits(width, height int) bool {
	return m.X != nil && m.Y != nil && *m.X >= 0 && *m.Y >= 0 && *m.X <= width-grip && *m.Y <= height-grip
}

// QuitQuestion asks whether the server should end although it has readers.
func QuitQuestion(readers int64, url, quit, keep string) string {
	clients := "1 client reads"
	if readers > 1 {
		clients = fmt.Sprintf("%d clients read", readers)
	}
	return fmt.Sprintf("%s live from %s.\n\n%s: quit, and end these connections.\n%s: keep serving without a window. Starting Tailrace again brings the window back.",
		clients, url, quit, keep)
}

// Save writes m for the next Recall.
func (m Memory) Save(dataDir string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", memoryName, err)
	}
	path := filepath.Join(dataDir, memoryName)
	tmp := path + ".tmp" // the data folder is locked: nobody else writes it
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", memoryName, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", memoryName, err), os.Remove(tmp))
	}
	return nil
}

// Colour is a background colour.
type Colour struct{ R, G, B uint8 }

// Background is what the window shows before its page does: the page's own
// background, so that nothing flashes.
func Background(dark bool) Colour {
	if dark {
		return Colour{0x0a, 0x10, 0x11}
	}
	return Colour{0xf7, 0xf9, 0xfa}
}
