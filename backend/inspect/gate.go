package inspect

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// tokenFile holds the token in the data folder, so that open pages go on working
// when the server is started again. Deleting it locks them all out.
const tokenFile = "inspector-token"

// maxCodes is how many unspent codes are kept; the oldest goes first.
const maxCodes = 32

// Gate guards the API: one long token, and one-time codes that buy it.
type Gate struct {
	token string

	mu    sync.Mutex
	codes [][sha256.Size]byte // oldest first
}

// OpenGate reads the token of a data folder, making one if there is none.
func OpenGate(dir string) (*Gate, error) {
	path := filepath.Join(dir, tokenFile)
	b, err := os.ReadFile(path)
	if token := strings.TrimSpace(string(b)); err == nil && len(token) >= 32 {
		return &Gate{token: token}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the inspector token: %w", err)
	}
	g := &Gate{token: randomText(32)}
	if err := os.WriteFile(path, []byte(g.token+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the inspector token: %w", err)
	}
	return g, nil
}

// randomText returns n random bytes in URL-safe characters.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// Token is the bearer token.
func (g *Gate) Token() string { return g.token }

// NewCode returns a code that buys the token once.
func (g *Gate) NewCode() string {
	code := randomText(18)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.codes) == maxCodes {
		g.codes = g.codes[1:]
	}
	g.codes = append(g.codes, sha256.Sum256([]byte(code)))
	return code
}

// Spend exchanges a code for the token.
func (g *Gate) Spend(code string) (token string, ok bool) {
	sum := sha256.Sum256([]byte(code))
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, c := range g.codes {
		if subtle.ConstantTimeCompare(c[:], sum[:]) == 1 {
			g.codes = append(g.codes[:i:i], g.codes[i+1:]...)
			return g.token, true
		}
	}
	return "", false
}

// Admits checks an Authorization header, in constant time.
func (g *Gate) Admits(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 1
}
