package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tailrace/backend/protocol"
)

// sampleBatches is a run with everything that a batch can have.
func sampleBatches(k protocol.Kind) []*Batch {
	pos := Position{Tail: 40, Messages: 40, Bytes: 1000}
	var out []*Batch
	for i, messages := range [][]string{{"a"}, {"bb", "ccc"}, {"d"}, nil} {
		b := &Batch{Stream: 3, Time: []int64{1000, 900, 1 << 42, -5}[i], Closing: i == 3}
		if k != protocol.KindJSON && len(messages) > 0 {
			messages = []string{strings.Join(messages, "")}
		}
		var parts [][]byte
		for _, m := range messages {
			parts = append(parts, []byte(m))
		}
		if parts != nil {
			b.Payload = payloadOf(parts)
		}
		if i%2 == 1 {
			b.Producer = &protocol.Producer{ID: fmt.Sprint("p", i%3), Epoch: 1<<53 - 1, Seq: int64(i)}
		}
		pos = pos.Place(k, b)
		out = append(out, b)
	}
	return out
}

func TestSegmentRoundTrip(t *testing.T) {
	for _, k := range []protocol.Kind{protocol.KindJSON, protocol.KindText, protocol.KindBytes} {
		for n := 1; n <= 4; n++ {
			want := sampleBatches(k)[:n]
			s := sealSegment(k, want)
			got, err := s.batches(3, k)
			if err != nil {
				t.Fatalf("%v, %d batches: %v", k, n, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Batch{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%v, %d batches (-want +got):\n%s", k, n, diff)
			}
		}
	}
}

// What is on disk must stay readable: a change of the format needs a new version.
func TestSegmentGolden(t *testing.T) {
	s := sealSegment(protocol.KindJSON, sampleBatches(protocol.KindJSON))
	const meta = "01" + "7e101025" + "e807" + // version, CRC-32C of the data, 1000 bytes before
		"02" + "027031" + "027030" + // two names: p1, p0
		"04" + // four batches
		"00" + "01" + "01" + "d00f" + // one message of 1 byte at 1000
		"01" + "02" + "0203" + "c701" + "00" + "ffffffffffffff0f" + "01" + // 2 and 3 bytes, 100 ms before, producer p1
		"00" + "01" + "01" + "f8f1ffffffff01" + // one of 1 byte at 2^42
		"03" + "00" + "8980808080800" + "2" + "01" + "ffffffffffffff0f" + "03" // closing, no message, producer p0
	if got := fmt.Sprintf("%x", s.meta); got != meta {
		t.Errorf("meta\ngot  %s\nwant %s", got, meta)
	}
	if string(s.data) != "a,bb,ccc,d" || s.start != 40 || s.end != 44 || s.first != 40 || s.lastAt != -5 {
		t.Errorf("got %+v", s)
	}
}

func FuzzSegmentBatches(f *testing.F) {
	for _, k := range []protocol.Kind{protocol.KindJSON, protocol.KindText} {
		s := sealSegment(k, sampleBatches(k))
		f.Add(uint8(k), s.start, s.end, s.first, s.meta[metaHeader:], s.data)
		f.Add(uint8(k), s.start, s.end, s.first, s.meta[metaHeader:len(s.meta)-3], s.data)
	}
	f.Add(uint8(2), int64(0), int64(1), int64(0), []byte("\x00\xff\xff\xff\xff\xff\xff\xff\xff\x3f"), []byte("x"))
	f.Fuzz(func(t *testing.T, k uint8, start, end, first int64, meta, data []byte) {
		kind := protocol.Kind(k % 3)
		// Nothing is decoded whose version and checksum are wrong; fuzz what comes behind.
		header := binary.BigEndian.AppendUint32([]byte{metaVersion}, crc32.Checksum(data, castagnoli))
		s := segment{start: start, end: end, first: first, meta: append(header, meta...), data: data}
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		batches, err := s.batches(1, kind)
		if err != nil {
			return
		}
		var size int
		for i, b := range batches {
			if int64(len(b.Payload.Data)) < payloadBytes(b.Payload) {
				t.Fatalf("batch %d has %d bytes, its messages %d", i, len(b.Payload.Data), payloadBytes(b.Payload))
			}
			size += len(b.Payload.Data)
		}
		if size > len(data) {
			t.Fatalf("%d bytes out of %d", size, len(data))
		}
	})
}

func TestDecodeSizes(t *testing.T) {
	want := []int{1, 127, 128, 1 << 30}
	if got, err := decodeSizes(appendSizes(nil, want)); err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"} {
		if got, err := decodeSizes([]byte(bad)); err == nil {
			t.Errorf("%x: got %v", bad, got)
		}
	}
}

func TestBatchSlice(t *testing.T) {
	b := &Batch{Start: 10, End: 13, Payload: payloadOf([][]byte{[]byte("a"), []byte("bb"), []byte("c")})}
	for _, tt := range []struct {
		from, to int64
		want     string
	}{{10, 13, "a,bb,c"}, {0, 99, "a,bb,c"}, {11, 12, "bb"}, {12, 13, "c"}, {10, 12, "a,bb"}, {11, 11, ""}, {13, 20, ""}, {0, 10, ""}} {
		if got := b.Slice(protocol.KindJSON, tt.from, tt.to); string(got) != tt.want {
			t.Errorf("[%d, %d): got %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
	text := &Batch{Start: 10, End: 14, Payload: payloadOf([][]byte{[]byte("abcd")})}
	if got := text.Slice(protocol.KindText, 11, 13); !bytes.Equal(got, []byte("bc")) {
		t.Errorf("got %q", got)
	}
}

// A damaged segment makes reads of its stream fail; it must not keep others from
// writing, nor its own stream.
func TestDamagedSegment(t *testing.T) {
	l := openTestLog(t, t.TempDir(), Options{SealAt: 1, CacheBytes: 1})
	hurt, fine := l.create("hurt", "application/json"), l.create("fine", "text/plain")
	for range 5 {
		l.append(hurt, "1", "2")
		l.append(fine, "x")
	}
	l.exec(fmt.Sprintf("UPDATE segments SET meta = x'01ff' WHERE stream = %d", hurt.ID))
	for range 5 {
		l.append(hurt, "3")
		l.append(fine, "y")
	}
	l.checkStream(fine)
	if _, err := l.db.Batches(context.Background(), &hurt.Stream, 0, 1); !errors.Is(err, errCorruptMeta) {
		t.Errorf("got %v", err)
	}
	l.close()
}

func TestReadMissing(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
	m := l.create("a", "text/plain")
	l.append(m, strings.Repeat("x", 1000))
	s := m.Stream
	l.delete(m)
	l.waitForGarbage(t)
	if _, err := l.db.Read(context.Background(), &s, 0, s.Tail, 1<<20); !errors.Is(err, ErrMissing) {
		t.Errorf("read: %v", err)
	}
	if _, err := l.db.Batches(context.Background(), &s, 0, 1); !errors.Is(err, ErrMissing) {
		t.Errorf("batches: %v", err)
	}
}
