package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/extent"
	"tailrace/backend/protocol"
)

// Options tune the log. The zero value is what the product uses.
type Options struct {
	// SealAt is how many bytes of unsealed batches gather before sealing begins;
	// 0: 4 MiB. It bounds what a start has to read.
	SealAt int
	// DirectBytes is from which size on a write goes straight into segments, and the
	// data of a segment into a file; 0: 64 KiB, from where on both were measured to
	// be faster.
	DirectBytes int
	// ExtentFileBytes is where a file of large segments is full; 0:
	// [extent.DefaultLimit].
	ExtentFileBytes int64
	// CacheBytes is how many bytes of the newest batches stay in memory;
	// 0: 8 MiB. Unsealed batches always stay.
	CacheBytes int
	// Volatile acknowledges what the operating system has taken, without waiting for
	// the disk: a crash of the program still loses nothing, one of the machine may
	// lose everything. For data that goes when the program ends.
	Volatile bool
	// Log is told when writes begin to fail and when they work again; nil:
	// slog.Default().
	Log *slog.Logger
}

// DB is the log. All methods may be called from any goroutine.
type DB struct {
	path   string
	sealAt int
	direct int
	log    *slog.Logger
	read   *sql.DB // pool of read-only connections
	write  *sql.DB // the committer's single connection
	loads  loads
	mem    memtable
	names  names
	large  largeSegments
	// extents hold the data of large segments; all but reading is the committer's.
	extents *extent.Files
	copies  atomic.Int32 // that are being made: nothing of the files is given back

	submit    chan *request
	stop      chan struct{}
	done      sync.WaitGroup
	committer *committer // its goroutine's own until done

	ids      idAllocator
	registry registry
	onWork   atomic.Pointer[func(id string, n Notice)]
	onClose  onClose
	archive  Archive // nil: nothing is cold

	commits        Histogram
	writes, failed atomic.Uint64
	failing        atomic.Pointer[error] // of the last commit
}

// idAllocator hands out stream numbers. They are never used twice: rows of a
// deleted stream may outlive it for a while.
type idAllocator struct {
	mu   sync.Mutex
	last int64
}

// NextID returns a number for a new stream.
func (d *DB) NextID() int64 {
	d.ids.mu.Lock()
	defer d.ids.mu.Unlock()
	d.ids.last++
	return d.ids.last
}

// Open opens the log in a folder, creating it if there is none, and starts the
// committer. A database of a newer version is refused with a
// *[NewerSchemaError], one that is not what was written with a *[DamagedError];
// neither is changed.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	path := filepath.Join(dir, FileName)
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		// What lies there belongs to a database that somebody has taken away.
		suffix := ".orphaned-" + time.Now().UTC().Format("20060102-150405")
		if err := setExtentsAside(dir, suffix); err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(dir, ExtentsName+suffix)); err == nil && o.Log != nil {
			o.Log.Warn("there were data of large segments and no database; they are kept aside", "kept", ExtentsName+suffix)
		}
	}
	removeCopies(dir)
	db, err := open(ctx, path, o)
	return db, asDamage(path, classify(err))
}

func open(ctx context.Context, path string, o Options) (*DB, error) {
	write, err := openFile(ctx, path, o.Volatile)
	if err != nil {
		return nil, err
	}
	read, err := sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readConns)
	read.SetMaxIdleConns(readConns)
	d := &DB{
		path:   path,
		log:    o.Log,
		sealAt: orDefault(o.SealAt, 4<<20),
		direct: orDefault(o.DirectBytes, 64<<10),
		read:   read,
		write:  write,
		mem:    memtable{tails: map[int64]*tail{}, budget: orDefault(o.CacheBytes, 8<<20)},
		submit: make(chan *request, maxGroup),
		stop:   make(chan struct{}),
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	if err := errors.Join(d.loads.prepare(ctx, read), d.names.load(ctx, d), d.openExtents(ctx, o)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the log: %w", err), d.loads.close(), read.Close(), write.Close())
	}
	if d.committer, err = d.newCommitter(ctx); err != nil {
		return nil, errors.Join(err, d.extents.Close(), d.loads.close(), read.Close(), write.Close())
	}
	d.committer.full = !d.committer.reserve.fill()
	d.done.Go(d.committer.run)
	return d, nil
}

func (d *DB) reserve() reserve { return reserve{filepath.Join(filepath.Dir(d.path), reserveName)} }

// readConns is how many pages of reads can be fetched at the same time.
const readConns = 4

func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Close waits for the writes under way and closes the files. Nobody may call
// Commit any more.
func (d *DB) Close() error {
	close(d.stop)
	d.done.Wait()
	return errors.Join(d.committer.close(), d.extents.Close(), d.loads.close(), d.read.Close(), d.write.Close())
}

// recover rebuilds the memtable from the ops that are not sealed yet and returns
// the next arrival number.
func (d *DB) recover(ctx context.Context) (nextSeq int64, err error) {
	var sealedSeq, lastSeq int64
	if err := errors.Join(
		d.write.QueryRowContext(ctx, "SELECT value FROM settings WHERE name = 'sealed_seq'").Scan(&sealedSeq),
		d.write.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM ops").Scan(&lastSeq),
		// Numbers of streams whose restoration was not finished are used up as well.
		d.write.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) FROM (SELECT seq AS n FROM sqlite_sequence WHERE name = 'streams'
			UNION ALL SELECT stream FROM restoring UNION ALL SELECT stream FROM garbage)`).Scan(&d.ids.last),
	); err != nil {
		return 0, fmt.Errorf("open the log: %w", err)
	}
	if err := d.replay(ctx); err != nil {
		return 0, fmt.Errorf("read the unsealed log: %w", err)
	}
	return max(sealedSeq, lastSeq) + 1, nil
}

// replayed is a stream met while ops are read back.
type replayed struct {
	kind      protocol.Kind
	sealedSeq int64
	pos       Position
	gone      bool
}

func (d *DB) replay(ctx context.Context) error {
	rows, err := d.read.QueryContext(ctx,
		"SELECT seq, stream, offset, time, closing, producer, epoch, producer_seq, stream_seq, sizes, payload FROM ops ORDER BY seq")
	if err != nil {
		return err
	}
	defer rows.Close()
	streams := map[int64]*replayed{}
	for rows.Next() {
		var b Batch
		var producer, streamSeq sql.NullString
		var epoch, seq sql.NullInt64
		var sizes []byte
		if err := rows.Scan(&b.seq, &b.Stream, &b.Start, &b.Time, &b.Closing, &producer, &epoch, &seq, &streamSeq, &sizes, &b.Payload.Data); err != nil {
			return err
		}
		s := streams[b.Stream]
		if s == nil {
			if s, err = d.replayStream(ctx, b.Stream); err != nil {
				return err
			}
			streams[b.Stream] = s
		}
		if s.gone || b.seq <= s.sealedSeq {
			continue
		}
		if b.Start != s.pos.Tail {
			return &DamagedError{What: "the log", Err: fmt.Errorf(
				"op %d of stream %d begins at %d, but the stream ends at %d", b.seq, b.Stream, b.Start, s.pos.Tail)}
		}
		switch {
		case sizes != nil:
			if b.Payload.Sizes, err = decodeSizes(sizes); err != nil {
				return fmt.Errorf("op %d: %w", b.seq, err)
			}
		case len(b.Payload.Data) > 0:
			b.Payload.Sizes = []int{len(b.Payload.Data)}
		}
		if producer.Valid {
			b.Producer = &protocol.Producer{ID: producer.String, Epoch: epoch.Int64, Seq: seq.Int64}
		}
		b.StreamSeq = streamSeq.String
		s.pos = s.pos.Place(s.kind, &b)
		d.mem.add(s.kind, []*Batch{&b}, s.pos)
	}
	return rows.Err()
}

func (d *DB) replayStream(ctx context.Context, id int64) (*replayed, error) {
	row := d.read.QueryRowContext(ctx, "SELECT sealed_seq, "+streamColumns+" FROM streams WHERE id = ?", id)
	var sealedSeq int64
	s, err := scanStream(func(dest ...any) error { return row.Scan(append([]any{&sealedSeq}, dest...)...) })
	if errors.Is(err, sql.ErrNoRows) {
		return &replayed{gone: true}, nil
	}
	return &replayed{kind: s.Kind, sealedSeq: sealedSeq, pos: s.Position}, err
}
