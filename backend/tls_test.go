package backend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/config"
	"tailrace/backend/port"
)

// openBackend serves on free ports until the test ends.
func openBackend(t *testing.T, change func(*config.Config)) (*Backend, config.Config) {
	t.Helper()
	b, c, _ := openStoppable(t, change)
	return b, c
}

// openStoppable is openBackend for tests that end it themselves.
func openStoppable(t *testing.T, change func(*config.Config)) (b *Backend, c config.Config, stop func() error) {
	t.Helper()
	c = config.Default()
	c.Listen, c.Inspect, c.DataDir = "localhost:0", "127.0.0.1:0", t.TempDir()
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	var err error
	if b, err = Open(Options{Config: c, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return b.Close(ctx)
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return b, c, stop
}

// client speaks exactly one protocol and trusts the local CA alone.
func client(t *testing.T, dataDir string, set func(*http.Protocols, bool)) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if data, err := os.ReadFile(filepath.Join(dataDir, "ca.pem")); err == nil {
		roots.AppendCertsFromPEM(data)
	}
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots}}
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(address, ".localhost:"+port) {
			address = "127.0.0.1:" + port // not every resolver knows these names
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	set(tr.Protocols, true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func http1(p *http.Protocols, on bool) { p.SetHTTP1(on) }
func http2(p *http.Protocols, on bool) { p.SetHTTP2(on) }
func h2c(p *http.Protocols, on bool)   { p.SetUnencryptedHTTP2(on) }

func do(t *testing.T, c *http.Client, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(data)
}

func TestEveryProtocolOnOnePort(t *testing.T) {
	b, c := openBackend(t, nil)
	_, port, err := net.SplitHostPort(b.data.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if b.DataURL() != "http://127.0.0.1:"+port || b.DataTLSURL() != "https://127.0.0.1:"+port {
		t.Errorf("addresses %s and %s", b.DataURL(), b.DataTLSURL())
	}
	do(t, client(t, c.DataDir, http1), http.MethodPut, b.DataURL()+"/v1/stream/a", "hello")
	hosts := []string{"127.0.0.1", "localhost", "app.localhost"}
	if _, err := net.Dial("tcp6", "[::1]:"+port); err == nil {
		hosts = append(hosts, "[::1]")
	}
	for _, host := range hosts {
		for _, tt := range []struct {
			scheme string
			set    func(*http.Protocols, bool)
			proto  string
		}{
			{"http", http1, "HTTP/1.1"}, {"http", h2c, "HTTP/2.0"}, {"https", http1, "HTTP/1.1"}, {"https", http2, "HTTP/2.0"},
		} {
			res, body := do(t, client(t, c.DataDir, tt.set), http.MethodGet, tt.scheme+"://"+host+":"+port+"/v1/stream/a", "")
			if res.StatusCode != 200 || body != "hello" || res.Proto != tt.proto {
				t.Errorf("%s://%s: %d %q over %s, want %s", tt.scheme, host, res.StatusCode, body, res.Proto, tt.proto)
			}
			// What leads back to the server keeps the scheme.
			res, _ = do(t, client(t, c.DataDir, tt.set), http.MethodPut, fmt.Sprintf("%s://%s:%s/v1/stream/%s-%s-%s", tt.scheme, host, port, strings.Trim(host, "[]:"), tt.scheme, res.Proto[5:6]), "")
			if got := res.Header.Get("Location"); !strings.HasPrefix(got, tt.scheme+"://"+host+":"+port+"/v1/stream/") {
				t.Errorf("%s://%s: Location %q", tt.scheme, host, got)
			}
		}
	}
}

func TestHTTPSIsForTheRightNames(t *testing.T) {
	b, c := openBackend(t, nil)
	_, port, _ := net.SplitHostPort(b.data.Addr().String())
	hc := client(t, c.DataDir, http2)
	hc.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	var wrong x509.HostnameError
	if _, err := hc.Get("https://evil.test:" + port); !errors.As(err, &wrong) {
		t.Errorf("a name of the public: %v", err)
	}
}

func TestInfoTellsTheAddress(t *testing.T) {
	for _, on := range []bool{true, false} {
		b, c := openBackend(t, func(c *config.Config) { c.TLS = on })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.InspectorURL()+"/api/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+b.gate.Token())
		res, err := client(t, c.DataDir, http1).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var info struct {
			DataTLSURL *string `json:"data_tls_url"`
		}
		if err := json.NewDecoder(res.Body).Decode(&info); err != nil {
			t.Fatal(err)
		}
		if (info.DataTLSURL != nil) != on || on && *info.DataTLSURL != b.DataTLSURL() {
			t.Errorf("with tls = %v, the address is %v", on, info.DataTLSURL)
		}
	}
}

func TestWithoutTLS(t *testing.T) {
	b, c := openBackend(t, func(c *config.Config) { c.TLS = false })
	if b.DataTLSURL() != "" {
		t.Errorf("HTTPS is said to be at %s", b.DataTLSURL())
	}
	for name, set := range map[string]func(*http.Protocols, bool){"HTTP/1.1": http1, "HTTP/2.0": h2c} {
		if res, _ := do(t, client(t, c.DataDir, set), http.MethodGet, b.DataURL()+"/healthz", ""); res.StatusCode != 200 || res.Proto != name {
			t.Errorf("%s: %d over %s", name, res.StatusCode, res.Proto)
		}
	}
	if _, err := client(t, c.DataDir, http2).Get(strings.Replace(b.DataURL(), "http", "https", 1)); err == nil {
		t.Error("HTTPS is answered")
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, "ca.pem")); !os.IsNotExist(err) {
		t.Errorf("a local CA was made: %v", err)
	}
}

// TestAnswersBeforeTheBodyArrive: refusing a large body must not reset the
// connection under the answer.
func TestAnswersBeforeTheBodyArrive(t *testing.T) {
	b, c := openBackend(t, func(c *config.Config) { c.MaxBodyBytes = 1 << 10 })
	for name, tt := range everyWay(b) {
		for range 5 {
			res, _ := do(t, client(t, c.DataDir, tt.set), http.MethodPut, tt.base+"/v1/stream/a", strings.Repeat("x", 1<<20))
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %d", name, res.StatusCode)
			}
		}
	}
}

type way struct {
	base string
	set  func(*http.Protocols, bool)
}

// everyWay are the ways to speak to the data listener.
func everyWay(b *Backend) map[string]way {
	return map[string]way{
		"HTTP/1.1": {b.DataURL(), http1}, "h2c": {b.DataURL(), h2c},
		"HTTP/1.1 over TLS": {b.DataTLSURL(), http1}, "HTTP/2 over TLS": {b.DataTLSURL(), http2},
	}
}

func TestWideListenerNeedsTheToken(t *testing.T) {
	b, c := openBackend(t, func(c *config.Config) {
		c.Listen = "0.0.0.0:0"
		c.Tokens = someTokens()
	})
	if !strings.HasPrefix(b.DataURL(), "http://127.0.0.1:") {
		t.Errorf("the address is %s", b.DataURL())
	}
	if res, _ := do(t, client(t, c.DataDir, http1), http.MethodGet, b.DataURL()+"/v1/stream/a", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", res.StatusCode)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	b, _ := openBackend(t, nil)
	address := b.data.Addr().String()
	c := config.Default()
	c.Listen, c.Inspect, c.DataDir = address, "127.0.0.1:0", t.TempDir()
	_, err := Open(Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if !port.Taken(err) || !strings.Contains(err.Error(), address) {
		t.Errorf("a taken port: %v", err)
	}
}

func TestCertifiedHosts(t *testing.T) {
	b, c := openBackend(t, func(c *config.Config) { c.Hosts = []string{"streams.test", "[fd00::1]"} })
	hc := client(t, c.DataDir, http2)
	_, port, _ := net.SplitHostPort(b.data.Addr().String())
	hc.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	for _, host := range []string{"streams.test", "[fd00::1]", "localhost"} {
		if res, body := do(t, hc, http.MethodGet, "https://"+host+":"+port+"/healthz", ""); res.StatusCode != 200 {
			t.Errorf("%s: %d %s", host, res.StatusCode, body)
		}
	}
}

func someTokens() []access.Token {
	return []access.Token{{Name: "ci", Level: access.Read, Hash: access.HashOf("a-secret-nobody-guesses")}}
}
