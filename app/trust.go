package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"time"

	"tailrace/backend"
	"tailrace/backend/config"
	"tailrace/backend/localca"
	"tailrace/backend/trust"
)

type trustCommands struct {
	Install trustInstallCommand `cmd:"" help:"Make browsers and programs of this machine accept the server's HTTPS."`
	Remove  trustRemoveCommand  `cmd:"" help:"Undo install."`
	Status  trustStatusCommand  `cmd:"" help:"Tell where the local CA is trusted."`
}

// trustFlags are the settings that the local CA depends on.
type trustFlags struct {
	folderFlags `embed:""`
	Hosts       string `placeholder:"NAME,…" group:"Server" help:"${hosts}"`
}

type trustInstallCommand struct {
	trustFlags `embed:""`
}

func (trustInstallCommand) Help() string {
	return `Puts the local CA, which it makes if there is none, into the stores of the system and of Chromium and Firefox. It can certify nothing but localhost, *.localhost, loopback addresses and the configured hosts. Where it may not write, it prints the commands that do it.

Examples:

    tailrace trust install
    tailrace trust status
    tailrace trust install --hosts streams.test`
}

func (c *trustInstallCommand) Run(inv *invocation) error {
	loaded, err := inv.load(c.Config)
	if err != nil {
		return err
	}
	dir, hosts := loaded.Config.DataDir, backend.CertifiedHosts(&loaded.Config)
	ca, err := localca.Open(dir, hosts, time.Now())
	if err != nil {
		return err
	}
	m := inv.machine()
	if lacking := uncovered(ca, hosts); lacking != "" {
		fmt.Fprintf(inv.stdout, "The local CA was made before %s was configured: making a new one. Restart a running server.\n", lacking)
		if err := inv.report(m.Remove(inv.ctx, authority(dir, ca)), "not trusted", false); err != nil {
			return err
		}
		if ca, err = localca.Replace(dir, hosts, time.Now()); err != nil {
			return err
		}
	}
	a := authority(dir, ca)
	fmt.Fprintf(inv.stdout, "Local CA  %s\n", a.File)
	results := m.Install(inv.ctx, a)
	if len(results) == 0 {
		return fmt.Errorf("no store of certificates was found: %s", trust.Manual(a))
	}
	return inv.report(results, "trusted", true)
}

type trustRemoveCommand struct {
	trustFlags `embed:""`
}

func (c *trustRemoveCommand) Run(inv *invocation) error {
	a, err := c.existing(inv)
	if err != nil {
		return err
	}
	return inv.report(inv.machine().Remove(inv.ctx, a), "not trusted", false)
}

type trustStatusCommand struct {
	trustFlags `embed:""`
}

func (c *trustStatusCommand) Run(inv *invocation) error {
	a, err := c.existing(inv)
	if err != nil {
		return err
	}
	fmt.Fprintf(inv.stdout, "Local CA  %s (until %s)\n", a.File, a.Cert.NotAfter.Format(time.DateOnly))
	results := inv.machine().Status(inv.ctx, a)
	if len(results) == 0 {
		fmt.Fprintf(inv.stdout, "No store of certificates was found: %s.\n", trust.Manual(a))
	}
	for _, r := range results {
		switch {
		case r.Err != nil:
			fmt.Fprintf(inv.stdout, "unknown      %s: %v\n", r.Store, r.Err)
		case r.Trusted:
			fmt.Fprintf(inv.stdout, "trusted      %s\n", r.Store)
		default:
			fmt.Fprintf(inv.stdout, "not trusted  %s\n", r.Store)
		}
	}
	return nil
}

// existing is the authority that the data folder has.
func (f *trustFlags) existing(inv *invocation) (*trust.Authority, error) {
	loaded, err := inv.load(f.Config)
	if err != nil {
		return nil, err
	}
	dir := loaded.Config.DataDir
	ca, err := localca.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the data folder %s has no local CA; tailrace trust install makes one", dir)
	}
	if err != nil {
		return nil, err
	}
	return authority(dir, ca), nil
}

func authority(dir string, ca *localca.Authority) *trust.Authority {
	return &trust.Authority{Cert: ca.Cert, File: filepath.Join(dir, localca.CertFile), PEM: ca.PEM()}
}

// uncovered is a host that a new authority would cover and this one does not.
func uncovered(ca *localca.Authority, hosts []string) string {
	for _, host := range hosts {
		if localca.Coverable(host) && !ca.Covers(host) {
			return host
		}
	}
	return ""
}

// machine is where authorities are installed.
func (inv *invocation) machine() *trust.Machine {
	if inv.TrustStores != nil {
		return inv.TrustStores
	}
	return trust.Here(runtime.GOOS, config.Home(inv.env))
}

// report prints what became of the stores. What a person has to do is an error.
func (inv *invocation) report(results []trust.Result, done string, restart bool) error {
	failed := 0
	for _, r := range results {
		if r.Err == nil {
			before := ""
			if !r.Changed {
				before = " (as before)"
			}
			fmt.Fprintf(inv.stdout, "%s  %s%s\n", done, r.Store, before)
			continue
		}
		failed++
		fmt.Fprintf(inv.stdout, "for you to do  %s: %v\n", r.Store, r.Err)
		for _, step := range r.Steps {
			fmt.Fprintf(inv.stdout, "    %s\n", step)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d stores could not be changed; the commands above do it", failed, len(results))
	}
	if restart {
		fmt.Fprintln(inv.stdout, "Browsers that run have to be restarted.")
	}
	return nil
}
