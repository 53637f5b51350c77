package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// registry reads all events.
func (e *testEngine) registry() (events []event) {
	e.t.Helper()
	data, _ := e.content(protocol.RegistryPath, 0)
	if err := json.Unmarshal([]byte("["+data+"]"), &events); err != nil {
		e.t.Fatal(err)
	}
	return events
}

// events are the registry's events in the form "insert path".
func (e *testEngine) events() (out []string) {
	e.t.Helper()
	for _, ev := range e.registry() {
		out = append(out, ev.Headers.Operation+" "+ev.Key)
	}
	return out
}

func TestRegistryEvents(t *testing.T) {
	at := time.UnixMilli(1_770_000_000_000)
	e := newTestEngine(t, Options{Now: func() time.Time { return at }}, store.Options{})
	e.mustCreate(`a/<b>"&`, "text/plain; charset=utf-8")
	e.mustAppend(`a/<b>"&`, text, "x")
	e.mustAppend(`a/<b>"&`, text, "y", closing)
	if _, err := e.Append(`a/<b>"&`, request("", "", closing)); err != nil { // closed already
		t.Fatal(err)
	}
	if err := e.Delete(`a/<b>"&`); err != nil {
		t.Fatal(err)
	}
	got, _ := e.content(protocol.RegistryPath, 0)
	want := `{"type":"stream","key":"a/<b>\"&","value":{"path":"a/<b>\"&","contentType":"text/plain; charset=utf-8","createdAt":1770000000000},"headers":{"operation":"insert"}},` +
		`{"type":"stream","key":"a/<b>\"&","value":{"path":"a/<b>\"&","contentType":"text/plain; charset=utf-8","createdAt":1770000000000,"closed":true},"headers":{"operation":"update"}},` +
		`{"type":"stream","key":"a/<b>\"&","headers":{"operation":"delete"}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRegistryTellsOfCreationAsClosed(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	e.mustCreate("a", text, closed)
	events := e.registry()
	if len(events) != 1 || events[0].Headers.Operation != "insert" || !events[0].Value.Closed {
		t.Errorf("got %+v", events)
	}
}

func TestRegistrySurvivesReopen(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 1, CacheBytes: 1})
	var want []string
	for i := range 6 {
		path := fmt.Sprint("s", i)
		e.mustCreate(path, text)
		want = append(want, "insert "+path)
		if i%2 == 0 {
			e.reopen()
		}
		if diff := cmp.Diff(want, e.events()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

// Whatever the order in which paths race, the events of one path alternate as its
// streams did, and a reader who waits misses none.
func TestRegistryUnderConcurrency(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 2000, CacheBytes: 1})
	r, err := e.OpenReader(protocol.RegistryPath)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const paths, rounds = 8, 6
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			path := fmt.Sprint("s", i)
			for range rounds {
				if _, err := e.Create(path, &CreateRequest{ContentType: text}); err != nil {
					t.Error(err)
				}
				if _, err := e.Append(path, request("", "", closing)); err != nil {
					t.Error(err)
				}
				if err := e.Delete(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for {
		st, changed, err := r.Current()
		if err != nil {
			t.Fatal(err)
		}
		if st.Tail == 3*paths*rounds {
			break
		}
		<-changed
	}
	wg.Wait()
	next := map[string]int{}
	order := []string{"insert", "update", "delete"}
	for _, ev := range e.registry() {
		if want := order[next[ev.Key]%3]; ev.Headers.Operation != want {
			t.Fatalf("%s: %s when %s was due", ev.Key, ev.Headers.Operation, want)
		}
		next[ev.Key]++
	}
	before := e.events()
	e.reopen()
	if !slices.Equal(before, e.events()) {
		t.Error("the registry is another one after a restart")
	}
}
