package protocol

import (
	"fmt"
	"strconv"
)

// maxSafeInteger bounds epochs and sequence numbers: JavaScript clients must be
// able to hold them (PROTOCOL §5.2.1).
const maxSafeInteger = 1<<53 - 1

// Producer is the triple that makes an append idempotent.
type Producer struct {
	ID    string
	Epoch int64 // 0 … 2^53-1
	Seq   int64 // 0 … 2^53-1, per request
}

// ParseProducer reads the three producer header values as http.Header holds
// them. It returns nil when none is present. One missing, one given twice, an
// empty id or a number that is no plain decimal is a *BadRequestError.
func ParseProducer(id, epoch, seq []string) (*Producer, error) {
	if len(id) == 0 && len(epoch) == 0 && len(seq) == 0 {
		return nil, nil
	}
	for _, h := range []struct {
		name   string
		values []string
	}{{HeaderProducerID, id}, {HeaderProducerEpoch, epoch}, {HeaderProducerSeq, seq}} {
		if len(h.values) == 0 {
			return nil, &BadRequestError{Field: h.name, Reason: "missing; Producer-Id, Producer-Epoch and Producer-Seq go together"}
		}
		if len(h.values) > 1 {
			return nil, &BadRequestError{Field: h.name, Reason: "given more than once"}
		}
	}
	if id[0] == "" {
		return nil, &BadRequestError{Field: HeaderProducerID, Reason: "empty; expected a stable name for the producer"}
	}
	e, err := parseSafeInteger(HeaderProducerEpoch, epoch[0])
	if err != nil {
		return nil, err
	}
	s, err := parseSafeInteger(HeaderProducerSeq, seq[0])
	if err != nil {
		return nil, err
	}
	return &Producer{ID: id[0], Epoch: e, Seq: s}, nil
}

func parseSafeInteger(field, v string) (int64, error) {
	if isDigits(v) {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n <= maxSafeInteger {
			return n, nil
		}
	}
	return 0, &BadRequestError{
		Field:  field,
		Reason: fmt.Sprintf("%s is not a whole number from 0 to 2^53-1 in decimal digits", quoteShort(v)),
	}
}
