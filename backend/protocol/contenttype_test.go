package protocol

import "testing"

func TestParseContentType(t *testing.T) {
	for _, tt := range []struct {
		in, media string
		kind      Kind
	}{
		{"application/json", "application/json", KindJSON},
		{"Application/JSON", "application/json", KindJSON},
		{"application/json; charset=utf-8", "application/json", KindJSON},
		{" application/json ;x", "application/json", KindJSON},
		{"application/ndjson", "application/ndjson", KindBytes},
		{"application/json-seq", "application/json-seq", KindBytes},
		{"application/vnd.api+json", "application/vnd.api+json", KindBytes},
		{"text/plain", "text/plain", KindText},
		{"TEXT/html;charset=\"x\"", "text/html", KindText},
		{"text/event-stream", "text/event-stream", KindText},
		{"application/octet-stream", "application/octet-stream", KindBytes},
		{"x-custom/y!#$%&'*+-.^_`|~", "x-custom/y!#$%&'*+-.^_`|~", KindBytes},
	} {
		t.Run(tt.in, func(t *testing.T) {
			media, err := ParseContentType(tt.in)
			if err != nil || media != tt.media {
				t.Fatalf("got %q, %v; want %q", media, err, tt.media)
			}
			if k := KindOf(media); k != tt.kind {
				t.Errorf("kind %v, want %v", k, tt.kind)
			}
		})
	}
}

func TestParseContentTypeRefuses(t *testing.T) {
	for _, in := range []string{
		"", ";", "json", "/", "text/", "/plain", "text/plain/x", "te xt/plain", "text/pl ain", "text/plain, text/html",
		"text/plain\r\nX: y", "text/plain;\x00", "text/plain\x7f", "text/\u212a", "té/x", "<script>/x",
	} {
		t.Run(in, func(t *testing.T) {
			_, err := ParseContentType(in)
			wantBadRequest(t, err, "Content-Type")
		})
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{KindBytes: "bytes", KindText: "text", KindJSON: "json"} {
		if got := k.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzParseContentType(f *testing.F) {
	for _, s := range []string{"application/json", "text/plain; charset=utf-8", "", "a/b/c", "text/\u212a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseContentType(s)
		if err != nil {
			wantBadRequest(t, err, "Content-Type")
			return
		}
		if again, err := ParseContentType(m); err != nil || again != m {
			t.Fatalf("%q gives %q, which gives %q, %v", s, m, again, err)
		}
	})
}
