package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"tailrace/backend/snapshot/bucket"
	"tailrace/test/gateway"
)

// TestKeysAreFoundInOrder gives the keys of the S3 server in one place and wrong ones
// in those that come after it.
func TestKeysAreFoundInOrder(t *testing.T) {
	g := startGateway(t)
	role := func(access, secret string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":"2100-01-01T00:00:00Z"}`, access, secret)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	const right, wrong, none = "right", "wrong", ""
	for name, tt := range map[string]struct {
		variables, file, machine string
		problem                  string
	}{
		"variables first":           {right, wrong, wrong, ""},
		"wrong ones are not mended": {wrong, right, right, bucket.ProblemKeys},
		"then the file":             {none, right, wrong, ""},
		"then a role":               {none, none, right, ""},
		"none":                      {none, none, none, bucket.ProblemKeys},
	} {
		t.Run(name, func(t *testing.T) {
			keys := map[string][2]string{right: {gateway.AccessKey, gateway.SecretKey}, wrong: {"nobody", "nothing"}}
			t.Setenv("AWS_ACCESS_KEY_ID", keys[tt.variables][0])
			t.Setenv("AWS_SECRET_ACCESS_KEY", keys[tt.variables][1])
			file := filepath.Join(t.TempDir(), "credentials")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
			if k := keys[tt.file]; tt.file != none {
				text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", k[0], k[1])
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			endpoint := gone.URL
			if k := keys[tt.machine]; tt.machine != none {
				endpoint = role(k[0], k[1])
			}
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint)
			target := g.target("s3://" + gateway.Bucket + "/x")
			target.Keys = nil
			err := open(t, target).Test(t.Context())
			if bucket.ProblemOf(err) != tt.problem {
				t.Errorf("%q: %v", bucket.ProblemOf(err), err)
			}
			if name == "none" && !strings.Contains(fmt.Sprint(err), "there are no keys: set AWS_ACCESS_KEY_ID") {
				t.Errorf("it says: %v", err)
			}
		})
	}
}

// TestKeysOfAProfile: AWS_PROFILE names a section of the files of the AWS tools.
func TestKeysOfAProfile(t *testing.T) {
	g := startGateway(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	right := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", gateway.AccessKey, gateway.SecretKey)
	const wrong = "aws_access_key_id = nobody\naws_secret_access_key = nothing\n"
	credentials := write("credentials", "[default]\n"+wrong+"[work]\n"+right)
	config := write("config", "[default]\nregion = us-east-1\n[profile other]\n"+right)
	gone := httptest.NewServer(nil)
	gone.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", gone.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
	t.Setenv("AWS_CONFIG_FILE", config)
	for name, tt := range map[string]struct{ profile, problem, words string }{
		"the default one":             {"", bucket.ProblemKeys, "the access key is not known there"},
		"of the credentials file":     {"work", "", ""},
		"of the configuration file":   {"other", "", ""},
		"one that is in neither file": {"absent", bucket.ProblemKeys, `the AWS files have none for the profile "absent"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_PROFILE", tt.profile)
			target := g.target("s3://" + gateway.Bucket + "/x")
			target.Keys = nil
			err := open(t, target).Test(t.Context())
			if bucket.ProblemOf(err) != tt.problem || tt.words != "" && !strings.Contains(fmt.Sprint(err), tt.words) {
				t.Errorf("%q: %v", bucket.ProblemOf(err), err)
			}
		})
	}
}

func TestKeysOfTheKeyring(t *testing.T) {
	g := startGateway(t)
	keyring.MockInit()
	for entry, keys := range map[string]string{
		"right": gateway.AccessKey + ":" + gateway.SecretKey, "wrong": gateway.AccessKey + ":nothing", "torn": "nothing",
	} {
		if err := keyring.Set(bucket.KeyringService, entry, keys); err != nil {
			t.Fatal(err)
		}
	}
	for entry, words := range map[string]string{
		"right":  "",
		"wrong":  "the secret key is wrong",
		"torn":   `the entry "torn" of the keyring is not ACCESS:SECRET`,
		"absent": `the keyring has no keys under "absent"`,
	} {
		t.Run(entry, func(t *testing.T) {
			target := g.target("s3://" + gateway.Bucket + "/x")
			target.Keys, target.Keyring = nil, entry
			b, err := bucket.Open(target)
			if err == nil {
				err = b.Test(t.Context())
			}
			if words == "" && err == nil {
				return
			}
			if bucket.ProblemOf(err) != bucket.ProblemKeys || !strings.Contains(fmt.Sprint(err), words) || strings.Contains(fmt.Sprint(err), gateway.SecretKey) {
				t.Errorf("%q: %v", bucket.ProblemOf(err), err)
			}
		})
	}
}

// TestARoleThatDoesNotAnswer: who should give keys takes connections, and says nothing.
func TestARoleThatDoesNotAnswer(t *testing.T) {
	asked, end := make(chan struct{}, 100), make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-end
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(end) })
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", silent.URL)
	target := bucket.Target{Location: "s3://kept/x", Endpoint: silent.URL, Region: "us-east-1", PathStyle: true}

	err := open(t, target).Test(t.Context())
	if bucket.ProblemOf(err) != bucket.ProblemKeys || !strings.Contains(fmt.Sprint(err), "did not answer within 3s") {
		t.Errorf("%q: %v", bucket.ProblemOf(err), err)
	}
	<-asked

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- open(t, target).Test(ctx) }()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while it waits: %v", err)
	}
}
