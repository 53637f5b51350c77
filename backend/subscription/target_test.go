package subscription

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://worker.example/hooks":        true,
		"https://worker.example:8443/h?x=1":   true,
		"https://8.8.8.8/hook":                true,
		"http://localhost/hook":               true,
		"http://LOCALHOST:3000/hook":          true,
		"http://127.0.0.1:3000/hook":          true,
		"http://127.1.2.3/hook":               true,
		"http://worker.example/hook":          false,
		"http://8.8.8.8/hook":                 false,
		"http://10.0.0.1/hook":                false,
		"http://localhost.evil.example/":      false,
		"http://127.0.0.1.evil.example/":      false,
		"http://evil@localhost/":              false,
		"http://[::1]:3000/hook":              false,
		"http://127.1/hook":                   false,
		"http://app.localhost/hook":           false,
		"https://localhost/hook":              false,
		"https://app.localhost/hook":          false,
		"https://127.0.0.1/hook":              false,
		"https://0.0.0.0/hook":                false,
		"https://0.1.2.3/hook":                false,
		"https://10.1.2.3/hook":               false,
		"https://172.16.0.1/hook":             false,
		"https://172.31.255.255/hook":         false,
		"https://172.32.0.1/hook":             true,
		"https://192.168.1.1/hook":            false,
		"https://169.254.169.254/latest":      false,
		"https://100.64.0.1/hook":             false,
		"https://224.0.0.1/hook":              false,
		"https://255.255.255.255/hook":        false,
		"https://[::1]/hook":                  false,
		"https://[2606:4700::1111]/hook":      false,
		"https://[::ffff:10.0.0.1]/hook":      false,
		"https://2130706433/hook":             false,
		"https://0x7f000001/hook":             false,
		"https://127.1/hook":                  false,
		"https://0x7f.1/hook":                 false,
		"https://10.0.0.08/hook":              false,
		"https://127.0.0.1./hook":             false,
		"https://127.0.0.\uff11/hook":         false, // full-width digits and letters
		"https://127。0。0。1/hook":              false,
		"https://\uff4cocalhost/hook":         false,
		"https://bücher.example/hook":         false,
		"https://xn--bcher-kva.example/hook":  true,
		"https://worker.example./hook":        true,
		"https://localhost./hook":             false,
		"https://app.localhost./hook":         false,
		"http://localhost./hook":              false,
		"https://10.0.0.1./hook":              false,
		"https://user:secret@worker.example/": false,
		"https://worker.example:0/":           false,
		"https://worker.example:99999/":       false,
		"https:///hook":                       false,
		"ftp://worker.example/hook":           false,
		"file:///etc/passwd":                  false,
		"worker.example/hook":                 false,
		"https://exa mple/":                   false,
		"":                                    false,
	} {
		t.Run(url, func(t *testing.T) {
			err := checkURL(url)
			var refused *Error
			if ok != (err == nil) || (err != nil && (!errors.As(err, &refused) || refused.Code != CodeURLRejected)) {
				t.Errorf("checkURL: %v", err)
			}
		})
	}
}

func TestIsPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "192.167.1.1": true, "2606:4700::1111": true,
		"10.0.0.1": false, "172.16.0.1": false, "192.168.0.1": false, "169.254.169.254": false, "127.0.0.1": false, "0.0.0.0": false,
		"0.1.1.1": false, "100.64.0.1": false, "198.18.0.1": false, "192.0.0.1": false, "224.0.0.1": false, "240.0.0.1": false,
		"255.255.255.255": false, "::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true,
		"::7f00:1": false, "fc00::1": false, "fd12::1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "5f00::1": false, "::ffff:0:7f00:1": false, "100::1": false, "2606:4700::1111%eth0": false,
		"64:ff9b:1::1": false, "3fff::1": false, "2001::1": false, "2001:db8::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(addr)); got != want {
			t.Errorf("isPublic(%s) = %v", addr, got)
		}
	}
}

func TestDial(t *testing.T) {
	for name, tc := range map[string]struct {
		host    string
		answers []string
		want    []string // addresses dialled
	}{
		"the address that was checked":         {"worker.example", []string{"8.8.8.8"}, []string{"8.8.8.8:443"}},
		"the next one when the first is deaf":  {"worker.example", []string{"8.8.8.8", "1.1.1.1"}, []string{"8.8.8.8:443", "1.1.1.1:443"}},
		"no private address":                   {"worker.example", []string{"10.0.0.1"}, nil},
		"no metadata service":                  {"worker.example", []string{"169.254.169.254"}, nil},
		"nothing of a name with a private one": {"worker.example", []string{"8.8.8.8", "127.0.0.1"}, nil},
		"no mapped private address":            {"worker.example", []string{"::ffff:192.168.0.1"}, nil},
		"localhost on this machine":            {"localhost", []string{"::1", "127.0.0.1"}, []string{"[::1]:443", "127.0.0.1:443"}},
		"no localhost elsewhere":               {"localhost", []string{"8.8.8.8"}, nil},
		"a loopback address":                   {"127.0.0.2", nil, []string{"127.0.0.2:443"}},
		"no name without addresses":            {"worker.example", []string{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled []string
			lookups := 0
			d := &dialer{
				lookup: func(context.Context, string, string) (out []netip.Addr, err error) {
					lookups++
					for _, a := range tc.answers {
						out = append(out, netip.MustParseAddr(a))
					}
					return out, nil
				},
				dial: func(ctx context.Context, guard *net.Dialer, _, address string) (net.Conn, error) {
					if err := guard.ControlContext(ctx, "tcp", address, nil); err != nil {
						t.Errorf("the guard refuses %s: %v", address, err)
					}
					for _, other := range []string{"10.0.0.1:443", "[fe80::1]:443", "garbage"} {
						if guard.ControlContext(ctx, "tcp", other, nil) == nil {
							t.Errorf("the guard lets %s pass", other)
						}
					}
					dialled = append(dialled, address)
					return nil, errors.New("connection refused")
				},
			}
			if _, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(tc.host, "443")); err == nil {
				t.Error("no error")
			}
			if diff := cmp.Diff(tc.want, dialled); diff != "" {
				t.Errorf("dialled (-want +got):\n%s", diff)
			}
			if lookups > 1 {
				t.Errorf("%d lookups: the second could tell something else", lookups)
			}
		})
	}
}

// TestDialEnds: no dial goes on for ever, whatever became of the request.
func TestDialEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		lookupHangs bool
		want        []string
	}{
		"when an address is deaf, with time for the next": {false, []string{"[2606:4700::1111]:443", "8.8.8.8:443"}},
		"when the name service is":                        {true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dialled []string
				d := &dialer{
					lookup: func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
						if tc.lookupHangs {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						return []netip.Addr{netip.MustParseAddr("2606:4700::1111"), netip.MustParseAddr("8.8.8.8")}, nil
					},
					dial: func(ctx context.Context, guard *net.Dialer, _, address string) (net.Conn, error) {
						dialled = append(dialled, address)
						ctx, cancel := context.WithTimeout(ctx, guard.Timeout) // as net.Dialer does
						defer cancel()
						<-ctx.Done()
						return nil, ctx.Err()
					},
				}
				began := time.Now()
				if _, err := d.DialContext(context.Background(), "tcp", "worker.example:443"); err == nil {
					t.Error("no error")
				}
				if took := time.Since(began); took > dialTimeout {
					t.Errorf("took %v", took)
				}
				if diff := cmp.Diff(tc.want, dialled); diff != "" {
					t.Errorf("dialled (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestRealDialer sends to a real listener: the production dialer, not a fake.
func TestRealDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := newDialer()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
	// As if DNS had been changed after the URL was accepted.
	d.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	var refused *addressError
	if _, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("worker.example", port)); !errors.As(err, &refused) {
		t.Errorf("rebinding: %v", err)
	}
}
