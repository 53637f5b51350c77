package server

import (
	"net/http"
	"net/url"
	"strings"

	"tailrace/backend/loopback"
	"tailrace/backend/protocol"
)

// policy decides who may talk to the server from a browser. A page that a
// developer visits must not read or write local streams: its Origin is not a
// loopback one, and with DNS rebinding its Host is not.
type policy struct {
	hosts     map[string]bool
	origins   map[string]bool
	anyOrigin bool
}

func newPolicy(hosts, origins []string) policy {
	p := policy{hosts: map[string]bool{}, origins: map[string]bool{}}
	for _, h := range hosts {
		p.hosts[strings.ToLower(h)] = true
	}
	for _, o := range origins {
		p.origins[strings.ToLower(o)] = true
		p.anyOrigin = p.anyOrigin || o == "*"
	}
	return p
}

// admit checks Host and Origin and grants CORS. Reads and preflights from other
// origins pass without a grant: the browser keeps their answer from the page.
func (p *policy) admit(h http.Header, r *http.Request) error {
	if !p.hostAllowed(r.Host) {
		return errHost
	}
	h["Vary"] = valueVaryOrigin
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "no-cors" && !p.anyOrigin {
		// An <img> or the like on another site: it could not read the answer, but keep
		// a stream alive and a reader open.
		return errOrigin
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		// Browsers send no Origin with simple cross-site requests of some kinds, but
		// they all send where a request comes from.
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && !isSafe(r.Method) && !p.anyOrigin {
			return errOrigin
		}
		return nil
	}
	if !p.originAllowed(origin) {
		if !isSafe(r.Method) {
			return errOrigin
		}
		return nil
	}
	set(h, "Access-Control-Allow-Origin", origin)
	h["Access-Control-Expose-Headers"] = valueExposed
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h["Access-Control-Allow-Private-Network"] = valueTrue
	}
	return nil
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func (p *policy) hostAllowed(hostport string) bool {
	host := loopback.Hostname(hostport)
	return loopback.IsName(host) || p.hosts[host]
}

func (p *policy) originAllowed(origin string) bool {
	if p.anyOrigin || p.origins[strings.ToLower(origin)] {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && loopback.IsName(u.Hostname())
}

var (
	valueVaryOrigin   = []string{"Origin"}
	valueAllowMethods = []string{streamMethods}
	// A * would not cover Authorization, so every header is listed.
	valueAllowHeaders = []string{strings.Join([]string{
		"Content-Type", "Authorization", "If-None-Match", "Cache-Control", "Last-Event-ID",
		protocol.HeaderStreamSeq, protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt, protocol.HeaderStreamClosed,
		protocol.HeaderStreamForkedFrom, protocol.HeaderStreamForkOffset, protocol.HeaderStreamForkSubOffset,
		protocol.HeaderProducerID, protocol.HeaderProducerEpoch, protocol.HeaderProducerSeq,
	}, ", ")}
	valueExposed = []string{strings.Join([]string{
		"ETag", "Location", "Retry-After",
		protocol.HeaderStreamNextOffset, protocol.HeaderStreamCursor, protocol.HeaderStreamUpToDate, protocol.HeaderStreamClosed,
		protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt, protocol.HeaderStreamSSEDataEncoding,
		protocol.HeaderProducerEpoch, protocol.HeaderProducerSeq,
		protocol.HeaderProducerExpectedSeq, protocol.HeaderProducerReceivedSeq,
	}, ", ")}
	valueMaxAge = []string{"600"}
)

// preflight answers OPTIONS, for streams that exist and those that do not.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h["Access-Control-Allow-Methods"] = valueAllowMethods
	h["Access-Control-Allow-Headers"] = valueAllowHeaders
	h["Access-Control-Max-Age"] = valueMaxAge
	h["Allow"] = valueAllowMethods
	w.WriteHeader(http.StatusNoContent)
}
