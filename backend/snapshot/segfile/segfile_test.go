package segfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// sample is a stream in the shape of the log: a header and batches that fill it.
type sample struct {
	header  Header
	batches []*store.Batch
}

// newSample makes a stream out of the messages of each append.
func newSample(contentType string, appends ...[]string) sample {
	h := Header{
		Path: "orders/été", ContentType: contentType, Incarnation: 3, CreatedAt: 1770000000000, TakenAt: 1770000005000,
		StreamSeq: "b7", Closed: true, ClosedAt: 1770000004000, ClosedBy: &Producer{"p1", 2, 9},
		Producers: []ProducerState{{Producer{"p1", 2, 9}, 1770000004000}, {Producer{"p2", 0, 0}, 1770000001000}},
		Fork:      &Fork{From: "orders", Offset: "0000000000000003_0000000000000001", SubOffset: 1, Base: 1, BaseMessages: 1},
		Program:   "tailrace test",
	}
	ttl := int64(3600)
	h.TTL = &ttl
	kind := h.Kind()
	var pos store.Position
	s := sample{}
	for i, messages := range appends {
		b := &store.Batch{Time: 1770000000000 + int64(i)*7}
		for k, m := range messages {
			if k > 0 {
				b.Payload.Data = append(b.Payload.Data, ',')
			}
			b.Payload.Data = append(b.Payload.Data, m...)
			b.Payload.Sizes = append(b.Payload.Sizes, len(m))
		}
		if i%2 == 0 {
			b.Producer = &protocol.Producer{ID: fmt.Sprintf("p%d", i%3), Epoch: 1, Seq: int64(i)}
		}
		b.Closing = i == len(appends)-1
		pos = pos.Place(kind, b)
		s.batches = append(s.batches, b)
	}
	h.End, h.Messages, h.Bytes, h.LastAppendAt = pos.Tail, pos.Messages, pos.Bytes, pos.LastAppendAt
	s.header = h
	return s
}

func (s sample) write(t testing.TB, compress bool) ([]byte, Summary) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, s.header, compress)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range s.batches {
		if err := w.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), sum
}

// readAll reads a whole file.
func readAll(file []byte) (h Header, batches []*store.Batch, sum Summary, err error) {
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return h, nil, sum, err
	}
	for {
		more, err := r.Next()
		if err == io.EOF {
			return *r.Header(), batches, r.Summary(), nil
		}
		if err != nil {
			return h, nil, sum, err
		}
		batches = append(batches, more...)
	}
}

// diffBatches compares batches in what a file keeps.
func diffBatches(want, got []*store.Batch) string {
	return cmp.Diff(want, got, cmp.Comparer(bytes.Equal), cmp.Comparer(slices.Equal[[]int]), cmpopts.IgnoreUnexported(store.Batch{}))
}

func samples() map[string]sample {
	r := rand.New(rand.NewPCG(1, 2))
	var large, many [][]string
	for range 7 {
		b := make([]byte, 300_000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		large = append(large, []string{string(b)})
	}
	for i := range 30_000 {
		many = append(many, []string{fmt.Sprintf(`{"n":%040d}`, i), `1.0`, `"x"`})
	}
	return map[string]sample{
		"json":    newSample("application/json", []string{`{"a":1}`, `9007199254740993`}, []string{`","`}, []string{`[1, 2]`}),
		"text":    newSample("text/plain; charset=utf-8", []string{"héllo"}, []string{"world"}),
		"bytes":   newSample("application/octet-stream", large...),
		"many":    newSample("application/json", many...),
		"empty":   newSample("text/plain"),
		"one big": newSample("text/plain", []string{string(bytes.Repeat([]byte("abc"), 2<<20))}, []string{"x"}),
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for name, s := range samples() {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/zstd=%v", name, compress), func(t *testing.T) {
				file, wrote := s.write(t, compress)
				h, batches, read, err := readAll(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(s.header, h); diff != "" {
					t.Errorf("header (-want +got):\n%s", diff)
				}
				if diff := diffBatches(s.batches, batches); diff != "" {
					t.Errorf("batches (-want +got):\n%.2000s", diff)
				}
				if diff := cmp.Diff(wrote, read); diff != "" {
					t.Errorf("summary (-written +read):\n%s", diff)
				}
				if read.Size != int64(len(file)) {
					t.Errorf("size %d, want %d", read.Size, len(file))
				}
			})
		}
	}
}

func TestSegmentsAreFoundThroughTheIndex(t *testing.T) {
	s := samples()["many"]
	file, sum := s.write(t, true)
	read := func(off int64, n int) ([]byte, error) { return file[off : off+int64(n)], nil }
	x, err := ReadIndex(read, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Entries) != sum.Segments || sum.Segments < 2 {
		t.Fatalf("%d entries for %d segments", len(x.Entries), sum.Segments)
	}
	for _, pos := range []int64{0, 1, 77_777, s.header.End - 1} {
		for how, i := range map[string]int{"position": x.AtPosition(pos), "ordinal": x.AtOrdinal(pos)} {
			batches, err := x.Segment(read, i)
			if err != nil {
				t.Fatal(err)
			}
			if first, last := batches[0], batches[len(batches)-1]; first.Start > pos || last.End <= pos {
				t.Errorf("segment by %s %d holds %d to %d", how, pos, first.Start, last.End)
			}
		}
	}
	at := s.batches[20_000].Time
	batches, err := x.Segment(read, x.AtTime(at))
	if err != nil {
		t.Fatal(err)
	}
	if batches[0].Time > at || batches[len(batches)-1].Time < at {
		t.Errorf("segment by time %d holds %d to %d", at, batches[0].Time, batches[len(batches)-1].Time)
	}
	if i, j, k := x.AtPosition(s.header.End), x.AtOrdinal(s.header.Messages), x.AtTime(1<<60); i != -1 || j != -1 || k != -1 {
		t.Errorf("behind the end: segments %d, %d, %d", i, j, k)
	}
}

// TestEveryDamageIsFound cuts a small file at every length and flips every bit.
func TestEveryDamageIsFound(t *testing.T) {
	for _, compress := range []bool{false, true} {
		file, _ := samples()["json"].write(t, compress)
		for n := range file {
			if _, _, _, err := readAll(file[:n]); err == nil {
				t.Fatalf("a file cut to %d of %d bytes is read", n, len(file))
			}
		}
		for i := range file {
			for bit := range 8 {
				flipped := bytes.Clone(file)
				flipped[i] ^= 1 << bit
				if _, _, _, err := readAll(flipped); err == nil {
					t.Fatalf("bit %d of byte %d is flipped, and the file is read", bit, i)
				}
			}
		}
		if _, _, _, err := readAll(append(bytes.Clone(file), 0)); err == nil {
			t.Fatal("a byte too many is not noticed")
		}
	}
}

func TestOtherFilesAreToldApart(t *testing.T) {
	file, _ := samples()["json"].write(t, false)
	newer := bytes.Clone(file)
	newer[len(magic)+1] = 2
	var version *VersionError
	if _, err := NewReader(bytes.NewReader(newer)); !errors.As(err, &version) || version.Have != 2 {
		t.Errorf("a newer file: %v", err)
	}
	for _, other := range []string{"", "x", "SQLite format 3\x00................"} {
		if _, err := NewReader(bytes.NewReader([]byte(other))); !errors.Is(err, ErrNotSnapshot) {
			t.Errorf("%q: %v, want ErrNotSnapshot", other, err)
		}
	}
}

func TestWriterRefusesGaps(t *testing.T) {
	s := samples()["json"]
	w, err := NewWriter(io.Discard, s.header, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(s.batches[1]); err == nil {
		t.Error("a batch behind a gap is taken")
	}
	if err := w.Add(s.batches[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err == nil {
		t.Error("a file that ends too early is finished")
	}
}

var update = flag.Bool("update", false, "write the golden file of the current version")

// TestEarlierVersionsStayReadable reads a file of each version, written when that
// was the newest. They are never written again.
func TestEarlierVersionsStayReadable(t *testing.T) {
	want := samples()["json"]
	if *update {
		for name, compress := range map[string]bool{"plain": false, "zstd": true} {
			file, _ := want.write(t, compress)
			if err := os.WriteFile(fmt.Sprintf("testdata/v%d-%s.seg", Version, name), file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob("testdata/v*.seg")
	if err != nil || len(files) < 2*Version {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, batches, _, err := readAll(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want.header, h) + diffBatches(want.batches, batches); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	// The current version is written as it always was.
	golden, err := os.ReadFile(fmt.Sprintf("testdata/v%d-plain.seg", Version))
	if err != nil {
		t.Fatal(err)
	}
	if file, _ := want.write(t, false); !bytes.Equal(file, golden) {
		t.Error("the writer writes other bytes than before: a new version is needed")
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"json", "text", "empty"} {
		for _, compress := range []bool{false, true} {
			file, _ := samples()[s].write(f, compress)
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		read := func(off int64, n int) ([]byte, error) {
			if off < 0 || off+int64(n) > int64(len(file)) {
				return nil, io.ErrUnexpectedEOF
			}
			return file[off : off+int64(n)], nil
		}
		h, batches, _, err := readAll(file)
		x, indexErr := ReadIndex(read, int64(len(file)))
		if indexErr == nil {
			for i := range x.Entries {
				_, _ = x.Segment(read, i)
			}
		}
		if err != nil {
			return
		}
		// What is read whole can be written again, and the index opens it too.
		again, _ := sample{header: h, batches: batches}.write(t, false)
		if _, back, _, err := readAll(again); err != nil || len(back) != len(batches) {
			t.Fatalf("a readable file does not survive a copy: %v", err)
		}
		if indexErr != nil {
			t.Fatalf("a readable file has no readable index: %v", indexErr)
		}
	})
}

// FuzzSegment decodes segments behind a right checksum.
func FuzzSegment(f *testing.F) {
	for _, name := range []string{"json", "text"} {
		file, _ := samples()[name].write(f, false)
		x, err := ReadIndex(func(off int64, n int) ([]byte, error) { return file[off : off+int64(n)], nil }, int64(len(file)))
		if err != nil {
			f.Fatal(err)
		}
		e := x.Entries[0]
		f.Add(file[e.Offset+blockHead:e.Offset+int64(e.Length)-blockSum], uint8(0), name == "json")
	}
	f.Fuzz(func(t *testing.T, body []byte, flags uint8, json bool) {
		kind := protocol.KindBytes
		if json {
			kind = protocol.KindJSON
		}
		s, err := decodeSegment(block{typ: typeSegment, flags: flags, body: body})
		if err == nil {
			_, _ = s.decode(kind)
		}
	})
}
