package bucket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
