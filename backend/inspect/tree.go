package inspect

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/engine"
	"tailrace/backend/store"
)

// ownRow is from how many streams on a folder inside a folder has a row of its
// own; one at the top from ownRowAtTop on. Smaller ones are part of the names.
const ownRow, ownRowAtTop = 10, 2

type treeInput struct {
	ListFilter
	Open  []string `query:"open,explode" maxItems:"500" doc:"Folders that are open, by prefix."`
	From  int      `query:"from" minimum:"0" doc:"Index of the first row."`
	Limit int      `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

// TreeList is a page of the streams as a tree: folders, and what the open ones hold.
type TreeList struct {
	From  int       `json:"from"`
	Rows  []TreeRow `json:"rows" nullable:"false"`
	Count int       `json:"count" doc:"Rows on all pages."`
	Counts
}

// TreeRow is a folder or a stream.
type TreeRow struct {
	Level  int     `json:"level" doc:"In how many folders with rows of their own it is."`
	Parent int     `json:"parent" doc:"Index of the row of the folder around; -1: none."`
	Around string  `json:"around" doc:"Prefix of that folder: the name is what comes behind it."`
	Folder *Folder `json:"folder"`
	Stream *Stream `json:"stream"`
}

// Folder is what streams with a prefix have in common.
type Folder struct {
	_            struct{} `nullable:"true"`
	Prefix       string   `json:"prefix" doc:"Ends with a slash."`
	Open         bool     `json:"open"`
	Streams      int      `json:"streams" doc:"Of those selected, at any depth."`
	Bytes        int64    `json:"bytes"`
	LastAppendAt *int64   `json:"last_append_at" doc:"Unix milliseconds; null: nothing was appended yet."`
}

type treeOutput struct{ Body TreeList }

func (s *Server) tree(ctx context.Context, in *treeInput) (*treeOutput, error) {
	all, err := s.streams.all(ctx, s.o.Store)
	if err != nil {
		return nil, problem(err)
	}
	q := in.selection()
	w := treeWalk{streams: q.pick(all), open: map[string]bool{}, from: in.From, to: in.From + in.Limit, find: in.Find, found: -1}
	for _, prefix := range in.Open {
		w.open[prefix] = true
	}
	w.walk(0, len(w.streams), "", "", 0, -1)
	out := &treeOutput{Body: TreeList{From: in.From, Rows: []TreeRow{}, Count: w.count, Counts: count(all)}}
	out.Body.Matched = len(w.streams)
	if i := slices.IndexFunc(w.streams, func(b *store.Brief) bool { return b.Path == in.Find }); i >= 0 {
		if out.Body.Found, err = s.foundAt(ctx, w.found, w.streams[i].ID); err != nil {
			return nil, problem(err)
		}
	}
	now := byID(s.o.Engine.Active())
	for _, r := range w.rows {
		row := TreeRow{Level: r.level, Parent: r.parent, Around: r.around}
		if r.prefix != "" {
			row.Folder = newFolder(r.prefix, w.streams[r.first:r.end], w.open[r.prefix], now)
		} else {
			stored, err := s.o.Store.Row(ctx, w.streams[r.first].ID)
			if err != nil {
				return nil, problem(err)
			}
			if stored == nil {
				continue // deleted since
			}
			stream := s.newRow(stored)
			row.Stream = &stream
		}
		out.Body.Rows = append(out.Body.Rows, row)
	}
	return out, nil
}

func newFolder(prefix string, streams []*store.Brief, open bool, now map[int64]*engine.State) *Folder {
	f := &Folder{Prefix: prefix, Open: open, Streams: len(streams)}
	last := int64(0)
	for _, b := range streams {
		bytes, at := b.Bytes, b.LastAppendAt
		if st := now[b.ID]; st != nil {
			bytes, at = st.Bytes, st.LastAppendAt
		}
		f.Bytes += bytes
		last = max(last, at)
	}
	f.LastAppendAt = orNull(last)
	return f
}

// treeWalk goes through streams that are sorted by path, and keeps the rows of one
// page. Closed folders are stepped over, however much they hold.
type treeWalk struct {
	streams  []*store.Brief
	open     map[string]bool
	from, to int // the page
	find     string

	count int // rows so far
	rows  []treeRow
	found int // row of the stream to find; -1: it is in no row
}

type treeRow struct {
	prefix        string // of a folder; else it is the first stream
	first, end    int    // of the streams
	level, parent int
	around        string
}

func (w *treeWalk) add(r treeRow) int {
	if w.count >= w.from && w.count < w.to {
		w.rows = append(w.rows, r)
	}
	w.count++
	return w.count - 1
}

// walk goes through what a folder holds. Names begin behind the folder that has
// the row; prefix is longer where a folder holds nothing but another one.
func (w *treeWalk) walk(first, end int, around, prefix string, level, parent int) {
	least := ownRow
	if level == 0 {
		least = ownRowAtTop
	}
	for i := first; i < end; {
		path := w.streams[i].Path
		next := i + 1
		folder := ""
		if slash := strings.IndexByte(path[len(prefix):], '/'); slash >= 0 {
			folder = path[:len(prefix)+slash+1]
			next = i + sort.Search(end-i, func(k int) bool { return !strings.HasPrefix(w.streams[i+k].Path, folder) })
		}
		switch {
		case folder != "" && level > 0 && next-i == end-first:
			w.walk(i, next, around, folder, level, parent)
		case folder != "" && next-i >= least:
			row := w.add(treeRow{prefix: folder, first: i, end: next, level: level, parent: parent, around: around})
			if w.open[folder] {
				w.walk(i, next, folder, folder, level+1, row)
			}
		default:
			for k := i; k < next; k++ {
				row := w.add(treeRow{first: k, level: level, parent: parent, around: around})
				if w.streams[k].Path == w.find {
					w.found = row
				}
			}
		}
		i = next
	}
}

func (s *Server) registerTree(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/tree", "listTree", "List streams as a tree"), s.tree)
}
