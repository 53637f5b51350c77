package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What others could read in the file of a service holds no secret.
func TestAServiceIsToldNoSecret(t *testing.T) {
	inv := &invocation{environ: []string{
		"HOME=/home/a", "TAILRACE_LOG_LEVEL=debug", "TAILRACE_TOKENS=s", "AWS_REGION=r", "AWS_CONFIG_FILE=/f", "AWS_WEB_IDENTITY_TOKEN_FILE=/t",
		"AWS_ACCESS_KEY_ID=s", "AWS_ACCESS_KEY=s", "AWS_SECRET_ACCESS_KEY=s", "AWS_SECRET_KEY=s", "AWS_SESSION_TOKEN=s",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN=s",
	}}
	spec, left, err := inv.serviceSpec("", "/data")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"TAILRACE_LOG_LEVEL=debug", "AWS_REGION=r", "AWS_CONFIG_FILE=/f", "AWS_WEB_IDENTITY_TOKEN_FILE=/t"}
	if d := cmp.Diff(want, spec.Env); d != "" {
		t.Error(d)
	}
	if len(left) != 7 {
		t.Errorf("left out: %q", left)
	}
}
