package inspect

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/plain"
	"tailrace/backend/protocol"
)

// What a browser does by itself and a window of the program cannot: ask where to
// save a file, and show one in the file manager. Places come from the person or
// from this server, never from the page.

type savedOutput struct {
	Body struct {
		Path *string `json:"path" doc:"Where the file is; null: the person did not want to save it."`
	}
}

type revealInput struct {
	Body struct {
		What string `json:"what" enum:"data_folder,snapshot,found,export"`
		ID   string `json:"id,omitempty" doc:"Number of the snapshot, location of the file that was found, id of the export."`
	}
}

func (s *Server) registerNative(api huma.API) {
	huma.Register(api, operation(http.MethodPost, "/api/exports/{id}/save", "saveExport", "Ask in the window where to save the file, and write it"), s.saveExport)
	huma.Register(api, operation(http.MethodPost, "/api/streams/{path}/messages/{ordinal}/save", "saveMessage", "Ask in the window where to save the bytes of a message, and write them"), s.saveMessage)
	huma.Register(api, operation(http.MethodPost, "/api/window/reveal", "reveal", "Show a file of this server in the file manager", status(http.StatusNoContent)), s.reveal)
}

// choose asks where to save a file; "": nowhere.
func (s *Server) choose(ctx context.Context, name string) (string, error) {
	w := s.o.Windows.one()
	if w == nil {
		return "", huma.Error404NotFound("this server has no window to ask in")
	}
	path, err := w.ChooseFile(ctx, name)
	if err != nil {
		return "", huma.Error409Conflict("the window did not ask: " + err.Error())
	}
	return path, nil
}

// saved writes a file whole or not at all.
func saved(path string, write func(io.Writer) error) (*savedOutput, error) {
	part := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+randomText(6))
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, huma.Error409Conflict("the file cannot be written: " + err.Error())
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part) // it may be gone already
		return nil, huma.Error409Conflict("the file was not written: " + err.Error())
	}
	out := &savedOutput{}
	out.Body.Path = &path
	return out, nil
}

func (s *Server) saveExport(ctx context.Context, in *ExportInput) (*savedOutput, error) {
	e := s.exports.find(in.ID)
	if e == nil {
		return nil, huma.Error404NotFound("there is no such export")
	}
	path, err := s.choose(ctx, e.now().Name)
	if err != nil || path == "" {
		return &savedOutput{}, err
	}
	spent := true
	e.update(func(x *Export) {
		if spent = x.State != "waiting"; !spent {
			x.State = "running"
		}
	})
	if spent {
		return nil, huma.Error410Gone("this file was fetched before; export it again")
	}
	out, err := saved(path, func(w io.Writer) error { return s.writeExport(ctx, w, e) })
	e.update(func(x *Export) {
		if err != nil {
			text := err.Error()
			x.State, x.Error, x.SHA256 = "failed", &text, nil
		}
	})
	if err == nil {
		e.mu.Lock()
		e.saved = path
		e.mu.Unlock()
	}
	return out, err
}

func (s *Server) saveMessage(ctx context.Context, in *bodyInput) (*savedOutput, error) {
	data, st, err := s.message(ctx, in)
	if err != nil {
		return nil, err
	}
	format := plain.Raw
	if st.Kind == protocol.KindJSON {
		format = plain.JSON
	}
	name := exportName(st, format)
	extension := filepath.Ext(name)
	path, err := s.choose(ctx, strings.TrimSuffix(name, extension)+"-"+strconv.FormatInt(in.Ordinal, 10)+extension)
	if err != nil || path == "" {
		return &savedOutput{}, err
	}
	return saved(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (s *Server) reveal(ctx context.Context, in *revealInput) (*empty, error) {
	w := s.o.Windows.one()
	if w == nil {
		return nil, huma.Error404NotFound("this server has no window")
	}
	path, err := s.placeOf(ctx, in.Body.What, in.Body.ID)
	if err != nil {
		return nil, err
	}
	if path == "" || !filepath.IsAbs(path) {
		return nil, huma.Error404NotFound("no such file is known here")
	}
	if _, err := os.Stat(path); err != nil {
		return nil, huma.Error404NotFound("it is not there any more: " + err.Error())
	}
	if err := w.Reveal(ctx, path); err != nil {
		return nil, huma.Error409Conflict("the file manager did not open: " + err.Error())
	}
	return nil, nil
}

// placeOf is a place that the server itself knows; "": none.
func (s *Server) placeOf(ctx context.Context, what, id string) (string, error) {
	switch what {
	case "data_folder":
		return s.o.Info.DataDir, nil
	case "export":
		if e := s.exports.find(id); e != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.saved, nil
		}
	case "snapshot":
		all, err := s.o.Snapshots.Recorded(ctx, "")
		if err != nil {
			return "", snapshotProblem(err)
		}
		for i := range all {
			if strconv.FormatInt(all[i].ID, 10) == id {
				return all[i].Location, nil
			}
		}
	case "found":
		found, err := s.o.Snapshots.Found(ctx, 0, 0)
		if err != nil {
			return "", snapshotProblem(err)
		}
		for _, f := range found.Files {
			if f.Location == id {
				return f.Location, nil
			}
		}
	}
	return "", nil
}
