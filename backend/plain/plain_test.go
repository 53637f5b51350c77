package plain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// cut reads a file to its end, or to what is wrong with it.
func cut(t *testing.T, in io.Reader, format string, k protocol.Kind) (appends []protocol.Payload, failed string) {
	t.Helper()
	r, err := NewReader(in, format, k, protocol.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.Next()
		if err == io.EOF {
			return appends, ""
		}
		if err != nil {
			return appends, err.Error()
		}
		p.Data = slices.Clone(p.Data)
		appends = append(appends, p)
	}
}

// Files are cut into the same appends however they arrive, and what was cut is
// written as it was read.
func FuzzReader(f *testing.F) {
	f.Add([]byte("{\"a\": 1}\n[1,\t2]\n\"x\"\r\n\n7"), uint8(0))
	f.Add([]byte("\"text\"\n{\"base64\":\"/wA=\"}\n"), uint8(1))
	f.Add([]byte("\xef\xbb\xbf\"\\ud83d\\ude00\"\n\"\\ud83d\"\n"), uint8(1))
	f.Add([]byte("plain \xf0\x9f\x98\x80 text"), uint8(2))
	f.Add([]byte(" [ {\"a\": [1, 2]} ,\n9007199254740993, \"]\\\"\", 1.0 ]\n"), uint8(3))
	f.Add([]byte("[\n{\"base64\":\"/wA=\"},\n\"text\"\n]\n"), uint8(4))
	f.Fuzz(func(t *testing.T, file []byte, way uint8) {
		kind, format := protocol.KindJSON, NDJSON
		switch way % 5 {
		case 1:
			kind = protocol.KindBytes
		case 2:
			kind, format = protocol.KindText, Raw
		case 3:
			format = JSON
		case 4:
			kind, format = protocol.KindBytes, JSON
		}
		appends, failed := cut(t, bytes.NewReader(file), format, kind)
		other, why := cut(t, iotest.OneByteReader(bytes.NewReader(file)), format, kind)
		if diff := cmp.Diff(appends, other); diff != "" || failed != why {
			t.Fatalf("byte by byte it is read otherwise: %q, %q\n%s", failed, why, diff)
		}
		s := &store.Stream{Kind: kind}
		var out bytes.Buffer
		w, err := NewWriter(&out, format, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range appends {
			rest := p.Data
			for i, size := range p.Sizes {
				if err := w.Add(&Message{Batch: &store.Batch{Payload: p}, Index: i, Content: rest[:size]}); err != nil {
					t.Fatal(err)
				}
				rest = rest[min(size+1, len(rest)):]
			}
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		again, why := cut(t, &out, format, kind)
		if diff := cmp.Diff(appends, again); diff != "" || why != "" {
			t.Fatalf("written and read again it differs: %s\n%s", why, diff)
		}
	})
}

// These cuts are what earlier imports were numbered by: a change needs another
// [Rule].
func TestRule(t *testing.T) {
	sizes := func(appends []protocol.Payload) (all []string) {
		for _, p := range appends {
			all = append(all, fmt.Sprintf("%d/%d", p.Messages(), len(p.Data)))
		}
		return all
	}
	for name, tt := range map[string]struct {
		file   string
		format string
		kind   protocol.Kind
		want   []string
	}{
		"many small values":    {strings.Repeat("1\n", 2500), NDJSON, protocol.KindJSON, []string{"1000/1999", "1000/1999", "500/999"}},
		"larger values":        {strings.Repeat(`"`+strings.Repeat("x", 99_998)+"\"\n", 4), NDJSON, protocol.KindJSON, []string{"2/200001", "2/200001"}},
		"a value of its own":   {"1\n\"" + strings.Repeat("x", 300_000) + "\"\n2\n", NDJSON, protocol.KindJSON, []string{"1/1", "1/300002", "1/1"}},
		"small elements":       {"[" + strings.Repeat("1, ", 2500) + "1]", JSON, protocol.KindJSON, []string{"1000/1999", "1000/1999", "501/1001"}},
		"elements as strings":  {"[\"ab\",\n\"c\"]", JSON, protocol.KindText, []string{"1/2", "1/1"}},
		"an array of nothing":  {"\xef\xbb\xbf [ ]\n", JSON, protocol.KindJSON, nil},
		"strings":              {"\"ab\"\n\"c\"", NDJSON, protocol.KindText, []string{"1/2", "1/1"}},
		"bytes":                {strings.Repeat("\xff", 1<<20+1), Raw, protocol.KindBytes, []string{"1/1048576", "1/1"}},
		"no cut in characters": {"a" + strings.Repeat("é", 1<<20), Raw, protocol.KindText, []string{"1/1048575", "1/1048576", "1/2"}},
		"nothing":              {"\n \r\n", NDJSON, protocol.KindJSON, nil},
	} {
		t.Run(name, func(t *testing.T) {
			appends, failed := cut(t, strings.NewReader(tt.file), tt.format, tt.kind)
			if diff := cmp.Diff(tt.want, sizes(appends)); diff != "" || failed != "" {
				t.Error(failed, diff)
			}
		})
	}
	if Rule(NDJSON) != "1" || Rule(Raw) != "1" || Rule(JSON) != "1a" {
		t.Error("another rule: write the cuts of that one above")
	}
}

// What is gathered when reading fails must not become an append: the file comes
// again, with more behind it.
func TestReadingFails(t *testing.T) {
	unplugged := errors.New("unplugged")
	for name, format := range map[string]string{"lines": NDJSON, "elements": JSON, "pieces": Raw} {
		kind, file := protocol.KindJSON, "1\n2\n"
		switch format {
		case JSON:
			file = "[1,2,"
		case Raw:
			kind = protocol.KindText
		}
		appends, failed := cut(t, io.MultiReader(strings.NewReader(file), iotest.ErrReader(unplugged)), format, kind)
		if len(appends) != 0 || failed != unplugged.Error() {
			t.Errorf("%s: %v, %s", name, appends, failed)
		}
	}
	limits := protocol.DefaultLimits()
	limits.BodyBytes = 100
	large := "\"" + strings.Repeat("x", 1000)
	for format, tt := range map[string]struct{ file, place string }{
		NDJSON: {"1\n" + large, "line 2"},
		JSON:   {"[1," + large, "element 2"},
	} {
		r, err := NewReader(strings.NewReader(tt.file), format, protocol.KindJSON, limits)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := r.Next(); err == nil || !strings.Contains(err.Error(), tt.place+": over the limit max_body_bytes (100)") {
			t.Errorf("%v, %v", p, err)
		}
	}
}
