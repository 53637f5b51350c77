package segfile

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// sink hashes and writes a file while its next pieces are made: one goroutine does
// the one, another the other, each in order.
type sink struct {
	out              io.Writer
	sum              hash.Hash
	hashing, writing chan *piece
	pending, running sync.WaitGroup
	spare            chan []byte // what the next pieces can lie in
	failed           atomic.Pointer[error]
}

// piece is a part of a file, in parts of its own.
type piece struct {
	parts  [][]byte
	buffer []byte       // that is spare again once nobody uses the piece
	users  atomic.Int32 // how many do
}

// sinkDepth is how many buffers there are: one is filled, one waits, and two are
// being hashed and written, which need not be the same.
const sinkDepth = 4

// maxSpare is the largest buffer that is kept: one large append is no reason to
// keep as much.
const maxSpare = 4 * segmentBytes

func newSink(out io.Writer) *sink {
	s := &sink{
		out: out, sum: sha256.New(), spare: make(chan []byte, sinkDepth),
		hashing: make(chan *piece, sinkDepth), writing: make(chan *piece, sinkDepth),
	}
	for range sinkDepth - 1 { // the writer of the file has one
		s.spare <- nil
	}
	s.running.Go(func() {
		for p := range s.hashing {
			for _, part := range p.parts {
				s.sum.Write(part) // never fails
			}
			s.release(p)
		}
	})
	s.running.Go(func() {
		for p := range s.writing {
			s.write(p)
			s.release(p)
		}
	})
	return s
}

// put hands over a piece, which must stay as it is from now on.
func (s *sink) put(buffer []byte, parts ...[]byte) error {
	p := &piece{parts: parts, buffer: buffer}
	p.users.Store(2)
	s.pending.Add(1)
	s.hashing <- p
	s.writing <- p
	return s.err()
}

func (s *sink) write(p *piece) {
	for _, part := range p.parts {
		if s.failed.Load() != nil {
			return
		}
		if _, err := s.out.Write(part); err != nil {
			s.failed.Store(&err)
		}
	}
}

func (s *sink) release(p *piece) {
	if p.users.Add(-1) > 0 {
		return
	}
	switch {
	case p.buffer == nil:
	case cap(p.buffer) > maxSpare:
		s.spare <- nil
	default:
		s.spare <- p.buffer[:0]
	}
	s.pending.Done()
}

// wait returns when all that was handed over is hashed and written.
func (s *sink) wait() error {
	s.pending.Wait()
	return s.err()
}

func (s *sink) err() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// close lets go of what the file is written to.
func (s *sink) close() {
	close(s.hashing)
	close(s.writing)
	s.running.Wait()
}
