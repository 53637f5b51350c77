package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tailrace/backend/protocol"
)

// Level is how much a token allows; each includes the ones before it.
type Level int

const (
	Read   Level = iota + 1 // GET and HEAD
	Append                  // and POST: append, close
	Full                    // and PUT and DELETE; subscriptions, if the token is unlimited
)

var levelNames = []string{Read: "read", Append: "append", Full: "full"}

func (l Level) String() string {
	if l < Read || l > Full {
		return fmt.Sprintf("Level(%d)", int(l))
	}
	return levelNames[l]
}

// ParseLevel reads "read", "append" or "full".
func ParseLevel(s string) (Level, error) {
	if i := slices.Index(levelNames, s); i >= int(Read) {
		return Level(i), nil
	}
	return 0, fmt.Errorf("access is %q, expected read, append or full", s)
}

// Hash is the SHA-256 of a secret.
type Hash [sha256.Size]byte

// HashOf returns the hash of a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return Hash{}, fmt.Errorf("sha256 is not a hash, expected %d hexadecimal digits", 2*len(h))
	}
	return Hash(b), nil
}

// Token is a bearer token.
type Token struct {
	Name  string
	Level Level
	Paths []string // globs of stream paths (PROTOCOL §6.2); none: every stream
	Hash  Hash
}

// Unlimited reports whether the token is good for every stream.
func (t *Token) Unlimited() bool {
	return len(t.Paths) == 0 || slices.Contains(t.Paths, "**")
}

// Covers reports whether the token is good for a stream path. The registry names
// every stream, so only an unlimited token covers it.
func (t *Token) Covers(path string) bool {
	if t.Unlimited() {
		return true
	}
	return path != protocol.RegistryPath &&
		slices.ContainsFunc(t.Paths, func(glob string) bool { return protocol.MatchGlob(glob, path) })
}

// Scope says in words what the token allows.
func (t *Token) Scope() string {
	if t.Unlimited() {
		return t.Level.String() + " access to every stream"
	}
	return t.Level.String() + " access to " + strings.Join(t.Paths, ", ")
}

// Find returns the token with a secret, nil when there is none. How long it takes
// depends on the number of tokens and the length of the secret only.
func Find(tokens []Token, secret string) *Token {
	hash := HashOf(secret)
	found := -1
	for i := range tokens {
		equal := subtle.ConstantTimeCompare(hash[:], tokens[i].Hash[:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 {
		return nil
	}
	return &tokens[found]
}

// NewSecret makes a secret of 256 random bits. The prefix lets secret scanners
// and people recognise it.
func NewSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return "tailrace_" + base64.RawURLEncoding.EncodeToString(b)
}
