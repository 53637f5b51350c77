package config

import (
	"os"
	"path/filepath"
	"runtime"
)

// platform is what the default folders depend on, so that one test covers the
// rules of every operating system.
type platform struct {
	goos   string
	getenv func(string) string
}

// dataDir returns the folder where this platform keeps a program's data, or ""
// when the environment does not say.
func (p platform) dataDir() string {
	switch p.goos {
	case "windows":
		return p.under(p.getenv("LOCALAPPDATA"), "Tailrace")
	case "darwin":
		return p.under(p.home(), "Library", "Application Support", "Tailrace")
	default:
		if dir := p.getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "tailrace")
		}
		return p.under(p.home(), ".local", "share", "tailrace")
	}
}

// configFile returns where the configuration file is looked for, or "" when
// the environment does not say.
func (p platform) configFile() string {
	switch p.goos {
	case "windows":
		return p.under(p.getenv("APPDATA"), "tailrace", "config.toml")
	case "darwin":
		return p.under(p.home(), "Library", "Application Support", "tailrace", "config.toml")
	default:
		if dir := p.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "tailrace", "config.toml")
		}
		return p.under(p.home(), ".config", "tailrace", "config.toml")
	}
}

func (p platform) home() string {
	if p.goos == "windows" {
		return p.getenv("USERPROFILE")
	}
	return p.getenv("HOME")
}

// Home returns the user's home folder, or "" when the environment names none.
func Home(getenv func(string) string) string {
	return platform{goos: runtime.GOOS, getenv: getenv}.home()
}

func (p platform) under(base string, elem ...string) string {
	if base == "" {
		return ""
	}
	return filepath.Join(append([]string{base}, elem...)...)
}

// DefaultFile returns where the configuration file is looked for when none is
// named, or "" when the environment (nil: the process's own) names no home
// folder.
func DefaultFile(getenv func(string) string) string {
	if getenv == nil {
		getenv = os.Getenv
	}
	return platform{goos: runtime.GOOS, getenv: getenv}.configFile()
}
