package subscription

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const (
	defaultLeaseTTL     = 30_000 // milliseconds
	minLeaseTTL         = 1000
	maxLeaseTTL         = 600_000
	maxNameBytes        = 256 // of an id or a worker's name
	maxDescriptionBytes = 4096
	maxStreams          = 10_000 // in one request
)

// config is what a client asks a subscription to be, normalised: what means the
// same is the same (PROTOCOL §6.2).
type config struct {
	Type        string   `json:"type"`
	Pattern     string   `json:"pattern"`
	Streams     []string `json:"streams"` // sorted
	WebhookURL  string   `json:"webhook_url"`
	WakeStream  string   `json:"wake_stream"`
	LeaseTTL    int64    `json:"lease_ttl_ms"`
	Description string   `json:"description"`
}

// hash identifies a configuration.
func (c *config) hash() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// createBody is the body of a PUT. What does not belong to the type is ignored.
type createBody struct {
	Type    string   `json:"type"`
	Pattern string   `json:"pattern"`
	Streams []string `json:"streams"`
	Webhook *struct {
		URL string `json:"url"`
	} `json:"webhook"`
	WakeStream  string `json:"wake_stream"`
	LeaseTTL    *int64 `json:"lease_ttl_ms"`
	Description string `json:"description"`
}

// config checks the body.
func (b *createBody) config(l protocol.Limits) (c *config, err error) {
	c = &config{Type: b.Type, LeaseTTL: defaultLeaseTTL, Description: b.Description}
	if b.Type != store.TypeWebhook && b.Type != store.TypePullWake {
		return nil, invalid("type", `must be "webhook" or "pull-wake"`)
	}
	if b.Pattern != "" {
		if c.Pattern, err = checkPath("pattern", b.Pattern, l); err != nil {
			return nil, err
		}
	}
	if c.Streams, err = checkStreams(b.Streams, l); err != nil {
		return nil, err
	}
	if c.Pattern == "" && len(c.Streams) == 0 {
		return nil, invalid("pattern", "a subscription needs a pattern, streams, or both")
	}
	switch b.Type {
	case store.TypeWebhook:
		if b.Webhook == nil || b.Webhook.URL == "" {
			return nil, invalid("webhook.url", "a webhook subscription needs the URL to call")
		}
		if err := checkURL(b.Webhook.URL); err != nil {
			return nil, err
		}
		c.WebhookURL = b.Webhook.URL
	case store.TypePullWake:
		if b.WakeStream == "" {
			return nil, invalid("wake_stream", "a pull-wake subscription needs the path of a stream for its wakes")
		}
		if c.WakeStream, err = checkPath("wake_stream", b.WakeStream, l); err != nil {
			return nil, err
		}
		if c.WakeStream == protocol.RegistryPath {
			return nil, invalid("wake_stream", "%s is written by the server only", protocol.RegistryPath)
		}
		if slices.Contains(c.Streams, c.WakeStream) {
			return nil, invalid("streams", "%q is the wake stream; its own wakes would wake it for ever", c.WakeStream)
		}
	}
	if b.LeaseTTL != nil {
		c.LeaseTTL = *b.LeaseTTL
	}
	if c.LeaseTTL < minLeaseTTL || c.LeaseTTL > maxLeaseTTL {
		return nil, invalid("lease_ttl_ms", "must be between %d and %d", minLeaseTTL, maxLeaseTTL)
	}
	if len(b.Description) > maxDescriptionBytes {
		return nil, invalid("description", "longer than %d bytes", maxDescriptionBytes)
	}
	return c, nil
}

// checkStreams checks and normalises explicit streams.
func checkStreams(list []string, l protocol.Limits) ([]string, error) {
	if len(list) > maxStreams {
		return nil, invalid("streams", "more than %d in one request", maxStreams)
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		path, err := checkPath("streams", s, l)
		if err != nil {
			return nil, err
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// checkPath checks a stream path, or a pattern of some, in a field of a request.
// Slashes around it make no difference.
func checkPath(field, value string, l protocol.Limits) (string, error) {
	path := strings.Trim(value, "/")
	var bad *protocol.BadRequestError
	switch err := protocol.CheckPath(path, l); {
	case errors.As(err, &bad):
		return "", invalid(field, "%s", bad.Reason)
	case err != nil:
		return "", invalid(field, "%v", err)
	case protocol.IsControlPath(path):
		return "", invalid(field, "paths that begin with %s are no streams", protocol.ControlPrefix)
	}
	return path, nil
}

// checkName checks an id or a worker's name.
func checkName(field, name string) error {
	switch {
	case name == "":
		return invalid(field, "missing")
	case len(name) > maxNameBytes:
		return invalid(field, "longer than %d bytes", maxNameBytes)
	case !utf8.ValidString(name):
		return invalid(field, "not valid UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || (r >= 0x7f && r <= 0x9f) }):
		return invalid(field, "control characters are not allowed")
	case field == fieldID && (strings.Contains(name, "/") || name == "." || name == ".."):
		return invalid(field, `must not contain a slash or be "." or ".."`)
	}
	return nil
}

const fieldID = "id"

// checkWakeLoop refuses explicit links of a pull-wake subscription to streams that
// carry wakes: those never wake it (see [store.Link]).
func (m *Manager) checkWakeLoop(wakeStream string, streams []string) error {
	if wakeStream == "" {
		return nil
	}
	for _, path := range streams {
		is := path == wakeStream
		if !is {
			var err error
			if is, err = m.db.IsWakeStream(context.Background(), path); err != nil {
				return err
			}
		}
		if is {
			return invalid("streams", "%q is a wake stream; a pull-wake subscription is not woken by wakes, which could go on for ever", path)
		}
	}
	return nil
}
