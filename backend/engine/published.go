package engine

import "tailrace/backend/protocol"

// AwaitPublished returns once readers of the stream at path see it up to a tail
// that is committed, or the stream is gone. Between a commit and its publication
// lies a moment: whoever learns of a tail from the log and sends others to read it
// has to wait for that to pass.
func (e *Engine) AwaitPublished(path string, tail protocol.Offset) {
	e.mu.Lock()
	s := e.active[path]
	if s == nil || e.closed {
		e.mu.Unlock()
		return // nobody uses it, so nothing is on its way
	}
	s.refs++
	e.mu.Unlock()
	defer e.release(s)
	<-s.ready
	for {
		v := s.topic.Current()
		if st := v.Value; st.Exists && (st.Incarnation > tail.Incarnation || (st.Incarnation == tail.Incarnation && st.Tail >= tail.Position)) {
			return
		}
		if path != protocol.RegistryPath {
			s.do(command{sync: true})
			return
		}
		<-v.Superseded() // the committer, which publishes this one, is about to
	}
}
