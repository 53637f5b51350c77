package engine

import (
	"testing"
	"testing/synctest"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// TestAwaitPublished looks at a stream between the commit of an append and its
// publication: the log's own notice of the append comes right then.
func TestAwaitPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := Open(t.Context(), db, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			e.Close()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
		sub := &store.Subscription{ID: "s", Type: store.TypePullWake, Pattern: "a", LeaseTTL: 1000, ConfigHash: []byte{1}}
		change := &store.SubscriptionChange{Sub: sub, Create: true, Link: []string{protocol.RegistryPath}}
		if err := db.Commit(&store.Write{Subscriptions: []*store.SubscriptionChange{change}}); err != nil {
			t.Fatal(err)
		}
		seen := make(chan protocol.Offset, 2)
		db.OnWork(func(string, store.Notice) {
			links, err := db.Links(t.Context(), sub.Number)
			if err != nil {
				t.Error(err)
			}
			for _, l := range links {
				if !l.Pending() {
					t.Errorf("nothing pending in %s", l.Path)
				}
				go func() {
					e.AwaitPublished(l.Path, l.Tail)
					if r, err := e.OpenReader(l.Path); err != nil {
						t.Error(err)
					} else if st, _, err := r.Current(); err != nil || st.Tail < l.Tail.Position {
						t.Errorf("%s ends at %s, the link says %s: %v", l.Path, st.TailOffset(), l.Tail, err)
					} else {
						r.Close()
					}
					seen <- l.Tail
				}()
			}
			synctest.Wait()
			if len(seen) != 1 { // the registry is the committer's own and published by now
				t.Errorf("%d streams are published before their commit has been answered", len(seen)-1)
			}
		})
		p, err := protocol.FramePayload(protocol.KindJSON, []byte(`1`), false, protocol.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Create("a", &CreateRequest{ContentType: "application/json", Payload: p}); err != nil {
			t.Fatal(err)
		}
		<-seen
		<-seen
		// Of what nobody uses, and of what is gone, there is nothing to wait for.
		e.AwaitPublished("absent", protocol.Offset{Position: 5})
		if err := e.Delete("a"); err != nil {
			t.Fatal(err)
		}
		e.AwaitPublished("a", protocol.Offset{Position: 5})
	})
}
