package varint

import "encoding/binary"

// Reader takes values from the front of Rest. Once something was wrong, Bad stays
// set and there is nothing left, so one look at the end is enough.
type Reader struct {
	Rest []byte
	Bad  bool
}

func (r *Reader) fail() { r.Bad, r.Rest = true, nil }

// Uvarint takes a number from 0 to 2^62.
func (r *Reader) Uvarint() int64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 || v > 1<<62 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return int64(v)
}

// Varint takes a number with a sign.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Bytes takes n bytes, which are shared.
func (r *Reader) Bytes(n int64) []byte {
	if n < 0 || n > int64(len(r.Rest)) {
		r.fail()
		return nil
	}
	out := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return out
}
