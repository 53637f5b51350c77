package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tailrace/backend/protocol"
)

// chunkBytes is about how much is copied in one step. What is read comes in
// answers of any size: it is handed on in parts, whatever that size.
const chunkBytes = 256 << 10

// wide are the limits for what another server has accepted already.
var wide = protocol.Limits{BodyBytes: 1 << 40, MessagesPerAppend: 1 << 30, JSONDepth: 10_000}

// split hands the content of an answer to each, in parts, the last one marked; an
// answer without content is one empty part.
func split(kind protocol.Kind, body io.Reader, each func(p protocol.Payload, last bool) error) error {
	if kind == protocol.KindJSON {
		return splitJSON(body, each)
	}
	var held []byte
	for {
		chunk, end, err := fill(body)
		if err != nil {
			return fmt.Errorf("the answer of the remote breaks off: %w", err)
		}
		if len(held) > 0 && len(chunk) > 0 {
			if err := each(bytePayload(held), false); err != nil {
				return err
			}
			held = nil
		}
		if len(chunk) > 0 {
			held = chunk
		}
		if end {
			return each(bytePayload(held), true)
		}
	}
}

// fill reads a chunk, or what there is before the end.
func fill(body io.Reader) (chunk []byte, end bool, err error) {
	chunk = make([]byte, chunkBytes)
	n := 0
	for n < len(chunk) {
		m, err := body.Read(chunk[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return chunk[:n], true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return chunk, false, nil
}

func bytePayload(b []byte) protocol.Payload {
	if len(b) == 0 {
		return protocol.Payload{}
	}
	return protocol.Payload{Data: b, Sizes: []int{len(b)}}
}

// splitJSON does it for an array: each message as the bytes that it came in.
func splitJSON(body io.Reader, each func(protocol.Payload, bool) error) error {
	d := json.NewDecoder(body)
	broken := func(err error) error {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("the answer of the remote breaks off, or is no JSON array: %w", err)
	}
	switch open, err := d.Token(); {
	case errors.Is(err, io.EOF): // no body, as a live read has that found nothing
		return each(protocol.Payload{}, true)
	case err != nil:
		return broken(err)
	case open != json.Delim('['):
		return &stopError{"the remote answers JSON that is not an array of messages"}
	}
	part := []byte{'['}
	flush := func(last bool) error {
		p, err := protocol.FramePayload(protocol.KindJSON, append(part, ']'), true, wide)
		if err != nil {
			return &stopError{"the remote answers with a message that cannot be kept: " + err.Error()}
		}
		part = []byte{'['}
		return each(p, last)
	}
	for d.More() {
		var message json.RawMessage
		if err := d.Decode(&message); err != nil {
			return broken(err)
		}
		if len(part) > chunkBytes {
			if err := flush(false); err != nil {
				return err
			}
		}
		if len(part) > 1 {
			part = append(part, ',')
		}
		part = append(part, message...)
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	return flush(true)
}
