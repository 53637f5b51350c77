package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

// partBytes is the size of the parts of an upload: 10,000 of them make the
// largest object, 160 GB.
const partBytes = 16 << 20

// retries of a call that failed for a reason that may pass; minio backs off.
const retries = 4

var (
	errNotWritten  = errors.New("the file was not written to its end")
	errUploadEnded = errors.New("the upload has ended")
)

// s3 keeps files in a bucket.
type s3 struct {
	client *minio.Client
	keys   *keys
	bucket string
	prefix string
	where  string
}

func openS3(t Target) (*s3, error) {
	name, prefix, err := splitS3(t.Location)
	if err != nil {
		return nil, err
	}
	endpoint := t.Endpoint
	if endpoint == "" {
		endpoint = "https://s3.amazonaws.com"
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, fmt.Errorf("endpoint %q: expected http://host:port or https://host", t.Endpoint)
	}
	lookup := minio.BucketLookupAuto
	if t.PathStyle {
		lookup = minio.BucketLookupPath
	}
	s := &s3{bucket: name, prefix: prefix, where: u.Host + ", bucket " + name}
	if s.keys, err = keysOf(t); err != nil {
		return nil, &Error{Problem: ProblemKeys, Where: s.where, Advice: err.Error(), Err: err}
	}
	s.client, err = minio.New(u.Host, &minio.Options{
		Creds: s.keys.found, Secure: u.Scheme == "https", Region: t.Region, BucketLookup: lookup, MaxRetries: retries,
	})
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", t.Endpoint, err)
	}
	return s, nil
}

func (s *s3) name(key string) string {
	if s.prefix == "" {
		return key
	}
	return s.prefix + "/" + key
}

func (s *s3) Location(key string) string { return "s3://" + s.bucket + "/" + s.name(key) }

// Put streams a file in parts, two of which are in memory at a time.
func (s *s3) Put(ctx context.Context, key string, write func(io.Writer) error) error {
	if err := s.haveKeys(ctx); err != nil {
		return err
	}
	s.sweep(ctx, key)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pr, pw := io.Pipe()
	var writing sync.WaitGroup
	var wrote error
	writing.Go(func() {
		if wrote = write(pw); wrote == nil {
			pw.CloseWithError(nil) // the end of the file
			return
		}
		// Never wrote itself: some errors would look like the end of the file.
		pw.CloseWithError(errNotWritten)
	})
	_, err := s.client.PutObject(ctx, s.bucket, s.name(key), pr, -1, minio.PutObjectOptions{
		PartSize: partBytes, NumThreads: 2, ConcurrentStreamParts: true, ContentType: "application/octet-stream",
	})
	pr.CloseWithError(errUploadEnded)
	writing.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrote != nil && !errors.Is(wrote, errUploadEnded) {
		return wrote // what failed first
	}
	return s.explain(err)
}

// sweep aborts uploads that nobody goes on with, below the first folder of a key.
func (s *s3) sweep(ctx context.Context, key string) {
	dir, _, _ := strings.Cut(key, "/")
	for up := range s.client.ListIncompleteUploads(ctx, s.bucket, s.name(dir)+"/", true) {
		if up.Err != nil {
			return // some servers cannot list them; the upload meets real errors itself
		}
		if time.Since(up.Initiated) > staleAfter {
			_ = s.client.RemoveIncompleteUpload(ctx, s.bucket, up.Key) // the next one tries again
		}
	}
}

func (s *s3) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := s.haveKeys(ctx); err != nil {
		return nil, err
	}
	o, err := s.client.GetObject(ctx, s.bucket, s.name(key), minio.GetObjectOptions{})
	if err != nil {
		return nil, s.explain(err)
	}
	if _, err := o.Stat(); err != nil {
		return nil, errors.Join(s.explain(err), o.Close())
	}
	return &explained{o, s}, nil
}

// explained names the problems met while an object is read.
type explained struct {
	*minio.Object
	s *s3
}

func (r *explained) Read(p []byte) (int, error) {
	n, err := r.Object.Read(p)
	if err != nil && err != io.EOF {
		err = r.s.explain(err)
	}
	return n, err
}

func (s *s3) Range(ctx context.Context, key string, offset int64, length int) (b []byte, err error) {
	if err := s.haveKeys(ctx); err != nil {
		return nil, err
	}
	if length == 0 {
		return nil, nil
	}
	var o minio.GetObjectOptions
	if err := o.SetRange(offset, offset+int64(length)-1); err != nil {
		return nil, err
	}
	r, err := s.client.GetObject(ctx, s.bucket, s.name(key), o)
	if err != nil {
		return nil, s.explain(err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b = make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, s.explain(err)
	}
	return b, nil
}

func (s *s3) Stat(ctx context.Context, key string) (Object, error) {
	if err := s.haveKeys(ctx); err != nil {
		return Object{}, err
	}
	info, err := s.client.StatObject(ctx, s.bucket, s.name(key), minio.StatObjectOptions{})
	if err != nil {
		return Object{}, s.explain(err)
	}
	return Object{Key: key, Size: info.Size, Modified: info.LastModified}, nil
}

func (s *s3) List(ctx context.Context, prefix string) (objects []Object, err error) {
	if err := s.haveKeys(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	skip := len(s.name(""))
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.name(prefix), Recursive: true}) {
		if o.Err != nil {
			return nil, s.explain(o.Err)
		}
		objects = append(objects, Object{Key: o.Key[skip:], Size: o.Size, Modified: o.LastModified})
	}
	return objects, nil
}

func (s *s3) Delete(ctx context.Context, key string) error {
	if err := s.haveKeys(ctx); err != nil {
		return err
	}
	err := s.explain(s.client.RemoveObject(ctx, s.bucket, s.name(key), minio.RemoveObjectOptions{}))
	if ProblemOf(err) == ProblemMissing {
		return nil
	}
	return err
}

func (s *s3) DeleteAll(ctx context.Context, dir string) error {
	objects, err := s.List(ctx, dir+"/")
	for _, o := range objects {
		err = errors.Join(err, s.Delete(ctx, o.Key))
	}
	for up := range s.client.ListIncompleteUploads(ctx, s.bucket, s.name(dir+"/"), true) {
		if up.Err != nil {
			break // some servers cannot list them
		}
		err = errors.Join(err, s.explain(s.client.RemoveIncompleteUpload(ctx, s.bucket, up.Key)))
	}
	return err
}

func (s *s3) Test(ctx context.Context) error {
	if err := s.haveKeys(ctx); err != nil {
		return err
	}
	// Asking whether the bucket exists would be a HEAD, whose answer has no reasons.
	list, cancel := context.WithCancel(ctx)
	defer cancel()
	if o := <-s.client.ListObjects(list, s.bucket, minio.ListObjectsOptions{Prefix: s.name(""), MaxKeys: 1}); o.Err != nil {
		return s.explain(o.Err)
	}
	return try(ctx, s)
}
