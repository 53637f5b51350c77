package inspect

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tailrace/backend/activity"
	"tailrace/backend/demo"
	"tailrace/backend/engine"
	"tailrace/backend/fault"
	"tailrace/backend/journal"
	"tailrace/backend/lint"
	"tailrace/backend/loopback"
	"tailrace/backend/mirror"
	"tailrace/backend/peer"
	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/snapshot"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
	"tailrace/backend/update"
)

// Options of an inspector. All fields are required unless they say otherwise.
type Options struct {
	Engine *engine.Engine
	Store  *store.DB
	// Subscriptions holds the keys that sign webhooks.
	Subscriptions *subscription.Manager
	Snapshots     *snapshot.Manager
	Mirrors       *mirror.Manager
	Limits        protocol.Limits
	Gate          *Gate
	Info          Info
	// Assets is the built frontend; nil: there is none.
	Assets fs.FS
	// Hosts are accepted Host names beyond loopback names.
	Hosts []string
	// Update knows of newer versions; nil: nobody is asked.
	Update *update.Checker
	// Windows are those of the server; nil: it can have none.
	Windows *Windows
	// Activity is what happened lately; nil: it is not recorded.
	Activity *activity.Recorder
	// Faults are what goes wrong on purpose; nil: nothing can.
	Faults *fault.Set
	// Lint watches what clients do; nil: nobody does.
	Lint *lint.Linter
	// Demo plays the demo traffic; nil: nothing is served that it could use.
	Demo *demo.Player
	// Journal is the latest requests of the data port.
	Journal *journal.Journal
	// Readers are the open live readers.
	Readers *server.Readers
	// WantsToken reports whether the data port wants a token now; nil: it never does.
	WantsToken func() bool
	// Settings of the server; nil: they are not shown.
	Settings Settings
	Now      func() time.Time
	Log      *slog.Logger
}

// Server is the handler of the inspector listener.
type Server struct {
	o     Options
	hosts map[string]bool
	api   http.Handler
	files http.Handler

	streams catalogue
	peers   peer.Finder
	exports *exports
	memory  *memory
}

// New returns an inspector.
func New(o Options) *Server { return build(o, &exports{}, recall(o.Info.DataDir, o.Log)) }

// With returns an inspector with other options that goes on with what this one
// remembers.
func (s *Server) With(o Options) *Server { return build(o, s.exports, s.memory) }

func build(o Options, e *exports, m *memory) *Server {
	s := &Server{o: o, hosts: map[string]bool{}, exports: e, memory: m}
	for _, h := range o.Hosts {
		s.hosts[loopback.Hostname(h)] = true
	}
	mux := http.NewServeMux()
	s.describe(mux)
	s.api = mux
	s.files = newAssets(o.Assets)
	return s
}

// OpenAPI returns the API's description, as JSON.
func OpenAPI() ([]byte, error) {
	s := &Server{}
	return s.describe(http.NewServeMux()).OpenAPI().MarshalJSON()
}

// describe registers all operations.
func (s *Server) describe(mux *http.ServeMux) huma.API {
	c := huma.DefaultConfig("Tailrace inspector", "1")
	c.OpenAPIPath = "/api/openapi"
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil // no $schema links in bodies
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer"},
	}
	api := humago.New(mux, c)
	s.registerSession(api)
	s.registerStreams(api)
	s.registerMessages(api)
	s.registerFilter(api)
	s.registerExports(api)
	s.registerWrites(api)
	s.registerImports(api)
	s.registerEvents(api)
	s.registerWindows(api)
	s.registerUpdate(api)
	s.registerSnapshots(api)
	s.registerMirrors(api)
	s.registerSettings(api)
	s.registerMemory(api)
	s.registerActivity(api)
	s.registerDemo(api)
	s.registerLineage(api)
	s.registerStorage(api)
	s.registerRequests(api)
	s.registerReaders(api)
	s.registerLanes(api)
	s.registerProducers(api)
	s.registerOrigin(api)
	s.registerDelivery(api)
	s.registerSubscriptions(api)
	s.registerFaults(api)
	s.registerFindings(api)
	return api
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	host := loopback.Hostname(r.Host)
	if !loopback.IsName(host) && !s.hosts[host] {
		refuse(w, http.StatusForbidden, "this Host name is not allowed; use 127.0.0.1 or localhost, or add the name to hosts in the configuration")
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		s.serveAsset(w, r)
		return
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" || !isOwnOrigin(r) {
		refuse(w, http.StatusForbidden, "the inspector API answers its own page only")
		return
	} else if site != "" && isForWindows(r) {
		refuse(w, http.StatusForbidden, "only a program can be a window")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if !isOpen(r) && !s.o.Gate.Admits(r.Header.Get("Authorization")) {
		refuse(w, http.StatusUnauthorized, "no valid token; open the link that tailrace serve printed, or run tailrace open")
		return
	}
	s.api.ServeHTTP(w, r)
}

// isOpen reports whether a call needs no token.
func isOpen(r *http.Request) bool {
	return r.URL.Path == "/api/openapi.json" || isExportFile(r) || (r.Method == http.MethodPost && r.URL.Path == "/api/session")
}

// isOwnOrigin reports whether a call names no origin, as programs do, or that of the
// page which came from the same address.
func isOwnOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// isForWindows reports whether a call is one of the program that is a window. It
// says where files are saved, so it must not be a page: the header that tells
// (Sec-Fetch-Site) is one that no script can leave out.
func isForWindows(r *http.Request) bool {
	return r.URL.Path == "/api/window" || r.URL.Path == "/api/window/answers"
}

// serveAsset serves the page. Another site may navigate to it but not embed or
// fetch parts of it.
func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	if site != "" && site != "same-origin" && site != "none" && mode != "navigate" {
		refuse(w, http.StatusForbidden, "the inspector is not for embedding")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "the page can only be read")
		return
	}
	s.files.ServeHTTP(w, r)
}

// contentSecurity keeps the page to what was built into the program.
const contentSecurity = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurity)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// refuse answers with a problem document, as the API does.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// A client that does not read its error cannot be told.
	_ = json.NewEncoder(w).Encode(&huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}

// diskBytes is what the data folder takes; 0 when that cannot be told.
func (s *Server) diskBytes() int64 {
	n, err := s.o.Store.DiskBytes()
	if err != nil && !os.IsNotExist(err) {
		s.o.Log.Warn("the size on disk is unknown", "error", err)
	}
	return n
}
