package access

import (
	"errors"
	"fmt"
	"strings"

	"tailrace/backend/protocol"
)

const (
	nameBytes = 64
	globBytes = 8192
	// secretBytes keeps guessing out of reach, online and from a hash.
	secretBytes = 16
)

// hashPrefix marks a hash where a secret could stand. No secret looks like it: a
// bearer token has = at its end only (RFC 6750 §2.1).
const hashPrefix = "sha256="

// Parse reads the compact form of a token: name:access:secret for every stream,
// or name:access:globs:secret with globs separated by commas. In place of the
// secret may stand sha256= and its hash. Errors never repeat the text.
func Parse(text string) (Token, error) {
	const form = "expected name:access:secret or name:access:paths:secret"
	name, rest, ok := strings.Cut(text, ":")
	if !ok {
		return Token{}, errors.New(form)
	}
	level, rest, ok := strings.Cut(rest, ":")
	if !ok {
		return Token{}, errors.New(form)
	}
	t := Token{Name: name}
	// A path may hold colons, a secret may not: it is what follows the last one.
	secret := rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		t.Paths, secret = strings.Split(rest[:i], ","), rest[i+1:]
	}
	var err error
	if t.Level, err = ParseLevel(level); err != nil {
		return Token{}, err
	}
	if hash, ok := strings.CutPrefix(secret, hashPrefix); ok {
		t.Hash, err = ParseHash(hash)
	} else {
		t.Hash, err = ParseSecret(secret)
	}
	if err != nil {
		return Token{}, err
	}
	return t, t.Check()
}

// Compact returns the compact form, with the hash.
func (t *Token) Compact() string {
	parts := []string{t.Name, t.Level.String()}
	if len(t.Paths) > 0 {
		parts = append(parts, strings.Join(t.Paths, ","))
	}
	return strings.Join(append(parts, hashPrefix+t.Hash.String()), ":")
}

// ParseSecret checks that a secret can stand in an Authorization header and
// cannot be guessed, and returns its hash.
func ParseSecret(secret string) (Hash, error) {
	if len(secret) < secretBytes {
		return Hash{}, fmt.Errorf("the secret is too short to be one: expected at least %d characters", secretBytes)
	}
	if !isToken68(secret) {
		return Hash{}, errors.New("the secret has a character that a bearer token may not have: expected letters, digits, - . _ ~ + / and = at the end")
	}
	return HashOf(secret), nil
}

// isToken68 reports whether s is the b64token of RFC 6750 §2.1.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, letters+digits+"-._~+/") == ""
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// Check reports what is wrong with a token.
func (t *Token) Check() error {
	if t.Name == "" || len(t.Name) > nameBytes || strings.Trim(t.Name, letters+digits+"-._") != "" {
		return fmt.Errorf("name is %q, expected 1 to %d letters, digits, - . or _", t.Name, nameBytes)
	}
	if t.Level < Read || t.Level > Full {
		return fmt.Errorf("token %s: access is missing, expected read, append or full", t.Name)
	}
	for _, glob := range t.Paths {
		if err := protocol.CheckPath(glob, protocol.Limits{PathBytes: globBytes}); err != nil {
			return fmt.Errorf("token %s: paths has %q, expected a glob of stream paths, such as orders/**", t.Name, glob)
		}
	}
	if t.Hash == (Hash{}) {
		return fmt.Errorf("token %s: the secret is missing, expected sha256 or token", t.Name)
	}
	return nil
}

// CheckAll reports what is wrong with tokens that are used together.
func CheckAll(tokens []Token) error {
	names, hashes := map[string]bool{}, map[Hash]string{}
	for i := range tokens {
		t := &tokens[i]
		if err := t.Check(); err != nil {
			return err
		}
		if names[t.Name] {
			return fmt.Errorf("two tokens are named %s", t.Name)
		}
		if other, ok := hashes[t.Hash]; ok {
			return fmt.Errorf("the tokens %s and %s have the same secret", other, t.Name)
		}
		names[t.Name], hashes[t.Hash] = true, t.Name
	}
	return nil
}
