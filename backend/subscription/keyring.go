package subscription

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"tailrace/backend/store"
)

// replayWindow is how long receivers may accept a signature, and so how long the
// public half of a retired key stays published (PROTOCOL §6.5).
const replayWindow = 10 * time.Minute

// tokenKeyID names the secret of callback tokens among the keys.
const tokenKeyID = "callback-tokens"

// keyring is what signs webhooks and makes tokens. It is immutable.
type keyring struct {
	kid     string
	private ed25519.PrivateKey
	tokens  []byte
	public  []publicKey // the active one first
}

// publicKey is a key that receivers may need to check a signature.
type publicKey struct {
	kid       string
	x         string
	retiredAt int64 // unix milliseconds, 0: in use
}

// encoding is that of JWKs, signatures and tokens.
var encoding = base64.RawURLEncoding

// keyID derives a key's name from its JWK thumbprint (RFC 7638, RFC 8037).
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"Ed25519","kty":"OKP","x":%q}`, encoding.EncodeToString(public)))
	return "ds_" + encoding.EncodeToString(sum[:])
}

// openKeys loads the keys, and makes those that are missing.
func (m *Manager) openKeys(ctx context.Context) error {
	keys, err := m.db.Keys(ctx)
	if err != nil {
		return err
	}
	var sign, token bool
	for _, k := range keys {
		sign = sign || (k.Use == store.KeySign && k.RetiredAt == 0)
		token = token || (k.Use == store.KeyToken && k.RetiredAt == 0)
	}
	if !token {
		secret := make([]byte, sha256.Size)
		rand.Read(secret)
		k := store.Key{ID: tokenKeyID, Use: store.KeyToken, Secret: secret, CreatedAt: m.now().UnixMilli()}
		if err := m.db.Commit(&store.Write{Key: &store.KeyChange{New: k}}); err != nil {
			return err
		}
	}
	if !sign {
		return m.RotateKey(ctx)
	}
	return m.loadKeys(ctx)
}

// RotateKey makes a new signing key. The old one signs nothing any more; its
// public half stays published while signatures of it may still be checked.
func (m *Manager) RotateKey(ctx context.Context) error {
	m.rotating.Lock()
	defer m.rotating.Unlock()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	now := m.now()
	change := &store.KeyChange{
		New: store.Key{
			ID: keyID(public), Use: store.KeySign, Secret: private.Seed(), Public: public, CreatedAt: now.UnixMilli(),
		},
		Forget: now.Add(-replayWindow).UnixMilli(),
	}
	if err := m.db.Commit(&store.Write{Key: change}); err != nil {
		return err
	}
	return m.loadKeys(context.WithoutCancel(ctx)) // it is done, whoever has left
}

// KeyID is the kid of the key that signs.
func (m *Manager) KeyID() string { return m.keys.Load().kid }

func (m *Manager) loadKeys(ctx context.Context) error {
	keys, err := m.db.Keys(ctx)
	if err != nil {
		return err
	}
	var k keyring
	for _, key := range keys {
		if key.Use == store.KeyToken {
			k.tokens = key.Secret
			continue
		}
		p := publicKey{kid: key.ID, x: encoding.EncodeToString(key.Public), retiredAt: key.RetiredAt}
		if key.RetiredAt != 0 {
			k.public = append(k.public, p)
			continue
		}
		if len(key.Secret) != ed25519.SeedSize {
			return fmt.Errorf("signing key %s is damaged", key.ID)
		}
		k.kid, k.private = key.ID, ed25519.NewKeyFromSeed(key.Secret)
		k.public = append([]publicKey{p}, k.public...)
	}
	m.keys.Store(&k)
	return nil
}

// sign returns the Webhook-Signature header of a body (PROTOCOL §7.1).
func (k *keyring) sign(body []byte, at time.Time) string {
	t := at.Unix()
	signature := ed25519.Sign(k.private, append(fmt.Appendf(nil, "%d.", t), body...))
	return fmt.Sprintf("t=%d,kid=%s,ed25519=%s", t, k.kid, encoding.EncodeToString(signature))
}

// token returns the bearer token of a wake. It is computed, not stored, so that a
// wake that is delivered again after a restart carries the same one:
//
//	token = base64url(number:8  generation:8  hmac-sha256:32)
func (k *keyring) token(s *store.Subscription) string {
	var claims [16]byte
	binary.BigEndian.PutUint64(claims[:8], uint64(s.Number))
	binary.BigEndian.PutUint64(claims[8:], uint64(s.Generation))
	return encoding.EncodeToString(append(claims[:], k.mac(claims[:])...))
}

func (k *keyring) mac(claims []byte) []byte {
	h := hmac.New(sha256.New, k.tokens)
	h.Write(claims)
	return h.Sum(nil)
}

// checkToken returns the generation that a token was made for. It is false for
// what is not a token of this subscription.
func (k *keyring) checkToken(token string, s *store.Subscription) (generation int64, ok bool) {
	claims, ok := k.claims(token)
	if !ok || binary.BigEndian.Uint64(claims[:8]) != uint64(s.Number) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(claims[8:])), true
}

// claims returns what a token says, and whether this server made it.
func (k *keyring) claims(token string) ([]byte, bool) {
	raw, err := encoding.DecodeString(token)
	if err != nil || len(raw) != 16+sha256.Size || !hmac.Equal(raw[16:], k.mac(raw[:16])) {
		return nil, false
	}
	return raw[:16], true
}
