package store

import (
	"context"
	"database/sql"
	"fmt"

	"tailrace/backend/protocol"
)

// apply turns one write into rows.
func (c *committer) apply(ctx context.Context, r *request, seq *int64) error {
	w, s := r.write, r.write.Stream
	for _, ch := range w.Subscriptions {
		if err := c.applySubscription(ctx, ch); err != nil {
			return err
		}
	}
	if w.Key != nil {
		if err := c.applyKey(ctx, w.Key); err != nil {
			return err
		}
	}
	for _, m := range w.Mirrored {
		if err := c.saveMirrorStream(ctx, m); err != nil {
			return err
		}
	}
	if s == nil {
		return c.applyAlso(ctx, w)
	}
	if err := c.watchWrite(ctx, w); err != nil {
		return err
	}
	if w.Create {
		if err := c.insertStream(ctx, w); err != nil {
			return fmt.Errorf("insert stream: %w", err)
		}
	}
	if w.Delete {
		return c.deleteStream(ctx, s)
	}
	if w.SoftDelete {
		if _, err := c.stmts.softDelete.ExecContext(ctx, w.Now, s.ID); err != nil {
			return fmt.Errorf("soft-delete stream: %w", err)
		}
	}
	if err := c.insertBatches(ctx, w, seq); err != nil {
		return err
	}
	if w.Close && !w.Create {
		id, epoch, producerSeq := producerColumns(s.ClosedBy)
		if _, err := c.stmts.closeStream.ExecContext(ctx, s.ClosedAt, id, epoch, producerSeq, s.ID); err != nil {
			return fmt.Errorf("close stream: %w", err)
		}
	}
	if w.Touch && !w.Create {
		if _, err := c.stmts.touch.ExecContext(ctx, s.Deadline, s.ID); err != nil {
			return fmt.Errorf("touch stream: %w", err)
		}
	}
	if some, err := c.addTasks(ctx, w); err != nil {
		return err
	} else if some {
		c.closed = true
	}
	return c.applyAlso(ctx, w)
}

func (c *committer) applyAlso(ctx context.Context, w *Write) error {
	if w.also.do == nil {
		return nil
	}
	if err := w.also.do(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", w.also.name, err)
	}
	return nil
}

func (c *committer) insertStream(ctx context.Context, w *Write) error {
	s := w.Stream
	var ttl, expiresAt, deadline, closedAt any
	if s.Expiry.HasTTL {
		ttl = s.Expiry.TTL
	}
	if s.Expiry.AtRaw != "" {
		expiresAt = s.Expiry.AtRaw
	}
	if s.Deadline != 0 {
		deadline = s.Deadline
	}
	if s.Closed {
		closedAt = s.ClosedAt
	}
	var source, from, offset, subOffset any
	var base Position // before the first batch of its own
	if f := s.Fork; f != nil {
		source, from, subOffset = f.Source, f.From, f.SubOffset
		if f.Offset != "" {
			offset = f.Offset
		}
		base = Position{Tail: f.Base, Messages: f.BaseMessages, Bytes: s.Bytes}
		for _, b := range w.Batches {
			base.Bytes -= payloadBytes(b.Payload)
		}
	}
	id, epoch, seq := producerColumns(s.ClosedBy)
	_, err := c.stmts.insertStream.ExecContext(ctx, s.ID, s.Path, s.Incarnation, s.ContentType, s.System,
		s.CreatedAt, ttl, expiresAt, deadline, closedAt, id, epoch, seq,
		source, from, offset, subOffset, base.Tail, base.Messages, base.Tail, base.Messages, base.Bytes)
	return err
}

// deleteStream removes what makes a stream visible; its data follows in slices.
func (c *committer) deleteStream(ctx context.Context, s *Stream) error {
	for _, step := range []struct {
		stmt *sql.Stmt
		args []any
	}{
		{c.stmts.deleteStream, []any{s.ID}},
		{c.stmts.insertTombstone, []any{s.Path, s.Incarnation, s.CreatedAt, s.Tail}},
		{c.stmts.insertGarbage, []any{s.ID}},
		{c.stmts.deleteCold, []any{s.ID}},
	} {
		if _, err := step.stmt.ExecContext(ctx, step.args...); err != nil {
			return fmt.Errorf("delete stream: %w", err)
		}
	}
	return nil
}

// insertBatches writes a write's batches as ops. Large ones go straight into
// segments, with what of the stream is not sealed before them: that changes more
// pages now, and saves writing the payload a second time when it is sealed.
func (c *committer) insertBatches(ctx context.Context, w *Write, seq *int64) error {
	size := 0
	for _, b := range w.Batches {
		size += len(b.Payload.Data)
	}
	if size < c.db.direct {
		for _, b := range w.Batches {
			if err := c.insertOp(ctx, b, seq); err != nil {
				return err
			}
		}
		return nil
	}
	for _, b := range w.Batches {
		b.seq = *seq
		*seq++
	}
	c.direct[w.Stream.ID] = true
	batches := append(c.db.mem.unsealedTail(w.Stream.ID), w.Batches...)
	if err := c.sealRun(ctx, run{&tail{stream: w.Stream.ID, kind: w.Stream.Kind}, batches}); err != nil {
		return fmt.Errorf("seal stream %d: %w", w.Stream.ID, err)
	}
	if _, err := c.stmts.sealedSeq.ExecContext(ctx, *seq-1); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

func (c *committer) insertOp(ctx context.Context, b *Batch, seq *int64) error {
	b.seq = *seq
	*seq++
	id, epoch, producerSeq := producerColumns(b.Producer)
	var streamSeq any
	if b.StreamSeq != "" {
		streamSeq = b.StreamSeq
	}
	var sizes []byte
	if len(b.Payload.Sizes) > 1 {
		sizes = appendSizes(make([]byte, 0, 2*len(b.Payload.Sizes)), b.Payload.Sizes)
	}
	payload := b.Payload.Data
	if payload == nil {
		payload = []byte{}
	}
	if _, err := c.stmts.insertOp.ExecContext(ctx, b.seq, b.Stream, b.Start, b.Time, b.Closing,
		id, epoch, producerSeq, streamSeq, sizes, payload); err != nil {
		return fmt.Errorf("insert op: %w", err)
	}
	return nil
}

func producerColumns(p *protocol.Producer) (id, epoch, seq any) {
	if p == nil {
		return nil, nil, nil
	}
	return p.ID, p.Epoch, p.Seq
}

// Touch stores a stream's deadline.
func (d *DB) Touch(s *Stream) error { return d.Commit(&Write{Stream: s, Touch: true}) }
