package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// operation fills in what all operations share.
func operation(method, path, id, summary string, more ...func(*huma.Operation)) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		Security: []map[string][]string{{"token": {}}},
	}
	for _, m := range more {
		m(&op)
	}
	return op
}

// status sets the status of success.
func status(code int) func(*huma.Operation) {
	return func(op *huma.Operation) { op.DefaultStatus = code }
}

func open(op *huma.Operation) { op.Security = nil }

type empty struct{}

type sessionInput struct {
	Body struct {
		Code string `json:"code" doc:"One-time code from the fragment of the link."`
	}
}

type sessionOutput struct {
	Body struct {
		Token string `json:"token"`
	}
}

type linkOutput struct {
	Body struct {
		Link string `json:"link" doc:"Opens the inspector once."`
	}
}

type keyOutput struct {
	Body struct {
		KID string `json:"kid" doc:"Names the key in JWKS and signatures."`
	}
}

type infoOutput struct{ Body Info }

func (s *Server) registerSession(api huma.API) {
	huma.Register(api, operation(http.MethodPost, "/api/session", "createSession", "Exchange a one-time code for the token", open),
		func(_ context.Context, in *sessionInput) (*sessionOutput, error) {
			token, ok := s.o.Gate.Spend(in.Body.Code)
			if !ok {
				return nil, huma.Error401Unauthorized("this link was used before, or belongs to another run of the server; run tailrace open for a fresh one")
			}
			s.o.Log.Debug("inspector session opened")
			out := &sessionOutput{}
			out.Body.Token = token
			return out, nil
		})
	huma.Register(api, operation(http.MethodPost, "/api/codes", "createCode", "Make a fresh one-time link"),
		func(context.Context, *empty) (*linkOutput, error) {
			out := &linkOutput{}
			out.Body.Link = s.o.Info.InspectorURL + "/#code=" + s.o.Gate.NewCode()
			return out, nil
		})
	huma.Register(api, operation(http.MethodPost, "/api/webhook-keys", "rotateWebhookKey", "Sign webhooks with a new key"),
		func(ctx context.Context, _ *empty) (*keyOutput, error) {
			if err := s.o.Subscriptions.RotateKey(ctx); err != nil {
				return nil, problem(err)
			}
			out := &keyOutput{}
			out.Body.KID = s.o.Subscriptions.KeyID()
			return out, nil
		})
	huma.Register(api, operation(http.MethodGet, "/api/info", "getInfo", "Which server this is"),
		func(context.Context, *empty) (*infoOutput, error) { return &infoOutput{Body: s.o.Info}, nil })
}
