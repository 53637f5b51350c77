package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/zalando/go-keyring"
)

// KeyringService is the name under which keys stand in the system's keyring, as
// ACCESS:SECRET.
const KeyringService = "tailrace"

// roleTimeout bounds how long a role of the machine is waited for: most machines are
// not in a cloud.
const roleTimeout = 3 * time.Second

// keys are those of a target, looked for when they are needed.
type keys struct {
	found *credentials.Credentials
	// asked are those that may have them, in order; nil: they were given.
	asked []*asked
}

// keysOf finds the keys of a target.
func keysOf(t Target) (*keys, error) {
	switch {
	case t.Keys != nil:
		return &keys{found: credentials.NewStaticV4(t.Keys.Access, t.Keys.Secret, t.Keys.Session)}, nil
	case t.Keyring != "":
		entry, err := keyring.Get(KeyringService, t.Keyring)
		if err != nil {
			return nil, fmt.Errorf("the keyring has no keys under %q: %w", t.Keyring, err)
		}
		access, secret, ok := strings.Cut(entry, ":")
		if !ok {
			return nil, fmt.Errorf("the entry %q of the keyring is not ACCESS:SECRET", t.Keyring)
		}
		return &keys{found: credentials.NewStaticV4(access, secret, "")}, nil
	}
	k := &keys{asked: []*asked{
		{Provider: &credentials.EnvAWS{}},
		{Provider: &credentials.FileAWSCredentials{}, why: whyNotFile},
		{Provider: &credentials.IAM{Client: &http.Client{Timeout: roleTimeout}}, why: whyNoRole},
	}}
	chain := make([]credentials.Provider, len(k.asked))
	for i, a := range k.asked {
		chain[i] = a
	}
	k.found = credentials.NewChainCredentials(chain)
	return k, nil
}

// asked remembers why there were no keys.
type asked struct {
	credentials.Provider
	why func(error) string // "": nobody expected them here

	mu  sync.Mutex
	err error
}

func (a *asked) RetrieveWithCredContext(c *credentials.CredContext) (credentials.Value, error) {
	v, err := a.Provider.RetrieveWithCredContext(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
	return v, err
}

// reason is why there were none, in words.
func (a *asked) reason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil || a.why == nil {
		return ""
	}
	return a.why(a.err)
}

func whyNotFile(err error) string {
	profile := os.Getenv("AWS_PROFILE")
	switch {
	case profile != "":
		return fmt.Sprintf("the AWS files have none for the profile %q: %v", profile, err)
	case errors.Is(err, fs.ErrNotExist):
		return ""
	}
	return fmt.Sprintf("the AWS files have none: %v", err)
}

func whyNoRole(err error) string {
	var slow interface{ Timeout() bool }
	if errors.As(err, &slow) && slow.Timeout() {
		return fmt.Sprintf("who gives keys to a role of this machine did not answer within %v", roleTimeout)
	}
	if os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") == "" && os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") == "" && os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") == "" {
		return ""
	}
	return fmt.Sprintf("the role of this machine gives none: %v", err)
}

// haveKeys looks for keys and says so when there are none, instead of asking as a
// stranger.
func (s *s3) haveKeys(ctx context.Context) error {
	c := s.client.CredContext()
	c.Context = ctx
	v, err := s.keys.found.GetWithContext(c)
	if err == nil && v.AccessKeyID != "" {
		return nil
	}
	if ctx.Err() != nil {
		return s.explain(ctx.Err())
	}
	advice := "there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, write them to ~/.aws/credentials, or name a keyring entry"
	for _, a := range s.keys.asked {
		if why := a.reason(); why != "" {
			advice += "; " + why
		}
	}
	return s.problem(ProblemKeys, advice, err)
}
