package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// memoryFile keeps what the page remembers, in the data folder.
const memoryFile = "page.json"

// Bounds of what the page can have remembered.
const (
	memoryNames = 100
	memoryValue = 96 << 10 // bytes of one value: a few paths, however long
)

var memoryName = regexp.MustCompile(`^[a-z]+(\.[a-z]+)*$`)

// memory is what the page remembers of how a person likes to look: filters, hidden
// streams, theme, sizes. Every window and browser on the data folder shares it.
type memory struct {
	file    string     // empty: nothing outlives the server
	writing sync.Mutex // one change after the other

	mu     sync.Mutex
	values map[string]string
}

// recall reads what is remembered in a data folder. A file that is damaged is
// begun anew: it holds nothing that cannot be chosen again.
func recall(dataDir string, log *slog.Logger) *memory {
	m := &memory{values: map[string]string{}}
	if dataDir == "" {
		return m
	}
	m.file = filepath.Join(dataDir, memoryFile)
	text, err := os.ReadFile(m.file)
	if err == nil {
		err = json.Unmarshal(text, &m.values)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("what the page remembered is lost", "error", err)
	}
	if err != nil || m.values == nil || len(m.values) > memoryNames {
		m.values = map[string]string{}
	}
	return m
}

func (m *memory) all() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

// change sets values; those that are null are forgotten.
func (m *memory) change(changes map[string]*string) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	next := m.all()
	for name, value := range changes {
		switch {
		case !memoryName.MatchString(name) || len(name) > 64:
			return huma.Error422UnprocessableEntity(fmt.Sprintf("%q is no name: small letters, dots between, at most 64", name))
		case value == nil:
			delete(next, name)
		case len(*value) > memoryValue:
			return huma.Error422UnprocessableEntity(fmt.Sprintf("%s has %d bytes, at most %d are kept", name, len(*value), memoryValue))
		default:
			next[name] = *value
		}
	}
	if len(next) > memoryNames {
		return huma.Error422UnprocessableEntity(fmt.Sprintf("%d values, at most %d are kept", len(next), memoryNames))
	}
	if err := m.write(next); err != nil {
		return fmt.Errorf("remember: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values = next
	return nil
}

func (m *memory) write(values map[string]string) error {
	if m.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	tmp := m.file + ".tmp" // the data folder is locked: nobody else writes it
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, m.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

type memoryBody struct {
	Body struct {
		Values map[string]string `json:"values" nullable:"false" doc:"Name to value, as the page spells it."`
	}
}

type memoryInput struct {
	Body struct {
		Values map[string]*string `json:"values" doc:"Name to value; null: forgotten. Names that are not here stay."`
	}
}

func (s *Server) registerMemory(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/memory", "getMemory", "What the page remembers"),
		func(context.Context, *empty) (*memoryBody, error) {
			out := &memoryBody{}
			out.Body.Values = s.memory.all()
			return out, nil
		})
	huma.Register(api, operation(http.MethodPatch, "/api/memory", "changeMemory", "Have something remembered", status(http.StatusNoContent)),
		func(_ context.Context, in *memoryInput) (*empty, error) {
			return nil, s.memory.change(in.Body.Values)
		})
}
