package engine

import (
	"bytes"
	"encoding/json"

	"tailrace/backend/store"
)

// event is a change event of the registry stream, in the shape of the State
// Protocol: insert when a stream is created, update when it is closed or
// soft-deleted, delete when it is gone.
type event struct {
	Type    string       `json:"type"`
	Key     string       `json:"key"`
	Value   *eventValue  `json:"value,omitempty"`
	Headers eventHeaders `json:"headers"`
}

type eventValue struct {
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	CreatedAt   int64  `json:"createdAt"` // unix milliseconds
	Closed      bool   `json:"closed,omitempty"`
	Deleted     bool   `json:"deleted,omitempty"` // soft-deleted: kept for its forks
}

type eventHeaders struct {
	Operation string `json:"operation"`
}

const (
	opInsert = "insert"
	opUpdate = "update"
	opDelete = "delete"
)

// announce returns the registry event of a change of s, nothing for system
// streams.
func announce(s *store.Stream, operation string) [][]byte {
	if s.System {
		return nil
	}
	e := event{Type: "stream", Key: s.Path, Headers: eventHeaders{Operation: operation}}
	if operation != opDelete {
		e.Value = &eventValue{Path: s.Path, ContentType: s.ContentType, CreatedAt: s.CreatedAt, Closed: s.Closed, Deleted: s.Deleted}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic(err) // strings and numbers always encode
	}
	return [][]byte{bytes.TrimSuffix(b.Bytes(), []byte{'\n'})}
}
