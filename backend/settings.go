package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"tailrace/backend/access"
	"tailrace/backend/config"
	"tailrace/backend/inspect"
)

// restartKeys are settings that hold from a start to the end: addresses are
// bound, the folder is locked, open readers are counted, targets are open.
var restartKeys = map[string]bool{
	"listen": true, "inspect": true, "data_dir": true, "tls": true,
	"max_live_readers": true, "max_live_readers_per_client": true,
	"targets": true, "snapshot_on_close": true, "snapshot_every": true, "snapshot_keep": true, "compact": true,
	"remotes": true, "mirrors": true, "update_url": true,
}

// settle is how long the configuration file has to be left alone before it is
// read: editors write in several steps.
const settle = 150 * time.Millisecond

// folderInterval is how often a missing folder of the file is looked for.
const folderInterval = time.Second

// linkInterval is how often it is looked where links lead to: the folders that hold
// those to folders on the way are not watched, and not every system tells of a link
// that takes the place of another one.
const linkInterval = 2 * time.Second

// settings are what is in force, and what the configuration file says. It
// follows the file; a file that cannot be used changes nothing.
type settings struct {
	load  func(file []byte) (config.Loaded, error)
	file  string
	apply func(config.Config)
	log   *slog.Logger

	started config.Config // what the server began with

	mu      sync.Mutex
	loaded  config.Loaded
	problem string // why the file, as it is now, is not followed
}

// reload reads the settings again, from the file or from what it would hold, and
// puts in force what can be.
func (s *settings) reload(file []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, inForce, err := s.usable(file)
	if err != nil {
		return err
	}
	s.problem = ""
	s.loaded = loaded
	s.apply(inForce)
	return nil
}

// usable reads the settings, and returns them with what can be put in force of them.
func (s *settings) usable(file []byte) (loaded config.Loaded, inForce config.Config, err error) {
	if loaded, err = s.load(file); err != nil {
		return loaded, inForce, err
	}
	inForce = loaded.Config
	inForce.Listen, inForce.Inspect, inForce.DataDir, inForce.TLS = s.started.Listen, s.started.Inspect, s.started.DataDir, s.started.TLS
	inForce.MaxLiveReaders, inForce.MaxLiveReadersPerClient = s.started.MaxLiveReaders, s.started.MaxLiveReadersPerClient
	// Tokens may have gone together with a wider address, which is open until the end.
	if err := config.CheckListen(inForce); err != nil {
		return loaded, inForce, fmt.Errorf("this server goes on with the address that it began with, until it is started again: %w", err)
	}
	return loaded, inForce, nil
}

// followed returns the paths at which the configuration file can change: its own, and
// where that is a link, what it leads to.
func followed(file string) map[string]bool {
	const mostLinks = 40
	path := filepath.Clean(file)
	paths := map[string]bool{path: true}
	for range mostLinks {
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
		paths[path] = true
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		paths[real] = true // folders on the way may be links, too
	}
	return paths
}

// follow watches the folders of the configuration file until ctx ends: editors
// replace files, which a watch on the file itself would not survive.
func (s *settings) follow(ctx context.Context) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("changes of the configuration file are not noticed", "error", err)
		return
	}
	defer func() { _ = watcher.Close() }()
	err = watcher.Add(filepath.Dir(s.file))
	for errors.Is(err, fs.ErrNotExist) { // until somebody makes a file, there need not be a folder
		select {
		case <-ctx.Done():
			return
		case <-time.After(folderInterval):
		}
		err = watcher.Add(filepath.Dir(s.file))
	}
	var paths map[string]bool
	lead := func() (changed bool) {
		now := followed(s.file)
		if maps.Equal(now, paths) {
			return false
		}
		paths = now
		for path := range paths {
			if err := watcher.Add(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("changes of the configuration file are not noticed", "file", path, "error", err)
			}
		}
		return true
	}
	lead()
	look := time.NewTicker(linkInterval)
	defer look.Stop()
	s.reread() // it may have changed before it was watched
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-watcher.Events:
			if lead() || paths[filepath.Clean(e.Name)] && !e.Has(fsnotify.Chmod) {
				due = time.After(settle)
			}
		case <-look.C:
			if lead() {
				due = time.After(settle)
			}
		case err := <-watcher.Errors:
			s.log.Warn("watching the configuration file", "error", err)
		case <-due:
			due = nil
			if s.reread() {
				s.log.Info("read the configuration again", "file", s.file)
			}
		}
	}
}

// reread follows the file as it is now; what is wrong with it is said and kept.
func (s *settings) reread() (ok bool) {
	if err := s.reload(nil); err != nil {
		s.mu.Lock()
		s.problem = err.Error()
		s.mu.Unlock()
		s.log.Warn("the configuration file cannot be used; the settings stay as they were", "error", err)
		return false
	}
	return true
}

// Settings implements inspect.Settings.
func (s *settings) Settings() inspect.SettingsState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := inspect.SettingsState{File: s.file, Problem: s.problem, Settings: []inspect.Setting{}}
	for _, k := range config.Keys() {
		from := s.loaded.From[k.Name]
		v := inspect.Setting{
			Key: k.Name, Group: k.Group, Help: k.Help, From: from, Kind: k.Kind(), Default: k.Text(config.Default()),
			Value: k.Text(s.loaded.Config),
			// A flag or a variable wins over the file.
			Locked: from != "default" && !strings.HasPrefix(from, s.file+":"),
		}
		if k.Name == "tokens" {
			v.Value, v.Default = describeTokens(s.loaded.Config.Tokens), ""
		}
		if restartKeys[k.Name] {
			v.AfterRestart = true
			v.Pending = k.Text(s.started) != v.Value
		}
		out.Settings = append(out.Settings, v)
	}
	return out
}

// describeTokens says which tokens there are: never what they are known by.
func describeTokens(tokens []access.Token) string {
	var names []string
	for _, t := range tokens {
		names = append(names, t.Name+" ("+t.Level.String()+")")
	}
	return strings.Join(names, ", ")
}

// Problem implements inspect.Settings.
func (s *settings) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// Change implements inspect.Settings.
func (s *settings) Change(changes map[string]*string) error {
	if s.file == "" {
		return errors.New("this server runs without a configuration file: it is a throwaway one, or the environment names no home folder")
	}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		text = config.Template()
	} else if err != nil {
		return err
	}
	if text, err = config.Edit(text, changes); err != nil {
		return err
	}
	// First see that it can be used, then write it: a broken file would keep the
	// next start from happening.
	if _, _, err := s.usable(text); err != nil {
		return err
	}
	if err := config.Write(s.file, text); err != nil {
		return err
	}
	return s.reload(nil)
}
