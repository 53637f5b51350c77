package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// A record is a message that tells its writer and its number, at a fixed size, so
// that what is read back can be checked byte for byte.
type form struct {
	size int
	json bool
	pad  []byte
}

const (
	alphabet  = "abcdefghijklmnopqrstuvwxyz"
	jsonHead  = `{"w":"0000","n":"0000000000","pad":"`
	plainHead = "0000:0000000000:"
	jsonTail  = `"}`
)

func newForm(size int, inJSON bool) *form {
	return &form{
		size: size, json: inJSON,
		pad: bytes.Repeat([]byte(alphabet), size/len(alphabet)+2),
	}
}

func plain(size int) *form    { return newForm(size, false) }
func jsonForm(size int) *form { return newForm(size, true) }

// append adds message n of a writer to b.
func (f *form) append(b []byte, writer, n int) []byte {
	start := len(b)
	head, tail, digits := plainHead, "", [2]int{0, 5}
	if f.json {
		head, tail, digits = jsonHead, jsonTail, [2]int{6, 17}
	}
	b = append(b, head...)
	shift := (writer + n) % len(alphabet)
	b = append(b, f.pad[shift:shift+f.size-len(head)-len(tail)]...)
	b = append(b, tail...)
	putDigits(b[start+digits[0]:][:4], writer)
	putDigits(b[start+digits[1]:][:10], n)
	return b
}

// appendBatch adds a JSON array of the messages from n on.
func (f *form) appendBatch(b []byte, writer, n, count int) []byte {
	b = append(b, '[')
	for i := range count {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.append(b, writer, n+i)
	}
	return append(b, ']')
}

func putDigits(b []byte, v int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

// parse reads writer and number of a record.
func (f *form) parse(record []byte) (writer, n int, ok bool) {
	at := [2]int{0, 5}
	if f.json {
		at = [2]int{6, 17}
	}
	if len(record) != f.size {
		return 0, 0, false
	}
	writer, err1 := strconv.Atoi(string(record[at[0]:][:4]))
	n, err2 := strconv.Atoi(string(record[at[1]:][:10]))
	return writer, n, err1 == nil && err2 == nil
}

// ledger says how many messages of each writer a stream must hold.
type ledger map[int]int

// check compares the records that next returns, until io.EOF, with the ledger:
// each writer's messages once and in order, and nothing else.
func (f *form) check(want ledger, next func() ([]byte, error)) error {
	got := make(ledger, len(want))
	var expected []byte
	for i := 0; ; i++ {
		record, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		w, n, ok := f.parse(record)
		if _, ours := want[w]; !ok || !ours {
			return mismatch("message %d is none that was sent: %q", i, excerpt(record))
		}
		switch {
		case n < got[w]:
			return mismatch("message %d of writer %d is there twice, or behind a later one", n, w)
		case n > got[w]:
			return mismatch("message %d of writer %d is missing, or behind message %d", got[w], w, n)
		case n >= want[w]:
			return mismatch("message %d of writer %d was not acknowledged", n, w)
		}
		expected = f.append(expected[:0], w, n)
		if !bytes.Equal(record, expected) {
			return mismatch("message %d of writer %d differs: %q instead of %q", n, w, excerpt(record), excerpt(expected))
		}
		got[w]++
	}
	for _, w := range slices.Sorted(maps.Keys(want)) {
		if got[w] != want[w] {
			return mismatch("%d messages of writer %d were acknowledged, %d are there", want[w], w, got[w])
		}
	}
	return nil
}

// split cuts what r returns into records.
func (f *form) split(r io.Reader) func() ([]byte, error) {
	if f.json {
		return f.splitJSON(r)
	}
	buf := make([]byte, f.size)
	return func() ([]byte, error) {
		n, err := io.ReadFull(r, buf)
		if err == io.ErrUnexpectedEOF {
			return nil, mismatch("the stream ends with %d bytes of a message of %d: %q", n, f.size, excerpt(buf[:n]))
		}
		return buf, err
	}
}

// splitJSON cuts a run of JSON arrays. Servers may write JSON anew: white space
// does not count.
func (f *form) splitJSON(r io.Reader) func() ([]byte, error) {
	d := json.NewDecoder(r)
	var (
		inArray bool
		raw     json.RawMessage
		compact bytes.Buffer
	)
	return func() ([]byte, error) {
		for !inArray || !d.More() {
			if _, err := d.Token(); err != nil { // [ or ]
				return nil, err
			}
			inArray = !inArray
		}
		raw = raw[:0]
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		if len(raw) == f.size {
			return raw, nil
		}
		compact.Reset()
		if err := json.Compact(&compact, raw); err != nil {
			return nil, err
		}
		return compact.Bytes(), nil
	}
}

// MismatchError is a server that did not keep what it acknowledged.
type MismatchError struct{ Difference string }

func (e *MismatchError) Error() string { return "verification failed: " + e.Difference }

func mismatch(format string, args ...any) error {
	return &MismatchError{fmt.Sprintf(format, args...)}
}

func excerpt(b []byte) []byte { return b[:min(len(b), 60)] }
