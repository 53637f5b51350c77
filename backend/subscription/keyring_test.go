package subscription

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/store"
)

// kids are the names of the published keys.
func (w *world) kids() []string {
	w.t.Helper()
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(w.must(200, "GET", "jwks.json", "", "").raw, &set); err != nil {
		w.t.Fatal(err)
	}
	kids := []string{}
	for _, k := range set.Keys {
		if k.Type != "OKP" || k.Curve != "Ed25519" || k.Use != "sig" || k.Alg != "EdDSA" {
			w.t.Errorf("key %+v", k)
		}
		kids = append(kids, k.ID)
	}
	return kids
}

func TestKeys(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.receiver("1", done)
		w.subscribe("s", webhook(r.url, ""))
		first := w.kids()
		w.create("events/a", `1`)
		old := r.next(t, 0)
		verify(t, w, old)
		synctest.Wait()

		w.reopen()
		if diff := cmp.Diff(first, w.kids()); diff != "" {
			t.Fatalf("keys after a restart (-want +got):\n%s", diff)
		}

		if err := w.m.RotateKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		both := w.kids()
		if len(both) != 2 || both[1] != first[0] {
			t.Fatalf("keys after rotation %v, before %v", both, first)
		}
		if got := w.get("s").Webhook.Signing.KeyID; got != both[0] {
			t.Errorf("active key %s, published %v", got, both)
		}
		verify(t, w, old)
		w.append("events/a", `2`)
		young := r.next(t, 0)
		verify(t, w, young)

		time.Sleep(replayWindow - time.Second)
		if diff := cmp.Diff(both, w.kids()); diff != "" {
			t.Errorf("keys within the replay window (-want +got):\n%s", diff)
		}
		w.reopen()
		time.Sleep(time.Second)
		if diff := cmp.Diff(both[:1], w.kids()); diff != "" {
			t.Errorf("keys behind the replay window (-want +got):\n%s", diff)
		}
		verify(t, w, young)

		// What is retired cannot sign again, and is forgotten in the end.
		keys, err := w.db.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if (k.RetiredAt != 0) != (k.Secret == nil) {
				t.Errorf("key %s: retired at %d, %d secret bytes", k.ID, k.RetiredAt, len(k.Secret))
			}
		}
		if err := w.m.RotateKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if keys, err = w.db.Keys(t.Context()); err != nil || len(keys) != 3 {
			t.Errorf("%d keys stored, want two for signatures and one for tokens: %v", len(keys), err)
		}
	})
}

// TestKeyID uses the example of RFC 8037, appendix A.3.
func TestKeyID(t *testing.T) {
	x, err := encoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got := keyID(x); got != "ds_kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("keyID = %s", got)
	}
}

func TestToken(t *testing.T) {
	k := &keyring{tokens: []byte("secret")}
	sub := &store.Subscription{Number: 3, Generation: 7}
	token := k.token(sub)
	if got, ok := k.checkToken(token, sub); !ok || got != 7 {
		t.Errorf("checkToken = %d, %v", got, ok)
	}
	later := &store.Subscription{Number: 3, Generation: 8}
	if got, ok := k.checkToken(token, later); !ok || got != 7 {
		t.Errorf("token of an earlier generation: %d, %v", got, ok)
	}
	if _, ok := k.checkToken(token, &store.Subscription{Number: 4, Generation: 7}); ok {
		t.Error("the token of another subscription passes")
	}
	if _, ok := (&keyring{tokens: []byte("other")}).checkToken(token, sub); ok {
		t.Error("the token of another server passes")
	}
	for i := range token {
		for _, c := range []byte{'A', 'B'} {
			forged := []byte(token)
			if forged[i] == c {
				continue
			}
			forged[i] = c
			if _, ok := k.checkToken(string(forged), sub); ok {
				t.Errorf("byte %d may be changed", i)
			}
		}
	}
	for _, bad := range []string{"", "x", token[:10], token + token} {
		if _, ok := k.checkToken(bad, sub); ok {
			t.Errorf("%q passes", bad)
		}
	}
}

// TestRotateKeyForSomebodyWhoLeaves: a rotation that is on disk is in force.
func TestRotateKeyForSomebodyWhoLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		before := w.m.KeyID()
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if err := w.m.RotateKey(ctx); err != nil {
			t.Error(err)
		}
		active := w.m.KeyID()
		if active == before {
			t.Error("the old key signs still")
		}
		if w.reopen(); w.m.KeyID() != active {
			t.Errorf("after a restart %s signs, before %s", w.m.KeyID(), active)
		}
	})
}
