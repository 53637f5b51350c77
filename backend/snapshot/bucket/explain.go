package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/minio/minio-go/v7"
)

func (s *s3) problem(problem, advice string, err error) error {
	return &Error{Problem: problem, Where: s.where, Advice: advice, Err: err}
}

// codes names what the error codes of S3 servers mean.
var codes = map[string]struct{ problem, advice string }{
	"InvalidAccessKeyId":           {ProblemKeys, "the access key is not known there"},
	"XAdminUserNotFound":           {ProblemKeys, "the access key is not known there"}, // versitygw
	"SignatureDoesNotMatch":        {ProblemKeys, "the secret key is wrong"},
	"ExpiredToken":                 {ProblemKeys, "the session token has expired"},
	"InvalidToken":                 {ProblemKeys, "the session token is wrong"},
	"AccessDenied":                 {ProblemDenied, "the keys may not do this (403)"},
	"NoSuchBucket":                 {ProblemNoBucket, "there is no such bucket"},
	"NoSuchKey":                    {ProblemMissing, "there is no such object"},
	"RequestTimeTooSkewed":         {ProblemClock, "this machine's clock and the server's differ too much; set the clock"},
	"RequestExpired":               {ProblemClock, "this machine's clock and the server's differ too much; set the clock"},
	"PermanentRedirect":            {ProblemRegion, "the bucket is in another region; set region"},
	"AuthorizationHeaderMalformed": {ProblemRegion, "the bucket is in another region; set region"},
	"QuotaExceeded":                {ProblemFull, "there is no room left"},
	"XMinioStorageFull":            {ProblemFull, "there is no room left"},
}

// explain names the problem behind an error of a call.
func (s *s3) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || ProblemOf(err) != "" {
		return err
	}
	var (
		res       minio.ErrorResponse
		dns       *net.DNSError
		op        *net.OpError
		cert      *tls.CertificateVerificationError
		unknownCA x509.UnknownAuthorityError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns):
		return s.problem(ProblemName, fmt.Sprintf("the name %s is not known (DNS)", dns.Name), err)
	case errors.As(err, &cert), errors.As(err, &unknownCA):
		return s.problem(ProblemTLS, "its certificate is not accepted (TLS): "+err.Error(), err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return s.problem(ProblemTLS, "it does not speak TLS; write http:// in the endpoint if that is meant", err)
	case errors.As(err, &res):
		return s.explainResponse(res, err)
	case errors.As(err, &op):
		return s.problem(ProblemConnect, "nobody answers: "+op.Err.Error(), err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return s.problem(ProblemConnect, "the connection broke", err)
	case errors.Is(err, context.DeadlineExceeded):
		return s.problem(ProblemConnect, "it did not answer in time", err)
	}
	return s.problem(ProblemUnavailable, err.Error(), err)
}

func (s *s3) explainResponse(res minio.ErrorResponse, err error) error {
	if known, ok := codes[res.Code]; ok {
		return s.problem(known.problem, known.advice, err)
	}
	switch {
	case res.StatusCode == http.StatusForbidden:
		return s.problem(ProblemDenied, "the keys may not do this (403)", err)
	case res.StatusCode == http.StatusNotFound:
		return s.problem(ProblemMissing, "there is no such object", err)
	case res.StatusCode == http.StatusInsufficientStorage:
		return s.problem(ProblemFull, "there is no room left", err)
	}
	return s.problem(ProblemUnavailable, fmt.Sprintf("it answered %d %s: %s", res.StatusCode, res.Code, res.Message), err)
}

// try stores a small file, reads it back and deletes it.
func try(ctx context.Context, b Bucket) (err error) {
	key := "tailrace-test-" + rand.Text()
	want := []byte("written to see whether this target works\n")
	if err := b.Put(ctx, key, func(w io.Writer) error { _, err := w.Write(want); return err }); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Delete(ctx, key)) }()
	got, err := b.Range(ctx, key, 0, len(want))
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s: what was stored was read back differently", b.Location(key))
	}
	return err
}
