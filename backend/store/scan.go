package store

import (
	"context"
	"fmt"
)

// Scan hands the batches that hold the messages from ordinal from up to, but not
// including, to to fn, in order and as many at a time as lie together: those of a
// segment, or those in memory. The first and the last call may reach beyond.
// Between calls no read transaction is open and nothing is kept, so a scan may
// take as long as it likes. to must not be greater than the stream's number of
// messages.
func (d *DB) Scan(ctx context.Context, s *Stream, from, to int64, fn func([]*Batch) error) error {
	if from >= to {
		return nil
	}
	first, err := d.Batches(ctx, s, from, from+1)
	if err != nil {
		return err
	}
	pos := first[0].Start
	for _, sp := range s.spans() {
		for from < to && pos < min(sp.end, s.Tail) {
			batches := d.mem.from(sp.stream, pos)
			if batches == nil {
				if batches, err = d.segmentAt(ctx, sp.stream, s.Kind, pos); err != nil {
					return fmt.Errorf("scan %q at %d: %w", s.Path, pos, err)
				}
			}
			run := make([]*Batch, 0, len(batches))
			for _, b := range batches[search(batches, pos):] {
				if b.Start >= sp.end {
					break
				}
				if b = b.cut(s.Kind, sp.end); b.Payload.Messages() > 0 {
					run = append(run, b)
				}
			}
			if len(run) == 0 {
				return fmt.Errorf("scan %q at %d: %w", s.Path, pos, ErrMissing)
			}
			last := run[len(run)-1]
			pos, from = last.End, last.First+int64(last.Payload.Messages())
			if err := fn(run); err != nil {
				return err
			}
		}
	}
	return nil
}
