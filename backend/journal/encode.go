package journal

import (
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/varint"
)

// Entry is a request that is over. Hidden headers have no value.
type Entry struct {
	ID       uint64 // counted from 1, in the order in which requests ended
	At       time.Time
	Took     time.Duration
	Method   string
	Stream   string // path; "": none
	Target   string // the path of the request as it was sent
	Query    string // without values that may be secret
	Host     string
	Proto    string // HTTP/1.1 or HTTP/2.0
	TLS      bool
	Remote   string // address of the client
	Status   int    // 0: it was not answered
	Received int64
	Sent     int64
	Outcome
	Fault             string
	Request, Response []Header
}

// Header is one line of a request or an answer.
type Header struct {
	Name, Value string
	Hidden      bool // the value is not kept
}

// Rejected reports whether the answer was a refusal.
func (e *Entry) Rejected() bool { return e.Status >= http.StatusBadRequest }

// Header returns a header of the request, "" when there was none.
func (e *Entry) Header(name string) string {
	for _, h := range e.Request {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// An encoded entry begins with its size and what most searches look at:
//
//	size      uint32, of what follows
//	flags     byte
//	decision  byte
//	status    uint16
//	began     int64, unix microseconds
//	stream    string
//	method    string
//	…         in the order of encode
//
// Strings have their length as uvarint in front.
const (
	flagTLS = 1 << iota
	flagCloses
	flagTarget // the target is spelled otherwise than the stream's path is
)

func encode(b []byte, x *Exchange) []byte {
	o, r := &x.Outcome, x.Request
	var flags byte
	if r.TLS != nil {
		flags |= flagTLS
	}
	if o.Closes {
		flags |= flagCloses
	}
	target := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(target, protocol.Root); !ok || rest != x.Stream {
		flags |= flagTarget
	}
	b = append(b, 0, 0, 0, 0, flags, byte(o.Decision))
	b = binary.LittleEndian.AppendUint16(b, uint16(x.Status))
	b = binary.LittleEndian.AppendUint64(b, uint64(x.Began.UnixMicro()))
	b = appendString(b, x.Stream)
	b = appendString(b, cut(r.Method, maxName))
	if flags&flagTarget != 0 {
		b = appendString(b, cut(target, maxTarget))
	}
	b = appendString(b, keepQuery(r.URL.RawQuery))
	b = appendString(b, cut(r.Host, maxValue))
	b = appendString(b, r.Proto)
	b = appendString(b, r.RemoteAddr)
	b = appendString(b, o.Code)
	b = appendString(b, cut(o.Reason, maxValue))
	b = appendString(b, cut(x.Fault, maxValue))
	for _, n := range []int64{
		x.Took.Microseconds(), x.Received, x.Sent, o.Incarnation, o.From, o.Next, o.First, o.Count, o.Last,
	} {
		b = binary.AppendVarint(b, n)
	}
	b = appendHeaders(b, r.Header)
	b = appendHeaders(b, x.Header())
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendHeaders writes headers up to endOfHeaders: the index of a known name and
// its value, or onlyName and a name.
func appendHeaders(b []byte, h http.Header) []byte {
	n := 0
	for name, values := range h {
		index, known := keptIndex[name]
		if index == leftOut {
			continue
		}
		for _, value := range values {
			if n++; n > maxHeaders {
				break
			}
			if known {
				b = appendString(append(b, index), keepValue(kept[index], value))
			} else {
				b = appendString(append(b, onlyName), cut(name, maxName))
			}
		}
	}
	return append(b, endOfHeaders)
}

// record is an encoded entry without its size.
type record []byte

func (r record) decision() Decision { return Decision(r[1]) }
func (r record) status() int        { return int(binary.LittleEndian.Uint16(r[2:])) }
func (r record) began() int64       { return int64(binary.LittleEndian.Uint64(r[4:])) }

// stream returns the path, and what follows it.
func (r record) stream() []byte {
	v := varint.Reader{Rest: r[12:]}
	return v.Bytes(v.Uvarint())
}

// entry decodes a record, which is never wrong: it was written by this process.
func (r record) entry(id uint64) *Entry {
	v := varint.Reader{Rest: r[12:]}
	text := func() string { return string(v.Bytes(v.Uvarint())) }
	e := &Entry{ID: id, At: time.UnixMicro(r.began()), Status: r.status(), TLS: r[0]&flagTLS != 0}
	e.Decision, e.Closes = r.decision(), r[0]&flagCloses != 0
	e.Stream, e.Method = text(), text()
	e.Target = protocol.Root + e.Stream
	if r[0]&flagTarget != 0 {
		e.Target = text()
	}
	e.Query, e.Host, e.Proto, e.Remote = text(), text(), text(), text()
	e.Code, e.Reason, e.Fault = text(), text(), text()
	e.Took = time.Duration(v.Varint()) * time.Microsecond
	for _, n := range []*int64{&e.Received, &e.Sent, &e.Incarnation, &e.From, &e.Next, &e.First, &e.Count, &e.Last} {
		*n = v.Varint()
	}
	headers := func() (list []Header) {
		for {
			index := v.Bytes(1)
			switch {
			case index == nil || index[0] == endOfHeaders:
				return list
			case index[0] == onlyName:
				list = append(list, Header{Name: text(), Hidden: true})
			default:
				list = append(list, Header{Name: kept[index[0]], Value: text()})
			}
		}
	}
	e.Request, e.Response = headers(), headers()
	return e
}
