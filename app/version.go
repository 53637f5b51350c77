package app

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

func (versionCommand) Run(inv *invocation) error {
	fmt.Fprintf(inv.stdout, "tailrace %s\ncommit   %s\ngo       %s %s/%s\nbuild    %s\n",
		inv.Version, inv.commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, buildKind)
	return nil
}

// commit is the stamped commit, else what the Go command recorded.
func (p Program) commit() string {
	if p.Commit != "" {
		return p.Commit
	}
	commit, dirty := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "-dirty"
			}
		}
	}
	return commit + dirty
}
