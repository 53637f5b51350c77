package store

import (
	"bytes"

	"tailrace/backend/protocol"
)

// registry is the system stream that the committer itself appends to: events of
// the writes of a group become one batch in the group's transaction. Only the
// committer touches it after [DB.StartRegistry].
type registry struct {
	stream  *Stream
	publish func(Position)
}

// StartRegistry tells the committer which stream takes the events of
// [Write.Announce]. publish is called by the committer after each commit that
// has appended to it; it must not block. It must be called before the first
// write that announces something.
func (d *DB) StartRegistry(s Stream, publish func(Position)) {
	d.registry = registry{stream: &s, publish: publish}
}

// batch gathers the events of a group, nil when there are none.
func (r *registry) batch(group []*request) *Batch {
	var p protocol.Payload
	var at int64
	var parts [][]byte
	for _, req := range group {
		for _, event := range req.write.Announce {
			parts = append(parts, event)
			p.Sizes = append(p.Sizes, len(event))
		}
		if len(req.write.Announce) > 0 {
			at = max(at, req.write.Now)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	p.Data = bytes.Join(parts, []byte{','})
	b := &Batch{Stream: r.stream.ID, Time: at, Payload: p}
	r.stream.Place(protocol.KindJSON, b)
	return b
}

func (d *DB) publishRegistry(b *Batch) {
	r := &d.registry
	r.stream.Position = r.stream.after(b)
	d.mem.add(protocol.KindJSON, []*Batch{b}, r.stream.Position)
	r.publish(r.stream.Position)
}
