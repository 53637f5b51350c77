package segfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// ManifestVersion is the version of manifests that are written.
const ManifestVersion = 1

// Manifest joins files that each hold a range of a stream.
type Manifest struct {
	Path        string         `json:"path"`
	ContentType string         `json:"content_type"`
	Incarnation int64          `json:"incarnation"`
	CreatedAt   int64          `json:"created_at"`
	TakenAt     int64          `json:"taken_at"`
	Parts       []ManifestPart `json:"parts"`
}

// ManifestPart is a file, which lies beside the manifest.
type ManifestPart struct {
	File   string `json:"file"`
	Start  int64  `json:"start"`
	End    int64  `json:"end"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // of the file
}

// sealedManifest is what a file holds: the manifest behind its checksum.
type sealedManifest struct {
	Version  int             `json:"tailrace_manifest"`
	SHA256   string          `json:"sha256"` // of the bytes of manifest
	Manifest json.RawMessage `json:"manifest"`
}

// MaxManifest bounds the size of a file that is taken for a manifest.
const MaxManifest = 16 << 20

// Encode returns the file.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	file, err := json.Marshal(sealedManifest{ManifestVersion, hex.EncodeToString(sum[:]), body})
	return append(file, '\n'), err
}

// DecodeManifest reads and checks a file.
func DecodeManifest(file []byte) (*Manifest, error) {
	var sealed sealedManifest
	if json.Unmarshal(file, &sealed) != nil || sealed.Version == 0 {
		return nil, ErrNotSnapshot
	}
	if sealed.Version != ManifestVersion {
		return nil, &VersionError{Have: sealed.Version}
	}
	if sum := sha256.Sum256(sealed.Manifest); hex.EncodeToString(sum[:]) != sealed.SHA256 {
		return nil, damaged("the manifest has a wrong checksum")
	}
	m := new(Manifest)
	if err := json.Unmarshal(sealed.Manifest, m); err != nil {
		return nil, damaged("the manifest cannot be read: %v", err)
	}
	return m, m.check()
}

// check refuses manifests whose parts do not join.
func (m *Manifest) check() error {
	if len(m.Parts) == 0 {
		return damaged("the manifest names no files")
	}
	pos := int64(0)
	for _, p := range m.Parts {
		if p.Start != pos || p.End < p.Start {
			return damaged("%s begins at position %d, but the one before ends at %d", p.File, p.Start, pos)
		}
		pos = p.End
	}
	return nil
}

// Fits compares a part with the header of its file.
func (m *Manifest) Fits(p *ManifestPart, h *Header) error {
	if h.Path != m.Path || h.ContentType != m.ContentType || h.Incarnation != m.Incarnation || h.CreatedAt != m.CreatedAt ||
		h.Start != p.Start || h.End != p.End {
		return damaged("%s is not the file that the manifest means", p.File)
	}
	return nil
}

// FitsSum compares a part with what its file amounted to.
func (p *ManifestPart) FitsSum(s Summary) error {
	if s.Size != p.Size || hex.EncodeToString(s.SHA256[:]) != p.SHA256 {
		return damaged("%s has the SHA-256 %x, but the manifest says %s", p.File, s.SHA256, p.SHA256)
	}
	return nil
}

// NewManifest begins the manifest of a stream.
func NewManifest(h *Header) *Manifest {
	return &Manifest{Path: h.Path, ContentType: h.ContentType, Incarnation: h.Incarnation, CreatedAt: h.CreatedAt, TakenAt: h.TakenAt}
}

// Add adds a file behind those before.
func (m *Manifest) Add(file string, start, end, size int64, sum []byte) {
	m.Parts = append(m.Parts, ManifestPart{File: file, Start: start, End: end, Size: size, SHA256: fmt.Sprintf("%x", sum)})
}
