package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"

	"tailrace/backend/extent"
)

// Image is a copied database. It is only read.
type Image struct {
	path string
	db   *sql.DB
}

// ImageFile is a file with data of large segments, as a copied database knows it.
type ImageFile struct {
	ID, Size int64
	Pieces   []ImagePiece // in the order in which they lie there
}

// ImagePiece is the data of a segment.
type ImagePiece struct {
	extent.Ref
	segment int64
}

// OpenImage opens a copied database. One of a newer version is refused with a
// *[NewerSchemaError], and what is none with a *[DamagedError].
func OpenImage(ctx context.Context, path string) (_ *Image, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, &DamagedError{What: path, Err: errors.New("it is empty")}
	}
	db, err := sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	if err := checkFile(ctx, db, path); err != nil {
		return nil, errors.Join(asDamage(path, err), db.Close())
	}
	return &Image{path, db}, nil
}

// Close closes the database.
func (i *Image) Close() error { return i.db.Close() }

// Size is that of the database.
func (i *Image) Size() (int64, error) {
	info, err := os.Stat(i.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Streams is how many streams there are, those of the server itself not counted.
func (i *Image) Streams(ctx context.Context) (n int64, err error) {
	err = i.db.QueryRowContext(ctx, "SELECT count(*) FROM streams WHERE deleted_at IS NULL AND NOT system").Scan(&n)
	return n, asDamage(i.path, err)
}

// Files are the files with data of large segments.
func (i *Image) Files(ctx context.Context) ([]ImageFile, error) {
	var files []ImageFile
	at := map[int64]int{}
	err := i.each(ctx, "SELECT id, size FROM extent_files ORDER BY id", func(scan func(...any) error) error {
		var f ImageFile
		err := scan(&f.ID, &f.Size)
		at[f.ID] = len(files)
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = i.each(ctx, fmt.Sprintf("SELECT id, substr(meta, 1, %d) FROM segments WHERE length(data) = 0", extentHeader), func(scan func(...any) error) error {
		var p ImagePiece
		var meta []byte
		if err := scan(&p.segment, &meta); err != nil {
			return err
		}
		var outside bool
		if p.Ref, outside = extentOf(meta); !outside {
			return nil
		}
		n, ok := at[p.File]
		if !ok || p.At < 0 || p.Size < 0 || p.At > files[n].Size-p.Size {
			return &DamagedError{What: "segment " + fmt.Sprint(p.segment), Err: errors.New("its data lies in no file")}
		}
		files[n].Pieces = append(files[n].Pieces, p)
		return nil
	})
	for _, f := range files {
		slices.SortFunc(f.Pieces, func(a, b ImagePiece) int { return cmp.Compare(a.At, b.At) })
	}
	return files, err
}

// Runs are the parts of a file that are referred to.
func (f *ImageFile) Runs() (runs []extent.Ref) {
	for _, p := range f.Pieces {
		if last := len(runs) - 1; last >= 0 && runs[last].At+runs[last].Size == p.At {
			runs[last].Size += p.Size
		} else {
			runs = append(runs, p.Ref)
		}
	}
	return runs
}

// Colds are the cold runs of all streams.
func (i *Image) Colds(ctx context.Context) ([]Cold, error) {
	runs, err := colds(ctx, i.db, 0)
	return runs, asDamage(i.path, err)
}

// Check reads all of the database: its structure, and the data of each segment that
// is in it. What it finds is a *[DamagedError].
func (i *Image) Check(ctx context.Context) error {
	err := i.each(ctx, "PRAGMA integrity_check(1)", func(scan func(...any) error) error {
		var result string
		if err := scan(&result); err != nil || result == "ok" {
			return err
		}
		return &DamagedError{What: i.path, Err: errors.New(result)}
	})
	if err != nil {
		return err
	}
	return i.each(ctx, "SELECT id, meta, data FROM segments", func(scan func(...any) error) error {
		var id int64
		var s segment
		if err := scan(&id, &s.meta, &s.data); err != nil {
			return err
		}
		if _, outside := extentOf(s.meta); outside {
			return nil
		}
		return s.checkAs(id)
	})
}

// CheckPiece checks the data of a segment that lies in a file.
func (i *Image) CheckPiece(ctx context.Context, p ImagePiece, data []byte) error {
	s := segment{data: data}
	if err := i.db.QueryRowContext(ctx, "SELECT meta FROM segments WHERE id = ?", p.segment).Scan(&s.meta); err != nil {
		return asDamage(i.path, err)
	}
	return s.checkAs(p.segment)
}

func (s *segment) checkAs(id int64) error {
	if err := s.check(); err != nil {
		return &DamagedError{What: fmt.Sprintf("segment %d", id), Err: err}
	}
	return nil
}

func (i *Image) each(ctx context.Context, query string, f func(scan func(...any) error) error) error {
	rows, err := i.db.QueryContext(ctx, query)
	if err != nil {
		return asDamage(i.path, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return asDamage(i.path, rows.Err())
}
