package protocol

// Payload is the data of one append, ready for the wire: for JSON streams the
// messages joined by commas (a read adds only the brackets), for all others the
// body as it came.
type Payload struct {
	Data []byte
	// Sizes are the byte lengths of the messages, in order. An append to a stream
	// that is not JSON is one message.
	Sizes []int
}

// Messages is the number of messages, 0 for an empty payload.
func (p Payload) Messages() int { return len(p.Sizes) }

// Length is how far the payload moves the tail of a stream of kind k: messages
// for JSON, bytes otherwise.
func (p Payload) Length(k Kind) int64 {
	if k == KindJSON {
		return int64(len(p.Sizes))
	}
	return int64(len(p.Data))
}

// FramePayload turns a request body into the payload for a stream of kind k. An
// empty body gives an empty payload, as does the JSON array [] where
// allowEmptyArray is set (PUT; PROTOCOL §9.1.3). Errors are *BadRequestError or
// *LimitError. The payload may share memory with body.
func FramePayload(k Kind, body []byte, allowEmptyArray bool, l Limits) (Payload, error) {
	if len(body) == 0 {
		return Payload{}, nil
	}
	if k == KindJSON {
		return frameJSON(body, allowEmptyArray, l)
	}
	return Payload{Data: body, Sizes: []int{len(body)}}, nil
}
