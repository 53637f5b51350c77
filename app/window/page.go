package window

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed page.html
var pageHTML string

// Paths of the pages. The web view starts at "/"; that page tells which colour
// scheme is in force by asking for one of the others.
const (
	lightPath = "/light"
	darkPath  = "/dark"
	retryPath = "/retry"
)

// Failure is why there is no server to show.
type Failure struct {
	What  string   // what happened
	Steps []string // what to do about it, one line each
}

// Page is what the web view loads before and instead of the inspector.
type Page struct {
	link  func() (string, *Failure)
	retry func()
	html  *template.Template

	mu    sync.Mutex
	dark  bool
	known bool // dark was told by the web view
}

// NewPage returns a page. link is asked on every visit for a fresh one-time link
// to the inspector, or for the failure to show instead. retry runs when the
// person asks to try again, before link is asked; nil: there is nothing to try.
func NewPage(link func() (string, *Failure), retry func()) *Page {
	return &Page{
		link: link, retry: retry,
		html: template.Must(template.New("page").Parse(pageHTML)),
	}
}

// Dark reports whether the web view showed a dark scheme, and whether it has
// said so yet.
func (p *Page) Dark() (dark, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dark, p.known
}

// ServeHTTP implements http.Handler for the web view's asset server.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case "":
		p.render(w, content{})
		return
	case lightPath, darkPath:
		p.mu.Lock()
		p.dark, p.known = path == darkPath, true
		p.mu.Unlock()
	case retryPath:
		if p.retry != nil {
			p.retry()
		}
	default:
		http.NotFound(w, r)
		return
	}
	link, failure := p.link()
	c := content{Link: link, Retry: p.retry != nil}
	if failure != nil {
		c.Failure = &Failure{What: sentence(failure.What), Steps: failure.Steps}
	}
	p.render(w, c)
}

// content is what page.html shows: a link to go on to, a failure, or (neither)
// the question which colour scheme is in force.
type content struct {
	Link    string
	Failure *Failure
	Retry   bool
}

// sentence makes one of an error's text.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:] + "."
}

func (p *Page) render(w http.ResponseWriter, c content) {
	var b bytes.Buffer
	if err := p.html.Execute(&b, c); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(b.Bytes())
}
