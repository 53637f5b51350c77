package server

import "net/http"

// delete answers DELETE (PROTOCOL §5.4).
func (s *Server) delete(w http.ResponseWriter, path string) error {
	if err := s.o.Engine.Delete(path); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
