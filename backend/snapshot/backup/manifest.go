package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"

	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// Names within a backup.
const (
	manifestName = "manifest.json"
	// markName is a file that is there first, and goes last: what a process leaves that
	// was killed can be seen.
	markName = "unfinished"
	// ConfigName is the configuration file, also in the data folder that is restored.
	ConfigName = "config.toml"
)

// version is that of manifests that are written.
const version = 1

// maxManifest bounds the size of a file that is taken for a manifest.
const maxManifest = 256 << 20

// Manifest says what a backup consists of.
type Manifest struct {
	TakenAt int64  `json:"taken_at"` // unix milliseconds
	Program string `json:"program"`
	Streams int64  `json:"streams"`
	Files   []File `json:"files"`
	// Cold are the files that compacted streams are read from. They are not part of
	// the backup.
	Cold []Cold `json:"cold,omitempty"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // stored
	SHA256 string `json:"sha256"` // of what is stored
	// Length is that of a file of large segments in the data folder, and Runs are the
	// parts of it that are stored: from which byte on, and how many.
	Length int64      `json:"length,omitempty"`
	Runs   [][2]int64 `json:"runs,omitempty"`
}

// Cold is a file that a compacted stream is read from.
type Cold struct {
	Place     string `json:"place"`
	Key       string `json:"key"`
	Endpoint  string `json:"endpoint,omitempty"`
	Region    string `json:"region,omitempty"`
	PathStyle bool   `json:"path_style,omitempty"`
	Target    string `json:"target,omitempty"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
}

// Size is how much is stored.
func (m *Manifest) Size() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// ColdBytes is how much compacted streams are read from.
func (m *Manifest) ColdBytes() (n int64) {
	for _, c := range m.Cold {
		n += c.Size
	}
	return n
}

// Config reports whether the configuration file is part of it.
func (m *Manifest) Config() bool { return m.file(ConfigName) != nil }

func (m *Manifest) file(name string) *File {
	for i := range m.Files {
		if m.Files[i].Name == name {
			return &m.Files[i]
		}
	}
	return nil
}

// DamagedError: what lies there is not what was written.
type DamagedError struct {
	Reason string
	Err    error
}

func (e *DamagedError) Error() string {
	text := "the backup is damaged: " + e.Reason
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *DamagedError) Unwrap() error { return e.Err }

// VersionError: a newer version has written the backup.
type VersionError struct{ Have int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the backup has version %d, this program knows version %d; upgrade Tailrace", e.Have, version)
}

// ErrNone: there is no backup, or not a whole one.
var ErrNone = errors.New("there is no whole backup here: " + manifestName + ", which is written last, is missing")

// sealed is what a manifest's file holds: the manifest behind its checksum.
type sealed struct {
	Version  int             `json:"tailrace_backup"`
	SHA256   string          `json:"sha256"` // of the bytes of manifest
	Manifest json.RawMessage `json:"manifest"`
}

func (m *Manifest) encode() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	file, err := json.Marshal(sealed{version, hex.EncodeToString(sum[:]), body})
	return append(file, '\n'), err
}

func decode(file []byte) (*Manifest, error) {
	var s sealed
	if json.Unmarshal(file, &s) != nil || s.Version == 0 {
		return nil, &DamagedError{Reason: manifestName + " is no manifest of a backup"}
	}
	if s.Version != version {
		return nil, &VersionError{s.Version}
	}
	if sum := sha256.Sum256(s.Manifest); hex.EncodeToString(sum[:]) != s.SHA256 {
		return nil, &DamagedError{Reason: manifestName + " is not what was written"}
	}
	m := new(Manifest)
	if err := json.Unmarshal(s.Manifest, m); err != nil {
		return nil, &DamagedError{Reason: manifestName + " is not what was written", Err: err}
	}
	return m, m.check()
}

var extentName = regexp.MustCompile(`^` + store.ExtentsName + `/[0-9]{8,}\.extent$`)

// check makes sure that no name leads elsewhere and that the runs add up.
func (m *Manifest) check() error {
	bad := func(f *File) error {
		return &DamagedError{Reason: fmt.Sprintf("%s has %q as it cannot be", manifestName, f.Name)}
	}
	seen := map[string]bool{}
	for i := range m.Files {
		f := &m.Files[i]
		extent := extentName.MatchString(f.Name)
		if seen[f.Name] || f.Size < 0 || !filepath.IsLocal(f.Name) || !extent && f.Name != store.FileName && f.Name != ConfigName {
			return bad(f)
		}
		seen[f.Name] = true
		if !extent {
			continue
		}
		var end, stored int64
		for _, r := range f.Runs {
			if r[0] < end || r[1] <= 0 || r[1] > f.Length-r[0] {
				return bad(f)
			}
			end, stored = r[0]+r[1], stored+r[1]
		}
		if stored != f.Size {
			return bad(f)
		}
	}
	if !seen[store.FileName] {
		return &DamagedError{Reason: manifestName + " has no " + store.FileName}
	}
	return nil
}

// readManifest reads that of the backup that lies in a folder of keys.
func readManifest(ctx context.Context, b bucket.Bucket, dir string) (*Manifest, error) {
	r, err := b.Open(ctx, path.Join(dir, manifestName))
	if bucket.ProblemOf(err) == bucket.ProblemMissing {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	file, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return decode(file)
}
