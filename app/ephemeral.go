package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"tailrace/backend"
	"tailrace/backend/config"
)

// ephemeralPrefix begins the names of throwaway data folders.
const ephemeralPrefix = "tailrace-ephemeral-"

// ephemeralAge is how old a throwaway folder that nobody holds has to be before it
// counts as left behind: one that is just being made is not locked yet.
const ephemeralAge = time.Minute

// ephemeral makes the settings those of a throwaway server: a data folder of its
// own, free ports unless others were asked for, no configuration file unless one
// was named. The function it returns removes the folder.
func (inv *invocation) ephemeral() (remove func() error, err error) {
	if _, ok := inv.flags["data_dir"]; ok {
		return nil, &usageError{errors.New("--ephemeral takes a data folder of its own, which goes when the server ends: leave out --data-dir")}
	}
	sweepEphemeral()
	dir, err := os.MkdirTemp("", ephemeralPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a throwaway data folder: %w", err)
	}
	inv.flags["data_dir"] = dir
	for _, k := range config.Keys() {
		if _, asked := inv.flags[k.Name]; asked || inv.env(k.Env()) != "" {
			continue
		}
		if k.Name == "listen" || k.Name == "inspect" {
			inv.flags[k.Name] = "127.0.0.1:0"
		}
	}
	inv.throwaway = true
	return func() error {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove the throwaway data folder: %w", err)
		}
		return nil
	}, nil
}

// sweepEphemeral removes throwaway folders that servers left behind when they
// were killed. What cannot be removed stays: it may be another user's.
func sweepEphemeral() {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), ephemeralPrefix+"*"))
	if err != nil {
		return // the temporary folder's name is no pattern that Glob can read
	}
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < ephemeralAge {
			continue
		}
		lock := flock.New(filepath.Join(dir, backend.LockFileName), flock.SetPermissions(0o600))
		if held, err := lock.TryLock(); err == nil && held {
			// Nobody comes to a folder of that age. Windows removes no file that is open.
			_ = lock.Unlock()
			_ = os.RemoveAll(dir)
		}
	}
}
