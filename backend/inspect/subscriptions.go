package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
)

// Subscription is a row of the list.
type Subscription struct {
	ID          string  `json:"id"`
	Type        string  `json:"type" enum:"webhook,pull-wake"`
	Pattern     string  `json:"pattern" doc:"Empty: it has streams of its own only."`
	WebhookURL  *string `json:"webhook_url"`
	WakeStream  *string `json:"wake_stream"`
	LeaseTTL    int64   `json:"lease_ttl_ms"`
	Description string  `json:"description"`
	CreatedAt   int64   `json:"created_at" doc:"Unix milliseconds."`
	State       string  `json:"state" enum:"idle,stuck,waking,retrying,leased" doc:"Stuck: there is something to do, but no wake of it can be sent."`
	Generation  int64   `json:"generation" doc:"Of the last wake."`
	WakeID      *string `json:"wake_id" doc:"Null: there is no wake in flight."`
	Holder      *string `json:"holder" doc:"The worker that has claimed the wake."`
	LeaseUntil  *int64  `json:"lease_until" doc:"Unix milliseconds."`
	Failed      int64   `json:"failed_attempts" doc:"In a row."`
	NextAttempt *int64  `json:"next_attempt" doc:"Unix milliseconds."`
	Trouble     string  `json:"trouble" doc:"Why the last attempt failed, or nothing can be attempted."`
	Streams     int     `json:"streams"`
}

// SubscriptionDetail is a subscription with its streams and deliveries.
type SubscriptionDetail struct {
	Subscription Subscription     `json:"subscription"`
	Pending      int              `json:"pending" doc:"Streams that have something behind their cursors."`
	Links        []Link           `json:"links" nullable:"false" doc:"At most 200, those with something pending first of all."`
	Attempts     []WebhookAttempt `json:"attempts" nullable:"false" doc:"The latest since the server started, newest first."`
}

// Link is a stream of a subscription.
type Link struct {
	Path    string `json:"path"`
	Kind    string `json:"kind" enum:"glob,explicit"`
	Acked   string `json:"acked" doc:"Offset token; -1: nothing yet."`
	Tail    string `json:"tail" doc:"Offset token."`
	Exists  bool   `json:"exists"`
	Pending bool   `json:"pending"`
	Behind  int64  `json:"behind" doc:"Messages for JSON, else bytes, between the two."`
}

// WebhookAttempt is one delivery.
type WebhookAttempt struct {
	At         int64  `json:"at" doc:"Unix milliseconds."`
	TookMS     int64  `json:"took_ms"`
	Generation int64  `json:"generation"`
	Status     int    `json:"status" doc:"Of the answer; 0: there was none."`
	Done       bool   `json:"done" doc:"The receiver said that it has processed everything."`
	Error      string `json:"error" doc:"Why it failed; empty: it did not."`
}

type subscriptionsOutput struct {
	Body struct {
		Subscriptions []Subscription `json:"subscriptions" nullable:"false"`
		KeyID         string         `json:"key_id" doc:"The key that signs webhooks; jwks.json publishes its public half."`
	}
}

type subscriptionInput struct {
	ID string `path:"id"`
}

type subscriptionOutput struct{ Body SubscriptionDetail }

func (s *Server) registerSubscriptions(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/subscriptions", "listSubscriptions", "All subscriptions"),
		func(ctx context.Context, _ *struct{}) (*subscriptionsOutput, error) {
			out := &subscriptionsOutput{}
			out.Body.Subscriptions = []Subscription{}
			if s.o.Subscriptions == nil {
				return out, nil
			}
			list, err := s.o.Subscriptions.List(ctx)
			if err != nil {
				return nil, problem(err)
			}
			for i := range list {
				out.Body.Subscriptions = append(out.Body.Subscriptions, newSubscription(&list[i]))
			}
			out.Body.KeyID = s.o.Subscriptions.KeyID()
			return out, nil
		})
	huma.Register(api, operation(http.MethodGet, "/api/subscriptions/{id}", "getSubscription", "One subscription with its streams and deliveries"),
		func(ctx context.Context, in *subscriptionInput) (*subscriptionOutput, error) {
			return s.subscription(ctx, in.ID)
		})
	for _, action := range []struct {
		method, path, name, summary string
		do                          func(m *subscription.Manager, id string) error
	}{
		{http.MethodPost, "/redeliver", "redeliver", "Send the wake in flight to its webhook now", (*subscription.Manager).Redeliver},
		{http.MethodPost, "/release", "releaseLease", "Take the wake in flight from whoever holds it", (*subscription.Manager).Release},
		{http.MethodDelete, "", "deleteSubscription", "Delete a subscription", (*subscription.Manager).Remove},
	} {
		huma.Register(api, operation(action.method, "/api/subscriptions/{id}"+action.path, action.name, action.summary, status(http.StatusNoContent)),
			func(_ context.Context, in *subscriptionInput) (*struct{}, error) {
				if s.o.Subscriptions == nil {
					return nil, errNoSubscriptions
				}
				if err := action.do(s.o.Subscriptions, in.ID); err != nil {
					return nil, problem(err)
				}
				return nil, nil
			})
	}
}

var errNoSubscriptions = huma.Error404NotFound("no server runs here, so subscriptions do nothing")

func (s *Server) subscription(ctx context.Context, id string) (*subscriptionOutput, error) {
	if s.o.Subscriptions == nil {
		return nil, errNoSubscriptions
	}
	sight, err := s.o.Subscriptions.Look(ctx, id)
	if err != nil {
		return nil, problem(err)
	}
	out := &subscriptionOutput{Body: SubscriptionDetail{
		Subscription: newSubscription(sight), Pending: sight.Pending, Links: []Link{}, Attempts: []WebhookAttempt{},
	}}
	for i := range sight.Shown {
		out.Body.Links = append(out.Body.Links, newLink(&sight.Shown[i]))
	}
	for _, a := range sight.Attempts {
		out.Body.Attempts = append(out.Body.Attempts, WebhookAttempt{
			At: a.At.UnixMilli(), TookMS: a.Took.Milliseconds(), Generation: a.Generation, Status: a.Status, Done: a.Done, Error: a.Error,
		})
	}
	return out, nil
}

func newSubscription(s *subscription.Sight) Subscription {
	out := Subscription{
		ID: s.ID, Type: s.Type, Pattern: s.Pattern, WebhookURL: textOrNull(s.WebhookURL), WakeStream: textOrNull(s.WakeStream),
		LeaseTTL: s.LeaseTTL, Description: s.Description, CreatedAt: s.CreatedAt, State: s.State, Generation: s.Generation,
		WakeID: textOrNull(s.WakeID), Holder: textOrNull(s.Holder), Failed: s.Subscription.Attempts, Trouble: s.Trouble, Streams: s.Links,
	}
	switch s.State {
	case "leased":
		out.LeaseUntil = orNull(s.LeaseUntil)
	case "retrying":
		out.NextAttempt = orNull(s.NextAttempt)
	}
	return out
}

func newLink(l *store.Link) Link {
	out := Link{
		Path: l.Path, Kind: "glob", Acked: subscription.AckedToken(l), Tail: l.Tail.String(), Exists: l.Exists, Pending: l.Pending(),
	}
	if l.Explicit {
		out.Kind = "explicit"
	}
	if acked, err := protocol.ParseOffsetToken(out.Acked); err == nil && out.Pending {
		out.Behind = l.Tail.Position - acked.Position
	} else if out.Pending {
		out.Behind = l.Tail.Position
	}
	return out
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
