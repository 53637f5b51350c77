package plain

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Formats.
const (
	NDJSON = "ndjson"
	JSON   = "json"
	Raw    = "raw"
	CSV    = "csv"
)

// Extension is how the name of a file of a format ends.
func Extension(format string, k protocol.Kind) string {
	if format != Raw {
		return format
	}
	if k == protocol.KindText {
		return "txt"
	}
	return "bin"
}

// Summary is what a file holds.
type Summary struct {
	Messages int64
	Bytes    int64 // of the file
	SHA256   [sha256.Size]byte
}

// Writer writes messages of one stream to a file.
type Writer struct {
	out    io.Writer
	sum    hash.Hash
	total  Summary
	stream *store.Stream
	add    func(*Message) error
	finish func() error
	csv    *csv.Writer
	line   bytes.Buffer // reused
	json   *json.Encoder
}

// Message is a message on its way into a file.
type Message struct {
	Batch   *store.Batch
	Index   int // in its batch
	Content []byte
}

// Ordinal is the message's place in the stream.
func (m *Message) Ordinal() int64 { return m.Batch.First + int64(m.Index) }

// FormatError: a stream has no such form.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "format: " + e.Reason }

// NewWriter begins a file.
func NewWriter(out io.Writer, format string, s *store.Stream) (*Writer, error) {
	if err := CheckFormat(format, s.Kind); err != nil {
		return nil, err
	}
	w := &Writer{out: out, sum: sha256.New(), stream: s, finish: func() error { return nil }}
	w.json = json.NewEncoder(&w.line)
	w.json.SetEscapeHTML(false)
	switch format {
	case NDJSON:
		w.add = w.addLine
	case JSON:
		w.add, w.finish = w.addElement, w.endArray
	case Raw:
		w.add = func(m *Message) error { return w.write(m.Content) }
	case CSV:
		w.csv = csv.NewWriter(writerFunc(w.write))
		w.add = w.addRow
		w.finish = func() error { w.csv.Flush(); return w.csv.Error() }
		return w, w.csv.Write([]string{"ordinal", "offset", "time", "size", "producer_id", "producer_epoch", "producer_seq", "append_first"})
	}
	return w, nil
}

// CheckFormat reports whether streams of a kind have a form.
func CheckFormat(format string, k protocol.Kind) error {
	switch format {
	case NDJSON, JSON, CSV:
		return nil
	case Raw:
		if k == protocol.KindJSON {
			return &FormatError{"JSON messages have nothing between them that would tell them apart; use ndjson or json instead of raw"}
		}
		return nil
	default:
		return &FormatError{fmt.Sprintf("there is no %q; use ndjson, json, raw or csv", format)}
	}
}

type writerFunc func([]byte) error

func (f writerFunc) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *Writer) write(p []byte) error {
	n, err := w.out.Write(p)
	w.total.Bytes += int64(n)
	w.sum.Write(p[:n])
	return err
}

// Add writes the next message.
func (w *Writer) Add(m *Message) error {
	if err := w.add(m); err != nil {
		return err
	}
	w.total.Messages++
	return nil
}

// Written is how far the file has come; it has no checksum yet.
func (w *Writer) Written() Summary { return w.total }

// Finish ends the file.
func (w *Writer) Finish() (Summary, error) {
	if err := w.finish(); err != nil {
		return Summary{}, err
	}
	w.sum.Sum(w.total.SHA256[:0])
	return w.total, nil
}

// packed stands for bytes that are no text.
type packed struct {
	Base64 *string `json:"base64"`
}

// value is a message as a JSON value: itself, text as a string, and bytes that are
// no text as {"base64":"…"}. It is valid until the next call.
func (w *Writer) value(m *Message) ([]byte, error) {
	if w.stream.Kind == protocol.KindJSON {
		return m.Content, nil
	}
	w.line.Reset()
	var v any = string(m.Content)
	if !utf8.Valid(m.Content) {
		text := base64.StdEncoding.EncodeToString(m.Content)
		v = packed{&text}
	}
	if err := w.json.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(w.line.Bytes(), []byte("\n")), nil
}

func (w *Writer) addLine(m *Message) error {
	v, err := w.value(m)
	if err != nil {
		return err
	}
	if bytes.ContainsAny(v, "\r\n") { // between tokens: within strings they are escaped
		v = bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' {
				return ' '
			}
			return r
		}, v)
	}
	if err := w.write(v); err != nil {
		return err
	}
	return w.write([]byte("\n"))
}

func (w *Writer) addElement(m *Message) error {
	before := ",\n"
	if w.total.Messages == 0 {
		before = "[\n"
	}
	v, err := w.value(m)
	if err != nil {
		return err
	}
	if err := w.write([]byte(before)); err != nil {
		return err
	}
	return w.write(v)
}

func (w *Writer) endArray() error {
	if w.total.Messages == 0 {
		return w.write([]byte("[]\n"))
	}
	return w.write([]byte("\n]\n"))
}

// spreadsheetText keeps spreadsheets from taking what a client has chosen for a
// formula.
func spreadsheetText(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (w *Writer) addRow(m *Message) error {
	b := m.Batch
	position := b.Start
	if w.stream.Kind == protocol.KindJSON {
		position += int64(m.Index)
	}
	row := []string{
		strconv.FormatInt(m.Ordinal(), 10),
		protocol.Offset{Incarnation: w.stream.Incarnation, Position: position}.String(),
		time.UnixMilli(b.Time).UTC().Format("2006-01-02T15:04:05.000Z"),
		strconv.Itoa(len(m.Content)),
		"", "", "",
		strconv.FormatInt(b.First, 10),
	}
	if p := b.Producer; p != nil {
		row[4], row[5], row[6] = spreadsheetText(p.ID), strconv.FormatInt(p.Epoch, 10), strconv.FormatInt(p.Seq, 10)
	}
	return w.csv.Write(row)
}
