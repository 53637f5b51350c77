package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Object is a stored file.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Bucket stores files by key. Keys are slash-separated and relative to the
// place that the bucket was opened at.
type Bucket interface {
	// Put stores what write writes. It is all or nothing.
	Put(ctx context.Context, key string, write func(io.Writer) error) error
	// Open reads a file from its beginning, Range length bytes from offset on.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	Range(ctx context.Context, key string, offset int64, length int) ([]byte, error)
	Stat(ctx context.Context, key string) (Object, error)
	// List returns what lies below a prefix, sorted by key.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// DeleteAll removes what lies below a folder of keys, whole or half, and the folder.
	DeleteAll(ctx context.Context, dir string) error
	// Test stores, reads and deletes a small file.
	Test(ctx context.Context) error
	// Location is how users name a key: a path, or s3://bucket/key.
	Location(key string) string
}

// Target says where a bucket is.
type Target struct {
	// Location is a folder, or s3://bucket/prefix.
	Location string
	// What follows matters for S3 only. An empty Endpoint is AWS; one that begins
	// with http:// does without TLS.
	Endpoint  string
	Region    string
	PathStyle bool
	// Keys are used when they are there; else those of the keyring entry, when it
	// is named; else what the AWS variables, files and machine roles give.
	Keys    *Keys `json:"-"` // stored nowhere
	Keyring string
}

// Keys open an S3 bucket.
type Keys struct{ Access, Secret, Session string }

// String and GoString keep keys out of logs.
func (Keys) String() string   { return "(keys)" }
func (Keys) GoString() string { return "(keys)" }

// IsS3 reports whether a location is in a bucket.
func IsS3(location string) bool { return strings.HasPrefix(location, "s3://") }

// Open opens a target, without looking whether it answers.
func Open(t Target) (Bucket, error) {
	if IsS3(t.Location) {
		return openS3(t)
	}
	if t.Location == "" {
		return nil, errors.New("the target has no location: expected a folder or s3://bucket/prefix")
	}
	dir, err := filepath.Abs(t.Location)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", t.Location, err)
	}
	return &folder{dir: dir}, nil
}

// Split turns the location of a file into the target that holds it and its key:
// what Location has joined, where the key is known to begin with one of roots.
func Split(location string, roots ...string) (place, key string) {
	slashed := location
	if !IsS3(location) {
		slashed = filepath.ToSlash(location)
	}
	at := strings.LastIndex(slashed, "/")
	for _, root := range roots {
		if i := strings.LastIndex(slashed, "/"+root+"/"); i >= 0 {
			at = i
			break
		}
	}
	key = slashed[at+1:]
	if place = location[:max(at, 0)]; at >= 0 && place == filepath.VolumeName(location) {
		place = location[:at+1] // the top of a disk ends in its slash
	}
	return place, key
}

// splitS3 takes s3://bucket/prefix apart.
func splitS3(location string) (name, prefix string, err error) {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return "", "", fmt.Errorf("%q is no bucket: expected s3://bucket/prefix", location)
	}
	return u.Host, strings.Trim(u.Path, "/"), nil
}

// Problems of a target.
const (
	ProblemName        = "name"        // the host's name is not known
	ProblemConnect     = "connect"     // nobody answers
	ProblemTLS         = "tls"         // the certificate is not accepted
	ProblemKeys        = "keys"        // no keys, or wrong ones
	ProblemDenied      = "denied"      // the keys may not do this
	ProblemNoBucket    = "no_bucket"   // there is no such bucket or folder
	ProblemClock       = "clock"       // this machine's clock and the server's differ
	ProblemRegion      = "region"      // the bucket is in another region
	ProblemMissing     = "missing"     // there is no such file
	ProblemFull        = "full"        // there is no room
	ProblemUnavailable = "unavailable" // the server fails
)

// Error says what is wrong with a target.
type Error struct {
	Problem string
	Where   string // endpoint and bucket, or folder
	Advice  string // what is wrong, in words
	Err     error
}

func (e *Error) Error() string { return e.Where + ": " + e.Advice }

func (e *Error) Unwrap() error { return e.Err }

// ProblemOf is the problem that an error is about; "": none of a target.
func ProblemOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Problem
	}
	return ""
}
