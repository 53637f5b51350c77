package window

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// HasDisplay reports whether a window can be opened at all. Only X11 and Wayland
// can be absent; the other systems have a display wherever a person is.
func HasDisplay(goos string, getenv func(string) string) bool {
	if goos == "windows" || goos == "darwin" {
		return true
	}
	return getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != ""
}

// NeedsPlainBuffers reports whether WebKit has to be kept from DMA-BUF rendering:
// with NVIDIA's own driver its pages stay blank. root is "/" but for tests.
func NeedsPlainBuffers(root fs.FS) bool {
	_, err := fs.Stat(root, "proc/driver/nvidia")
	return err == nil
}

// PrefersDark guesses the desktop's colour scheme for the very first start; later
// ones remember what the web view said. It knows the places that GTK reads.
func PrefersDark(goos string, getenv func(string) string) bool {
	if goos != "linux" {
		return false
	}
	if theme := getenv("GTK_THEME"); theme != "" {
		return darkTheme(theme)
	}
	home := getenv("XDG_CONFIG_HOME")
	if home == "" {
		home = filepath.Join(getenv("HOME"), ".config")
	}
	settings, err := os.ReadFile(filepath.Join(home, "gtk-3.0", "settings.ini"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(settings)) {
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "gtk-application-prefer-dark-theme":
			if value == "1" || value == "true" {
				return true
			}
		case "gtk-theme-name":
			if darkTheme(value) {
				return true
			}
		}
	}
	return false
}

func darkTheme(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "-dark") || strings.HasSuffix(name, ":dark")
}
