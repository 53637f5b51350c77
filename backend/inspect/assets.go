package inspect

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// notBuilt is the page of a program that was built without its frontend.
const notBuilt = `<!doctype html><meta charset="utf-8"><title>Tailrace</title>
<h1>The inspector page is not in this build</h1>
<p>The server works. To get the page, build with <code>make build</code>.</p>
`

// newAssets serves the built frontend. Names under assets/ carry a hash of their
// content and may be kept for ever; everything else is checked each time.
func newAssets(files fs.FS) http.Handler {
	if files != nil {
		if _, err := fs.Stat(files, "index.html"); err == nil {
			return cached(http.FileServerFS(files))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(notBuilt)) // a client that has left
	})
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && (strings.HasSuffix(r.URL.Path, "/") || strings.Contains(r.URL.Path, "/.")) {
			http.NotFound(w, r) // no listings, no hidden files
			return
		}
		if strings.HasPrefix(path.Clean(r.URL.Path), "/assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		next.ServeHTTP(w, r)
	})
}
