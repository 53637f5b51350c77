package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Sources is where settings are looked for.
type Sources struct {
	File  string              // configuration file; it has to exist. "": the default one, when it exists
	Bare  bool                // without File there is none: the default one is not read
	Env   func(string) string // environment; nil: the process's own
	Data  []byte              // what File is taken to hold; nil: it is read
	Flags map[string]string   // key -> text of the command-line flags that were given
}

// Loaded is a configuration and where it came from.
type Loaded struct {
	Config Config
	File   string            // the file that was read, "" when none was
	From   map[string]string // key -> "default", "/path/config.toml:3", "TAILRACE_LISTEN" or "--listen"
}

// Load merges the sources by precedence (flags, environment, file, defaults) and
// validates the result. Its errors name the key, the value, what was expected
// and the place the value came from.
func Load(s Sources) (Loaded, error) {
	getenv := s.Env
	if getenv == nil {
		getenv = os.Getenv
	}
	place := platform{goos: runtime.GOOS, getenv: getenv}
	l := Loaded{Config: defaults(place), From: map[string]string{}}
	for _, k := range Keys() {
		l.From[k.Name] = "default"
	}

	if err := l.readFile(s, place); err != nil {
		return Loaded{}, err
	}
	var errs []error
	for _, k := range Keys() {
		if text := getenv(k.Env()); text != "" {
			errs = append(errs, l.setText(k, text, k.Env()))
		}
		if text, ok := s.Flags[k.Name]; ok {
			errs = append(errs, l.setText(k, text, k.Flag()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Loaded{}, err
	}
	l.Config.InspectSet = l.From["inspect"] != "default"
	if err := l.resolveDataDir(place); err != nil {
		return Loaded{}, err
	}
	if err := l.Config.Validate(); err != nil {
		return Loaded{}, l.blame(err)
	}
	return l, nil
}

// readFile applies the configuration file. A file that was asked for has to be
// there; the default one need not.
func (l *Loaded) readFile(s Sources, place platform) error {
	file, data, asked := s.File, s.Data, s.File != ""
	if !asked {
		if file = place.configFile(); file == "" || s.Bare {
			return nil
		}
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("configuration file %s: %w", file, err)
	}
	if data != nil {
		l.File = path
		return l.applyFile(path, data)
	}
	data, err = os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !asked:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("configuration file %s does not exist (tailrace config init writes one)", file)
	case err != nil:
		return fmt.Errorf("read configuration file: %w", err)
	}
	l.File = path
	return l.applyFile(path, data)
}

func (l *Loaded) setText(k Key, text, from string) error {
	p := k.field(&l.Config)
	if err := setText(p, text); err != nil {
		return refusal(k, err, text, from)
	}
	l.From[k.Name] = from
	return nil
}

// refusal says why a setting does not take a value, which it repeats unless that
// may be a secret.
func refusal(k Key, err error, value any, from string) error {
	var bad *tokenError
	if errors.As(err, &bad) {
		return fmt.Errorf("%s: %w (set by %s)", k.Name, err, from)
	}
	return &ValueError{Key: k.Name, Value: fmt.Sprint(value), Want: expectation(k.field(new(Config))), From: from}
}

// resolveDataDir makes the data folder absolute: what a file says counts from
// the file's folder, what a flag or variable says from the working folder.
func (l *Loaded) resolveDataDir(place platform) error {
	dir := l.Config.DataDir
	if dir == "" && l.From["data_dir"] == "default" {
		return wrong("data_dir", "", "a folder; the environment names no home folder to put one in")
	}
	if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if home := place.home(); home != "" {
			dir = filepath.Join(home, rest)
		}
	}
	if dir == "" || filepath.IsAbs(dir) {
		l.Config.DataDir = dir
		return nil
	}
	if l.File != "" && strings.HasPrefix(l.From["data_dir"], l.File+":") {
		l.Config.DataDir = filepath.Join(filepath.Dir(l.File), dir)
		return nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("data_dir %s: %w", dir, err)
	}
	l.Config.DataDir = abs
	return nil
}

// blame adds to every value error where the value came from.
func (l *Loaded) blame(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	for _, e := range joined.Unwrap() {
		var wrong *ValueError
		if errors.As(e, &wrong) && l.From[wrong.Key] != "default" {
			wrong.From = l.From[wrong.Key]
		}
	}
	return err
}
