package subscription

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"tailrace/backend/store"
)

// description is a subscription as clients see it (PROTOCOL §6.3). Delivery is an
// addition: what the subscription is doing right now, for whoever looks.
type description struct {
	ID             string        `json:"id"`
	SubscriptionID string        `json:"subscription_id"`
	Type           string        `json:"type"`
	Pattern        *string       `json:"pattern"`
	Streams        []linkInfo    `json:"streams"`
	Webhook        *webhookInfo  `json:"webhook"`
	WakeStream     *string       `json:"wake_stream"`
	LeaseTTL       int64         `json:"lease_ttl_ms"`
	CreatedAt      string        `json:"created_at"`
	Status         string        `json:"status"`
	Description    *string       `json:"description"`
	Delivery       *deliveryInfo `json:"delivery"`
}

type linkInfo struct {
	Path     string `json:"path"`
	LinkType string `json:"link_type"`
	Acked    string `json:"acked_offset"`
}

type webhookInfo struct {
	URL     string      `json:"url"`
	Signing signingInfo `json:"signing"`
}

type signingInfo struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	JWKS      string `json:"jwks_url"`
}

type deliveryInfo struct {
	State       string  `json:"state"` // idle, waking, leased or retrying
	Generation  int64   `json:"generation"`
	WakeID      *string `json:"wake_id"`
	Holder      *string `json:"holder"`
	LeaseUntil  *string `json:"lease_expires_at"`
	Attempts    int64   `json:"failed_attempts"`
	NextAttempt *string `json:"next_attempt_at"`
	LastError   *string `json:"last_error"`
}

func (q *request) describe(v *view) *description {
	s := &v.sub
	d := &description{
		ID: s.ID, SubscriptionID: s.ID, Type: s.Type, Pattern: orNull(s.Pattern), Streams: make([]linkInfo, 0, len(v.links)),
		WakeStream: orNull(s.WakeStream), LeaseTTL: s.LeaseTTL, CreatedAt: timestamp(s.CreatedAt), Status: "active",
		Description: orNull(s.Description), Delivery: describeDelivery(v),
	}
	for i := range v.links {
		l := &v.links[i]
		d.Streams = append(d.Streams, linkInfo{l.Path, linkType(l), ackedToken(l)})
	}
	if s.Attempts > 0 {
		d.Status = "failed"
	}
	if s.Type == store.TypeWebhook {
		d.Webhook = &webhookInfo{s.WebhookURL, signingInfo{"ed25519", q.keys.Load().kid, q.Base + controlRoot + "jwks.json"}}
	}
	return d
}

func describeDelivery(v *view) *deliveryInfo {
	s := &v.sub
	d := &deliveryInfo{
		State: stateOf(s), Generation: s.Generation, WakeID: orNull(s.WakeID), Holder: orNull(s.Holder),
		Attempts: s.Attempts, LastError: orNull(s.LastError),
	}
	if v.trouble != nil {
		d.LastError = orNull(v.trouble.Error())
	}
	switch d.State {
	case "leased":
		d.LeaseUntil = orNull(timestamp(s.LeaseUntil))
	case "retrying":
		d.NextAttempt = orNull(timestamp(s.NextAttempt))
	}
	return d
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type jwk struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	X     string `json:"x"`
}

// jwks publishes the keys of signatures that may still be checked (PROTOCOL §6.5).
func (q *request) jwks() error {
	keys := []jwk{}
	oldest := q.now().Add(-replayWindow).UnixMilli()
	for _, k := range q.keys.Load().public {
		if k.retiredAt == 0 || k.retiredAt > oldest {
			keys = append(keys, jwk{"OKP", "Ed25519", k.kid, "sig", "EdDSA", k.x})
		}
	}
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=300")
	http.ServeContent(q.w, q.r, "", time.Time{}, bytes.NewReader(body))
	return nil
}
