package server

import (
	"net/http"

	"tailrace/backend/journal"
	"tailrace/backend/protocol"
	"tailrace/backend/subscription"
)

// maxControlBody bounds a request body of the subscription API.
const maxControlBody = 1 << 20

// serveControl serves the paths behind the reserved prefix (PROTOCOL §6).
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request, escaped string) {
	journal.Of(w).Decide(journal.Outcome{Decision: journal.Control})
	err := s.o.Subscriptions.Serve(w, r, subscription.Call{
		Path: escaped,
		Base: baseURL(r),
		Body: func() ([]byte, error) {
			return s.bodyWithin(w, r, &protocol.LimitError{
				Limit: "body of a subscription request", Max: maxControlBody, Status: http.StatusRequestEntityTooLarge,
			})
		},
	})
	if err != nil {
		s.fail(w, r, err)
	}
}
