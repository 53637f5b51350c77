package torture

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// shared is a stream that several writers append to. It is never deleted.
type shared struct {
	path, contentType string
	writers           []*writer
	// content is what was there at the last check: the beginning of what is there
	// at all later ones.
	content []string
}

// writer appends to a shared stream, one request at a time.
type writer struct {
	to       *shared
	name     string
	producer bool
	rng      *rand.Rand

	epoch, seq int
	n          int      // of the next message
	acked      []string // its messages, in order
	// pending is the append under way when the server died; want is the status
	// that its repetition must get, once the outcome is known.
	pending []string
	want    int
}

func newShared(path, contentType string, producers, plain int, rng func(uint64) *rand.Rand) *shared {
	sh := &shared{path: path, contentType: contentType}
	for i := range producers + plain {
		name := fmt.Sprintf("%s-%d", path, i)
		sh.writers = append(sh.writers, &writer{to: sh, name: name, producer: i < producers, rng: rng(uint64(len(path)*100 + i))})
	}
	return sh
}

// ids are the messages in content, without what makes them long.
func (sh *shared) ids(atoms []string) []string {
	if sh.contentType == textType {
		return strings.Fields(strings.Join(atoms, ""))
	}
	ids := make([]string, len(atoms))
	for i, a := range atoms {
		ids[i], _, _ = strings.Cut(strings.Trim(a, `"`), " ")
	}
	return ids
}

// step appends. It reports false when the server has gone.
func (w *writer) step(s *server) bool {
	if w.pending == nil {
		k := 2 + w.rng.IntN(3)
		w.pending = messages(w.to.contentType, w.name, w.n, k, w.rng)
		w.n += k
		w.want = http.StatusNoContent
		if w.producer {
			w.want = http.StatusOK
			if w.seq > 0 && w.rng.IntN(100) == 0 {
				w.epoch, w.seq = w.epoch+1, 0
			}
		}
	}
	header := []string{"Content-Type", w.to.contentType}
	if w.producer {
		header = append(header, w.tuple(w.epoch, w.seq)...)
	}
	r, ok := s.do(http.MethodPost, w.to.path, join(w.to.contentType, w.pending), header...)
	if !ok {
		return false
	}
	if r.status != w.want {
		s.t.Errorf("append of %s to %s: %d, want %d: %s", w.name, w.to.path, r.status, w.want, r.body)
		return false
	}
	w.done()
	return true
}

func (w *writer) tuple(epoch, seq int) []string {
	return []string{"Producer-Id", w.name, "Producer-Epoch", strconv.Itoa(epoch), "Producer-Seq", strconv.Itoa(seq)}
}

// done records that the pending append is there.
func (w *writer) done() {
	w.acked = append(w.acked, w.to.ids(w.pending)...)
	w.pending = nil
	w.seq++
}

// verify compares the stream with what its writers know, and resolves what was
// under way.
func (sh *shared) verify(s *server) {
	s.t.Helper()
	raw, last := s.read(sh.path, "-1")
	if last.status != http.StatusOK {
		s.t.Fatalf("%s: %d: %s", sh.path, last.status, last.body)
	}
	atoms, err := split(sh.contentType, raw)
	if err != nil {
		s.t.Fatalf("%s: %v", sh.path, err)
	}
	if len(atoms) != position(last.next()) {
		s.t.Errorf("%s: %d positions end at %s", sh.path, len(atoms), last.next())
	}
	if len(atoms) < len(sh.content) || !slices.Equal(atoms[:len(sh.content)], sh.content) {
		s.t.Errorf("%s: what was read before the restart is not there any more", sh.path)
	}
	sh.content = atoms
	by := map[string][]string{}
	for _, id := range sh.ids(atoms) {
		name, _, _ := strings.Cut(id, ".")
		by[name] = append(by[name], id)
	}
	for _, w := range sh.writers {
		w.verify(s, by[w.name])
	}
}

func (w *writer) verify(s *server, got []string) {
	s.t.Helper()
	written := slices.Concat(w.acked, w.to.ids(w.pending))
	switch {
	case slices.Equal(got, w.acked):
		if !w.producer {
			w.pending = nil // a client without a producer gives up
		}
	case w.pending != nil && slices.Equal(got, written) && w.producer:
		w.want = http.StatusNoContent // the repetition is a duplicate
	case w.pending != nil && slices.Equal(got, written):
		w.done()
	default:
		s.t.Errorf("%s holds %d messages of %s, %d were acknowledged and %d under way; %s",
			w.to.path, len(got), w.name, len(w.acked), len(written)-len(w.acked), difference(got, written))
	}
	if w.producer && w.epoch > 0 && w.seq > 0 {
		s.must(http.StatusForbidden, http.MethodPost, w.to.path, `"x"`,
			append(w.tuple(w.epoch-1, w.seq), "Content-Type", w.to.contentType)...)
	}
}

// difference describes where two lists part.
func difference(got, want []string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("from number %d on there is %.60q instead of %.60q", i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
}
