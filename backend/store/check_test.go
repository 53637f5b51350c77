package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tailrace/backend/extent"
	"tailrace/backend/protocol"
)

// check compares everything that the log says with the model.
func (l *testLog) check() {
	l.t.Helper()
	ctx := context.Background()
	l.checkStream(l.registry)
	for _, m := range l.streams {
		l.checkStream(m)
	}
	for path, last := range l.tombs {
		if _, next, err := l.db.Load(ctx, path); !errors.Is(err, protocol.ErrNotFound) || next != last+1 {
			l.t.Fatalf("deleted %q: got next incarnation %d, %v; want %d, not found", path, next, err, last+1)
		}
	}
	if n, err := l.db.Count(ctx); err != nil || n != len(l.streams) {
		l.t.Fatalf("count: got %d, %v; want %d", n, err, len(l.streams))
	}
	l.checkMemtable()
}

var approxStream = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Stream{})}

func (l *testLog) checkStream(m *modelStream) {
	l.t.Helper()
	ctx := context.Background()
	s, _, err := l.db.Load(ctx, m.Path)
	if err != nil {
		l.t.Fatalf("load %q: %v", m.Path, err)
	}
	if diff := cmp.Diff(m.Stream, s, approxStream); diff != "" {
		l.t.Fatalf("load %q (-want +got):\n%s", m.Path, diff)
	}
	row, err := l.db.Row(ctx, s.ID)
	if err != nil || row == nil {
		l.t.Fatalf("row %q: %v, %v", m.Path, row, err)
	}
	if diff := cmp.Diff(Row{Stream: m.Stream, Producers: len(m.producers)}, *row, approxStream); diff != "" {
		l.t.Fatalf("row %q (-want +got):\n%s", m.Path, diff)
	}
	got, err := l.db.Producers(ctx, s.ID)
	if err != nil {
		l.t.Fatalf("producers of %q: %v", m.Path, err)
	}
	var want []Producer
	for _, p := range m.producers {
		want = append(want, p)
	}
	byID := cmpopts.SortSlices(func(a, b Producer) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, got, byID, cmpopts.EquateEmpty()); diff != "" {
		l.t.Fatalf("producers of %q (-want +got):\n%s", m.Path, diff)
	}
	l.checkReads(m)
	l.checkBatches(m)
}

// wire is what a read of [from, to) must give.
func (m *modelStream) wire(from, to int64) string {
	if m.Kind != protocol.KindJSON {
		return string(m.data[from:to])
	}
	if from == to {
		return ""
	}
	start := 0
	if from > 0 {
		start = m.ends[from-1] + 1
	}
	return string(m.data[start:m.ends[to-1]])
}

// add takes a committed batch into the model.
func (m *modelStream) add(b *Batch) {
	m.batches = append(m.batches, b)
	at := 0
	for _, n := range b.Payload.Sizes {
		if m.Kind == protocol.KindJSON && len(m.ends) > 0 {
			m.data = append(m.data, ',')
		}
		m.data = append(m.data, b.Payload.Data[at:at+n]...)
		m.ends = append(m.ends, len(m.data))
		at += n + 1
	}
}

func (l *testLog) checkReads(m *modelStream) {
	l.t.Helper()
	softs := []int{1, 100, 1 << 20}
	for i, soft := range softs {
		l.checkRead(m, 0, m.Tail, soft)
		for range 3 {
			from := rand.Int64N(m.Tail + 1)
			l.checkRead(m, from, from+rand.Int64N(m.Tail-from+1), softs[(i+rand.IntN(2))%3])
		}
	}
}

// checkRead reads a range in as many calls as it takes.
func (l *testLog) checkRead(m *modelStream, from, to int64, soft int) {
	l.t.Helper()
	var parts []string
	for at := from; at < to; {
		pieces, err := l.db.Read(context.Background(), &m.Stream, at, to, soft)
		if err != nil {
			l.t.Fatalf("read %q [%d, %d) at %d: %v", m.Path, from, to, at, err)
		}
		size := 0
		for i, p := range pieces {
			if p.Start != at || p.End <= p.Start || p.End > to || size >= soft {
				l.t.Fatalf("read %q [%d, %d) at %d, soft %d: piece %d is [%d, %d) after %d bytes", m.Path, from, to, at, soft, i, p.Start, p.End, size)
			}
			at = p.End
			size += len(p.Data)
			parts = append(parts, string(p.Data))
		}
		if len(pieces) == 0 || (size < soft && at < to) {
			l.t.Fatalf("read %q [%d, %d): stopped at %d after %d bytes", m.Path, from, to, at, size)
		}
	}
	sep := ""
	if m.Kind == protocol.KindJSON {
		sep = ","
	}
	if got, want := strings.Join(parts, sep), m.wire(from, to); got != want {
		l.t.Fatalf("read %q [%d, %d), soft %d:\ngot  %.200q\nwant %.200q", m.Path, from, to, soft, got, want)
	}
}

func (l *testLog) checkBatches(m *modelStream) {
	l.t.Helper()
	ctx := context.Background()
	var data []*Batch // those with messages
	for _, b := range m.batches {
		if b.Payload.Messages() > 0 {
			data = append(data, b)
		}
	}
	for range min(4, len(data)) {
		i := rand.IntN(len(data))
		j := i + rand.IntN(min(len(data)-i, 20))
		from := data[i].First + rand.Int64N(int64(data[i].Payload.Messages()))
		to := data[j].First + int64(data[j].Payload.Messages())
		if i != j {
			to -= rand.Int64N(int64(data[j].Payload.Messages()))
		}
		got, err := l.db.Batches(ctx, &m.Stream, from, max(to, from+1))
		if err != nil {
			l.t.Fatalf("batches of %q [%d, %d): %v", m.Path, from, to, err)
		}
		// The Stream-Seq of sealed batches is only kept for the stream.
		opts := cmp.Options{cmpopts.IgnoreUnexported(Batch{}), cmpopts.IgnoreFields(Batch{}, "StreamSeq"), cmp.Comparer(bytes.Equal)}
		if diff := cmp.Diff(data[i:j+1], got, opts); diff != "" {
			l.t.Fatalf("batches of %q [%d, %d) (-want +got):\n%s", m.Path, from, to, diff)
		}
		var scanned []*Batch
		if err := l.db.Scan(ctx, &m.Stream, from, max(to, from+1), func(run []*Batch) error {
			scanned = append(scanned, run...)
			return nil
		}); err != nil {
			l.t.Fatalf("scan %q [%d, %d): %v", m.Path, from, to, err)
		}
		// It stops at the end of a run, not in one.
		scanned = scanned[:min(len(scanned), j+1-i)]
		if diff := cmp.Diff(data[i:j+1], scanned, opts); diff != "" {
			l.t.Fatalf("scan of %q [%d, %d) (-want +got):\n%s", m.Path, from, to, diff)
		}
	}
	for _, at := range []int64{l.now - rand.Int64N(5), l.now + 1, m.CreatedAt + rand.Int64N(l.now-m.CreatedAt+1)} {
		got, err := l.db.SeekTime(ctx, &m.Stream, at)
		i := sort.Search(len(m.batches), func(i int) bool { return m.batches[i].Time >= at })
		want := m.Messages
		if i < len(m.batches) {
			want = m.batches[i].First
		}
		if err != nil || got != want {
			l.t.Fatalf("seek %q to %d: got %d, %v; want %d", m.Path, at, got, err, want)
		}
	}
}

// checkMemtable checks the sums and the order of what is in memory.
func (l *testLog) checkMemtable() {
	l.t.Helper()
	m := &l.db.mem
	m.mu.RLock()
	defer m.mu.RUnlock()
	total, unsealed, backlog, sealedTo := 0, 0, 0, int64(-1)
	for i, e := range m.fifo {
		total += e.batch.cost()
		if i >= m.firstUnsealed {
			backlog += e.batch.cost()
		}
		if !m.isSealed(e) {
			unsealed += e.batch.cost()
		} else if i == m.firstUnsealed {
			l.t.Fatalf("firstUnsealed %d points at a sealed batch", i)
		}
		if e.batch.seq <= sealedTo {
			l.t.Fatalf("arrival numbers do not rise: %d behind %d", e.batch.seq, sealedTo)
		}
		sealedTo = e.batch.seq
	}
	if total != m.bytes || unsealed != m.unsealedBytes || backlog != m.backlogBytes {
		l.t.Fatalf("memory: counted %d bytes, %d of them unsealed, %d behind the first of those; the sums say %d, %d and %d",
			total, unsealed, backlog, m.bytes, m.unsealedBytes, m.backlogBytes)
	}
	for id, t := range m.tails {
		for i := 1; i < len(t.batches); i++ {
			if t.batches[i].Start != t.batches[i-1].End {
				l.t.Fatalf("stream %d: a gap in memory at %d", id, t.batches[i].Start)
			}
		}
	}
}

// sqlDB opens the log's file beside the log.
func (l *testLog) sqlDB() *sql.DB {
	db, err := sql.Open("sqlite", dsn(filepath.Join(l.dir, FileName)))
	if err != nil {
		l.t.Fatalf("%v", err)
	}
	return db
}

func (l *testLog) query(query string, args ...any) (n int64) {
	l.t.Helper()
	db := l.sqlDB()
	defer db.Close()
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (l *testLog) exec(query string) {
	l.t.Helper()
	db := l.sqlDB()
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
}

// checkFile checks the closed database: SQLite's own check, and that segments are
// contiguous and meet the tail.
func (l *testLog) checkFile() {
	l.t.Helper()
	db := l.sqlDB()
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		l.t.Fatalf("integrity check: %q, %v", result, err)
	}
	for what, query := range map[string]string{
		"segments with a gap before them": `SELECT count(*) FROM segments s WHERE start > 0
			AND stream IN (SELECT id FROM streams) AND NOT EXISTS (SELECT 1 FROM segments p WHERE p.stream = s.stream AND p."end" = s.start AND p.start < s.start)`,
		"streams whose segments do not end at their sealed tail": `SELECT count(*) FROM streams
			WHERE tail != coalesce((SELECT max("end") FROM segments WHERE stream = streams.id), 0)`,
		"ops of living streams that are sealed and behind unsealed ones": `SELECT count(*) FROM ops o JOIN streams s ON s.id = o.stream
			WHERE o.seq > s.sealed_seq AND o.offset < s.tail`,
		"rows of deleted streams that nobody will remove": `SELECT count(*) FROM segments
			WHERE stream NOT IN (SELECT id FROM streams) AND stream NOT IN (SELECT stream FROM garbage)`,
		"producers of deleted streams that nobody will remove": `SELECT count(*) FROM producers
			WHERE stream NOT IN (SELECT id FROM streams) AND stream NOT IN (SELECT stream FROM garbage)`,
	} {
		var n int
		if err := db.QueryRow(query).Scan(&n); err != nil || n != 0 {
			l.t.Fatalf("%d %s (%v)", n, what, err)
		}
	}
	l.checkExtents(db)
}

// checkExtents checks that what the database tells of files is what its segments
// refer to, that no two share a byte, and that no file is too much.
func (l *testLog) checkExtents(db *sql.DB) {
	l.t.Helper()
	known := map[int64]extent.File{}
	each := func(query string, f func(scan func(...any) error) error) {
		l.t.Helper()
		rows, err := db.Query(query)
		if err != nil {
			l.t.Fatalf("%s: %v", query, err)
		}
		defer rows.Close()
		for rows.Next() {
			if err := f(rows.Scan); err != nil {
				l.t.Fatalf("%s: %v", query, err)
			}
		}
	}
	each("SELECT id, size, live FROM extent_files", func(scan func(...any) error) error {
		var f extent.File
		err := scan(&f.ID, &f.Size, &f.Live)
		known[f.ID] = f
		return err
	})
	var refs []extent.Ref
	each("SELECT meta FROM segments", func(scan func(...any) error) error {
		var meta []byte
		err := scan(&meta)
		if ref, ok := extentOf(meta); ok {
			refs = append(refs, ref)
		}
		return err
	})
	slices.SortFunc(refs, func(a, b extent.Ref) int { return int(a.File-b.File)<<40 + int(a.At-b.At) })
	for i, r := range refs {
		f, ok := known[r.File]
		if !ok || r.At+r.Size > f.Size {
			l.t.Fatalf("a segment refers to %+v of file %+v", r, f)
		}
		if i > 0 && refs[i-1].File == r.File && refs[i-1].At+refs[i-1].Size > r.At {
			l.t.Fatalf("two segments share bytes: %+v and %+v", refs[i-1], r)
		}
		f.Live -= r.Size
		known[r.File] = f
	}
	for _, f := range known {
		if f.Live != 0 {
			l.t.Fatalf("file %d: %d bytes too many count as referred to", f.ID, f.Live)
		}
	}
	entries, err := os.ReadDir(filepath.Join(l.dir, ExtentsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.t.Fatalf("%v", err)
	}
	if len(entries) > len(known)+1 { // one may have been begun and not been needed
		l.t.Fatalf("%d files, the database knows %d", len(entries), len(known))
	}
}
