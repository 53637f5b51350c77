package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMirrorsOfTheConfiguration(t *testing.T) {
	c := Default()
	c.Remotes = []string{
		"prod=https://host/v1/stream/?token_env=PROD", "near=http://127.0.0.1:8787/v1/stream/",
		"lab=http://lab.test/v1/stream/?insecure=true&header_file=/etc/lab.headers",
	}
	c.Mirrors = []string{"chat=push chat/** prod", "back=pull  orders/*/done  lab"}
	remotes, err := c.RemoteServers()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]RemoteServer{
		"prod": {URL: "https://host/v1/stream/", TokenEnv: "PROD"},
		"near": {URL: "http://127.0.0.1:8787/v1/stream/"},
		"lab":  {URL: "http://lab.test/v1/stream/", HeaderFile: "/etc/lab.headers", Insecure: true},
	}, remotes); diff != "" {
		t.Error(diff)
	}
	mirrors, err := c.MirrorRules()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]MirrorRule{
		{Name: "chat", Direction: "push", Glob: "chat/**", Remote: "prod"},
		{Name: "back", Direction: "pull", Glob: "orders/*/done", Remote: "lab"},
	}, mirrors); diff != "" {
		t.Error(diff)
	}
}

func TestMirrorsThatMakeNoSense(t *testing.T) {
	for name, tt := range map[string]struct{ remote, mirror, want string }{
		"no address":         {"prod=host", "", "NAME=URL"},
		"no name":            {"https://host/", "", "NAME=URL"},
		"a secret in it":     {"prod=https://me:hunter22@host/", "", "header_file"},
		"an unknown setting": {"prod=https://host/?token=hunter22", "", "token_env"},
		"plain HTTP":         {"prod=http://host/v1/stream/", "", "insecure=true"},
		"a relative file":    {"prod=https://host/?header_file=a", "", "absolute"},
		"no direction":       {"prod=https://host/", "a=b c prod", "push GLOB REMOTE"},
		"no such remote":     {"prod=https://host/", "a=push c dev", `no "dev"`},
		"no glob":            {"prod=https://host/", "a=push prod", "push GLOB REMOTE"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Default()
			c.Remotes = []string{tt.remote}
			if tt.mirror != "" {
				c.Mirrors = []string{tt.mirror}
			}
			err := c.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("%v, want %q and no secret", err, tt.want)
			}
		})
	}
}
