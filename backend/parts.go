package backend

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"

	"tailrace/backend/config"
	"tailrace/backend/mirror"
	"tailrace/backend/snapshot"
	"tailrace/backend/subscription"
)

// The parts of a backend that the settings shape.

func (b *Backend) openSubscriptions(ctx context.Context, o Options) (*subscription.Manager, error) {
	so := subscription.Options{Store: b.store, Engine: b.engine, Limits: limits(&o.Config), Now: o.Now, Log: o.Log}
	if addr, ok := b.data.Addr().(*net.TCPAddr); ok {
		so.Port = addr.Port
	}
	return subscription.Open(ctx, so)
}

func (b *Backend) openSnapshots(o Options) (*snapshot.Manager, error) {
	targets, err := o.Config.SnapshotTargets()
	if err != nil {
		return nil, err
	}
	so := snapshot.Options{
		Store: b.store, Engine: b.engine, Targets: targets, Program: "tailrace " + o.Version, Now: o.Now, Log: o.Log,
	}
	if o.ConfigFile != "" {
		so.Config = func() []byte { return configToKeep(o.ConfigFile, o.Log) }
	}
	for _, r := range o.Config.OnClose() {
		so.OnClose = append(so.OnClose, snapshot.Rule{Glob: r[0], Target: r[1]})
	}
	if so.Rules, err = snapshotRules(&o.Config); err != nil {
		return nil, err
	}
	return snapshot.Open(so)
}

func (b *Backend) openMirrors(o Options, idle bool) (*mirror.Manager, error) {
	mo := mirror.Options{Store: b.store, Engine: b.engine, Remotes: map[string]mirror.Remote{}, Idle: idle, Env: o.Env, Now: o.Now, Log: o.Log}
	if b.data != nil {
		mo.Own, _ = b.data.Addr().(*net.TCPAddr)
	}
	remotes, err := o.Config.RemoteServers()
	if err != nil {
		return nil, err
	}
	for name, r := range remotes {
		mo.Remotes[name] = mirror.Remote{URL: r.URL, TokenEnv: r.TokenEnv, HeaderFile: r.HeaderFile, Insecure: r.Insecure}
	}
	rules, err := o.Config.MirrorRules()
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		mo.Configured = append(mo.Configured, mirror.Request{Name: r.Name, Direction: r.Direction, Glob: r.Glob, Known: r.Remote})
	}
	return mirror.Open(mo)
}

// configToKeep is the configuration file as backups keep it; nil: there is none.
func configToKeep(path string, log *slog.Logger) []byte {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		text, err = config.WithoutSecrets(text)
	}
	if err != nil {
		log.Warn("the backup is made without the configuration file", "error", err)
		return nil
	}
	return text
}

// journalBytes is how much the journal may hold; 0: it is off.
func journalBytes(c *config.Config) int64 {
	if !c.Journal {
		return 0
	}
	return c.JournalBytes
}

// snapshotRules are the rules of the configuration.
func snapshotRules(c *config.Config) (out snapshot.Rules, err error) {
	every, err1 := c.ScheduleRules()
	keep, err2 := c.KeepRules()
	compact, err3 := c.CompactRules()
	for _, r := range every {
		out.Every = append(out.Every, snapshot.ScheduleRule{Glob: r.Glob, Target: r.Target, Every: r.Every, Bytes: r.Bytes})
	}
	for _, r := range keep {
		out.Keep = append(out.Keep, snapshot.PruneRequest{Glob: r.Glob, Target: r.Target, KeepLast: r.KeepLast, KeepFor: r.KeepFor})
	}
	for _, r := range compact {
		out.Compact = append(out.Compact, snapshot.CompactRequest{Streams: r.Glob, Older: r.Older, Larger: r.Larger, To: snapshot.Where{Name: r.Target}})
	}
	return out, errors.Join(err1, err2, err3)
}
