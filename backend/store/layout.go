package store

import (
	"context"
	"fmt"

	"tailrace/backend/extent"
)

// Layout is where the parts of a stream lie.
type Layout struct {
	// Inherited are the runs that a fork reads from others, in order.
	Inherited []Inherited
	// Cold are the runs that are read from snapshots, in order.
	Cold []Cold
	// Start and First are the position and the ordinal behind which the log itself
	// holds the stream: in Rows and Files, and from there on in Unsealed.
	Start, First int64
	Rows         Share   // segments within the database
	Files        []Share // segments in files beside it, by file
	Unsealed     Share   // appends in arrival order, which are in memory as well
	Cached       int64   // bytes of sealed appends that are in memory as well
	Leaving      int64   // bytes of segments that have gone cold and are about to go
}

// Inherited is a run of a fork that another stream holds.
type Inherited struct {
	Stream   int64
	End      int64 // first position behind it
	Messages int64 // up to there
}

// Share is what a place holds of a stream.
type Share struct {
	File   string // in the data folder; "": the database
	Pieces int64
	Bytes  int64
}

func (s *Share) add(bytes int64) {
	s.Pieces++
	s.Bytes += bytes
}

// Layout looks up where a stream lies. It reads a row of each of its segments.
func (d *DB) Layout(ctx context.Context, s *Stream) (*Layout, error) {
	l := &Layout{First: s.Messages}
	if s.Fork != nil {
		l.Start = s.Fork.Base
	}
	for _, sp := range s.lineage {
		l.Inherited = append(l.Inherited, Inherited{sp.stream, sp.end, sp.endOrdinal})
	}
	// Memory first: what is not sealed there any more is in the segments by then.
	unsealed, cached := d.mem.held(s.ID)
	l.Cached = cached
	var err error
	if l.Cold, err = d.Colds(ctx, s.ID); err != nil {
		return nil, err
	}
	if n := len(l.Cold); n > 0 {
		l.Start = l.Cold[n-1].End
	}
	end, err := d.layOut(ctx, s, l)
	if err != nil {
		return nil, fmt.Errorf("lay out %q: %w", s.Path, err)
	}
	for _, b := range unsealed {
		if b.End > end {
			l.First = min(l.First, b.First)
			l.Unsealed.add(int64(len(b.Payload.Data)))
		}
	}
	return l, nil
}

// layOut adds the segments of a stream, and returns where they end.
func (d *DB) layOut(ctx context.Context, s *Stream, l *Layout) (end int64, err error) {
	rows, err := d.read.QueryContext(ctx, `SELECT "end", first, length(meta) + length(data), substr(meta, 1, ?) FROM segments
		WHERE stream = ? ORDER BY start`, extentHeader, s.ID)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	end = l.Start
	for rows.Next() {
		var to, first, size int64
		var meta []byte
		if err := rows.Scan(&to, &first, &size, &meta); err != nil {
			return 0, err
		}
		ref, outside := extentOf(meta)
		if to <= l.Start {
			l.Leaving += size + ref.Size
			continue
		}
		end, l.First = to, min(l.First, first)
		if !outside {
			l.Rows.add(size)
			continue
		}
		// Segments go into the newest file, so those of a file follow each other.
		file := ExtentsName + "/" + extent.Name(ref.File)
		if n := len(l.Files); n == 0 || l.Files[n-1].File != file {
			l.Files = append(l.Files, Share{File: file})
		}
		l.Files[len(l.Files)-1].add(size + ref.Size)
	}
	return end, rows.Err()
}
