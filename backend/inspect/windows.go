package inspect

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Windows are the windows in which a person may be looking at this server: that of
// its own process, and those of others that have attached themselves.
type Windows struct {
	own func()

	mu       sync.Mutex
	attached map[chan struct{}]bool
}

// NewWindows returns the windows of a server; own raises that of its process, nil:
// it has none.
func NewWindows(own func()) *Windows {
	return &Windows{own: own, attached: map[chan struct{}]bool{}}
}

// show raises the windows, and reports whether there are any.
func (w *Windows) show() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for raise := range w.attached {
		select {
		case raise <- struct{}{}:
		default: // it has been told and not come to it yet
		}
	}
	if w.own != nil {
		w.own()
	}
	return w.own != nil || len(w.attached) > 0
}

// attach adds the window of another process until leave is called.
func (w *Windows) attach() (raise <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached[c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.attached, c)
	}
}

func (s *Server) registerWindows(api huma.API) {
	huma.Register(api, operation(http.MethodPost, "/api/window/show", "showWindow", "Raise the window", status(http.StatusNoContent)),
		func(context.Context, *empty) (*empty, error) {
			if !s.o.Windows.show() {
				return nil, huma.Error404NotFound("this server has no window")
			}
			return nil, nil
		})
	op := operation(http.MethodGet, "/api/window", "attachWindow", "Be a window of this server, until the client leaves")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A line when attached, and one whenever the window should come to the front.",
		Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, func(context.Context, *empty) (*huma.StreamResponse, error) {
		if s.o.Windows == nil {
			return nil, huma.Error404NotFound("there is no server to look at")
		}
		return &huma.StreamResponse{Body: s.attachWindow}, nil
	})
}

func (s *Server) attachWindow(c huma.Context) {
	raise, leave := s.o.Windows.attach()
	defer leave()
	c.SetHeader("Content-Type", "text/plain; charset=utf-8")
	_, w := humago.Unwrap(c)
	rc := http.NewResponseController(w)
	for line := "attached\n"; ; line = "show\n" {
		// Without support for deadlines the server's own limits apply.
		_ = rc.SetWriteDeadline(time.Now().Add(sendDeadline))
		if _, err := w.Write([]byte(line)); err != nil {
			return
		}
		if err := rc.Flush(); err != nil {
			return
		}
		select {
		case <-raise:
		case <-c.Context().Done():
			return
		}
	}
}
