package server

import (
	"net/http"

	"tailrace/backend/journal"
)

// delete answers DELETE (PROTOCOL §5.4).
func (s *Server) delete(w http.ResponseWriter, path string) error {
	if err := s.o.Engine.Delete(path); err != nil {
		return err
	}
	journal.Of(w).Decide(journal.Outcome{Decision: journal.Deleted})
	w.WriteHeader(http.StatusNoContent)
	return nil
}
