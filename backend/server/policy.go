package server

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"tailrace/backend/loopback"
	"tailrace/backend/protocol"
)

// policy decides who may talk to the server from a browser. A page that a
// developer visits must not read or write local streams: its Origin is not a
// loopback one, and with DNS rebinding its Host is not.
type policy struct {
	hosts      map[string]bool
	anyAddress bool
	origins    map[string]bool
	anyOrigin  bool
}

func newPolicy(hosts []string, anyAddress bool, origins []string) policy {
	p := policy{hosts: map[string]bool{}, anyAddress: anyAddress, origins: map[string]bool{}}
	for _, h := range hosts {
		p.hosts[loopback.Hostname(h)] = true
	}
	for _, o := range origins {
		p.origins[asSent(o)] = true
		p.anyOrigin = p.anyOrigin || o == "*"
	}
	return p
}

// asSent is an origin as browsers send it: in lower case, and without the port that
// its scheme implies.
func asSent(origin string) string {
	origin = strings.ToLower(origin)
	for scheme, port := range map[string]string{"http://": ":80", "https://": ":443"} {
		if strings.HasPrefix(origin, scheme) {
			origin = strings.TrimSuffix(origin, port)
		}
	}
	return origin
}

// admit checks Host and Origin and grants CORS. Requests from other sites are
// refused, reads too: although the browser keeps their answer from the page, they
// would restart TTLs, and tell by loading or not whether a stream exists.
// Preflights pass without a grant, which is how a refusal looks there.
func (p *policy) admit(h http.Header, r *http.Request) error {
	if !p.hostAllowed(r.Host) {
		return errHost
	}
	h["Vary"] = valueVaryOrigin
	origin := r.Header.Get("Origin")
	if origin == "" {
		if p.fromElsewhere(r) {
			return errOrigin
		}
		return nil
	}
	if !p.originAllowed(origin) {
		if r.Method == http.MethodOptions {
			return nil
		}
		return errOrigin
	}
	set(h, "Access-Control-Allow-Origin", origin)
	h["Access-Control-Expose-Headers"] = valueExposed
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h["Access-Control-Allow-Private-Network"] = valueTrue
	}
	return nil
}

// fromElsewhere reports whether a request without an Origin was caused by a page
// of another site that may not use the server: an image, a script, a frame.
// Browsers send no Origin with those, but say where they come from. A link to the
// front page is fine; one to a stream is not, since a page can tell a download or
// an empty answer, which a window ignores, from an error, which it shows.
func (p *policy) fromElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site":
	case "same-site":
		// On this machine, ports of one name are one site, and trusted.
		if loopback.IsName(loopback.Hostname(r.Host)) {
			return false
		}
	default:
		return false
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	if safe && r.Header.Get("Sec-Fetch-Dest") == "document" && !strings.HasPrefix(r.URL.Path, protocol.Root) {
		return false
	}
	if safe {
		// A page can hide its address but not forge one.
		if from, err := url.Parse(r.Header.Get("Referer")); err == nil && from.Host != "" {
			return !p.originAllowed(from.Scheme + "://" + from.Host)
		}
	}
	return !p.anyOrigin
}

func (p *policy) hostAllowed(hostport string) bool {
	host := loopback.Hostname(hostport)
	if loopback.IsName(host) || p.hosts[host] {
		return true
	}
	_, err := netip.ParseAddr(host)
	return p.anyAddress && err == nil
}

func (p *policy) originAllowed(origin string) bool {
	if p.anyOrigin || p.origins[asSent(origin)] {
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
		"ETag", "Location", "Retry-After", "WWW-Authenticate", headerRequestID,
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
