package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Window is one in which a person looks at this server.
type Window interface {
	// Show brings it to the front.
	Show()
	// ChooseFile asks the person where to save a file of that name; "": nowhere.
	ChooseFile(ctx context.Context, name string) (string, error)
	// Reveal shows a file or folder in the file manager.
	Reveal(ctx context.Context, path string) error
}

// Windows are the windows of a server: that of its own process, and those of
// others that have attached themselves.
type Windows struct {
	own Window

	mu       sync.Mutex
	attached []*remoteWindow // the newest last
}

// NewWindows returns the windows of a server; own is that of its process, nil: it
// has none.
func NewWindows(own Window) *Windows { return &Windows{own: own} }

// show raises the windows, and reports whether there are any.
func (w *Windows) show() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.attached {
		r.Show()
	}
	if w.own != nil {
		w.own.Show()
	}
	return w.own != nil || len(w.attached) > 0
}

// one returns the window to ask, nil: there is none.
func (w *Windows) one() Window {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.attached); n > 0 {
		return w.attached[n-1]
	}
	return w.own
}

// attach adds the window of another process until leave is called.
func (w *Windows) attach() (r *remoteWindow, leave func()) {
	r = &remoteWindow{lines: make(chan string, 8), gone: make(chan struct{}), asked: map[string]chan windowAnswer{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached = append(w.attached, r)
	return r, func() {
		close(r.gone)
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range w.attached {
			if w.attached[i] == r {
				w.attached = append(w.attached[:i:i], w.attached[i+1:]...)
				return
			}
		}
	}
}

// answer hands an answer to whoever asked, and reports whether somebody did.
func (w *Windows) answer(a windowAnswer) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.attached {
		if r.answer(a) {
			return true
		}
	}
	return false
}

// remoteWindow is the window of another process. It is told by lines, and answers
// what it is asked by a call.
type remoteWindow struct {
	lines chan string
	gone  chan struct{}

	mu    sync.Mutex
	asked map[string]chan windowAnswer
}

type windowAnswer struct {
	ID    string `json:"id"`
	Path  string `json:"path,omitempty" doc:"Where to save the file; empty: nowhere."`
	Error string `json:"error,omitempty"`
}

// Show implements [Window].
func (r *remoteWindow) Show() {
	select {
	case r.lines <- "show":
	default: // it has been told more than it has come to yet
	}
}

// ChooseFile implements [Window].
func (r *remoteWindow) ChooseFile(ctx context.Context, name string) (string, error) {
	return r.ask(ctx, "save", name)
}

// Reveal implements [Window].
func (r *remoteWindow) Reveal(ctx context.Context, path string) error {
	_, err := r.ask(ctx, "reveal", path)
	return err
}

func (r *remoteWindow) ask(ctx context.Context, verb, about string) (string, error) {
	id, reply := randomText(12), make(chan windowAnswer, 1)
	r.mu.Lock()
	r.asked[id] = reply
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.asked, id)
	}()
	select {
	case r.lines <- fmt.Sprintf("%s %s %s", verb, id, strconv.Quote(about)):
	case <-r.gone:
		return "", errWindowGone
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case a := <-reply:
		if a.Error != "" {
			return "", errors.New(a.Error)
		}
		return a.Path, nil
	case <-r.gone:
		return "", errWindowGone
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

var errWindowGone = errors.New("the window was closed")

func (r *remoteWindow) answer(a windowAnswer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	reply, ok := r.asked[a.ID]
	if ok {
		delete(r.asked, a.ID)
		reply <- a
	}
	return ok
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
		Description: "A line when attached, and one for everything that the window should do: show, save ID NAME, reveal ID PATH. What has an ID wants an answer.",
		Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, func(context.Context, *empty) (*huma.StreamResponse, error) {
		if s.o.Windows == nil {
			return nil, huma.Error404NotFound("there is no server to look at")
		}
		return &huma.StreamResponse{Body: s.attachWindow}, nil
	})
	huma.Register(api, operation(http.MethodPost, "/api/window/answers", "answerWindow", "What came of what a window was asked", status(http.StatusNoContent)),
		func(_ context.Context, in *struct{ Body windowAnswer }) (*empty, error) {
			if !s.o.Windows.answer(in.Body) {
				return nil, huma.Error404NotFound("nobody waits for this answer")
			}
			return nil, nil
		})
	s.registerNative(api)
}

func (s *Server) attachWindow(c huma.Context) {
	r, leave := s.o.Windows.attach()
	defer leave()
	c.SetHeader("Content-Type", "text/plain; charset=utf-8")
	_, w := humago.Unwrap(c)
	rc := http.NewResponseController(w)
	for line := "attached"; ; {
		// Without support for deadlines the server's own limits apply.
		_ = rc.SetWriteDeadline(time.Now().Add(sendDeadline))
		if _, err := w.Write([]byte(line + "\n")); err != nil {
			return
		}
		if err := rc.Flush(); err != nil {
			return
		}
		select {
		case line = <-r.lines:
		case <-c.Context().Done():
			return
		}
	}
}
