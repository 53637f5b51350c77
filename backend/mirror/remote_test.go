package mirror

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

// line is a remote whose answers come as the test wants.
type line func(*http.Request) (*http.Response, error)

func (l line) RoundTrip(r *http.Request) (*http.Response, error) { return l(r) }

func (l line) remote() *remote {
	r := newRemote(&url.URL{Scheme: "https", Host: "remote.example", Path: "/"}, credentials{})
	r.client.Transport = l
	return r
}

// reader reads as f does.
type reader func([]byte) (int, error)

func (f reader) Read(p []byte) (int, error) { return f(p) }

func TestALongUploadIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := bytes.Repeat([]byte("x"), 1<<20)
		var got []byte
		r := line(func(req *http.Request) (*http.Response, error) {
			for part := make([]byte, 64<<10); ; {
				n, err := req.Body.Read(part)
				got = append(got, part[:n]...)
				if err != nil {
					return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
				}
				select {
				case <-time.After(answerTimeout / 4):
				case <-req.Context().Done():
					return nil, req.Context().Err()
				}
			}
		}).remote()
		if _, err := r.brief(t.Context(), http.MethodPost, "a", nil, want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived: %v", len(got), err)
		}
	})
}

func TestAnAnswerThatDoesNotEndIsGivenUp(t *testing.T) {
	for name, status := range map[string]int{"a success": http.StatusOK, "a refusal": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := line(func(req *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: status, Body: io.NopCloser(reader(func([]byte) (int, error) {
						<-req.Context().Done()
						return 0, req.Context().Err()
					}))}, nil
				}).remote()
				_, err := r.brief(t.Context(), http.MethodPost, "a", nil, []byte("x")) // the bubble tells if it does not return
				if refused(err, status) != (status != http.StatusOK) {
					t.Error(err)
				}
			})
		})
	}
}
