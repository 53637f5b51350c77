package engine

import "tailrace/backend/protocol"

// Writer appends to the stream at a path. It must be closed.
type Writer struct{ s *sequencer }

// OpenWriter opens the stream at path for writing. It does not touch the
// stream's TTL.
func (e *Engine) OpenWriter(path string) (Writer, error) {
	s, _, err := e.acquireStream(path)
	return Writer{s}, err
}

// Append appends to the stream or closes it (PROTOCOL §5.2). When it returns nil,
// what it tells is on disk. Should the stream have been deleted meanwhile and
// there be another one at the path, it goes there.
func (w Writer) Append(r *AppendRequest) (Appended, error) {
	if w.s.path == protocol.RegistryPath {
		return Appended{}, protocol.ErrReadOnly
	}
	res := w.s.do(command{append: r})
	return res.appended, res.err
}

// Incarnation is that of the stream as it is now.
func (w Writer) Incarnation() int64 { return w.s.state().Incarnation }

// Close ends the writer.
func (w Writer) Close() { w.s.engine.release(w.s) }
