package inspect

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tailrace/backend/filter"
	"tailrace/backend/plain"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// keptExports is how many exports are remembered; the oldest goes first.
const keptExports = 100

// claimWithin is how long the address of a file waits to be fetched.
const claimWithin = time.Minute

// exportBuffer is how much of a file is written at a time.
const exportBuffer = 128 << 10

// Export is a file made of a stream's messages. The file itself comes from its
// address; what has been sent, and its checksum, from here.
type Export struct {
	ID       string  `json:"id"`
	Stream   string  `json:"stream"`
	Format   string  `json:"format" enum:"ndjson,json,raw,csv"`
	Name     string  `json:"name" doc:"What the file may be called."`
	URL      string  `json:"url" doc:"Where to fetch the file: once, without the token, within a minute."`
	State    string  `json:"state" enum:"waiting,running,done,failed"`
	From     int64   `json:"from" doc:"Ordinal of the first message that is looked at."`
	To       int64   `json:"to" doc:"Ordinal behind the last one."`
	Read     int64   `json:"read" doc:"All messages before this ordinal have been looked at."`
	Messages int64   `json:"messages" doc:"In the file so far."`
	Bytes    int64   `json:"bytes" doc:"Of the file so far."`
	SHA256   *string `json:"sha256" doc:"Of the whole file; null: it is not done."`
	Error    *string `json:"error" doc:"Why the file is not whole."`
}

type exportInput struct {
	Body struct {
		Stream     string `json:"stream" minLength:"1"`
		Format     string `json:"format" enum:"ndjson,json,raw,csv"`
		From       int64  `json:"from,omitempty" minimum:"0" doc:"Ordinal of the first message."`
		To         *int64 `json:"to,omitempty" minimum:"0" doc:"Ordinal behind the last message; absent: all that there are now."`
		FromOffset string `json:"from_offset,omitempty" doc:"Offset token where the first message begins; instead of from."`
		ToOffset   string `json:"to_offset,omitempty" doc:"Offset token where the last message ends; instead of to."`
		By         string `json:"by,omitempty" enum:"text,regex,path" doc:"Only messages that match: as filterMessages has it."`
		Pattern    string `json:"pattern,omitempty"`
	}
}

type exportOutput struct{ Body Export }

// ExportInput names an export in the URL.
type ExportInput struct {
	ID string `path:"id"`
}

// export is an Export with what it needs.
type export struct {
	stream  store.Stream
	filter  *filter.Filter // nil: all messages
	created time.Time

	mu    sync.Mutex
	state Export
	saved string // where the window has put it
}

func (e *export) now() Export {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

func (e *export) update(f func(*Export)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.state)
}

// exports are the remembered ones, oldest first.
type exports struct {
	mu  sync.Mutex
	all []*export
}

func (x *exports) add(e *export) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.all) == keptExports {
		x.all = x.all[1:]
	}
	x.all = append(x.all, e)
}

func (x *exports) find(id string) *export {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.all {
		if e.state.ID == id { // never changes
			return e
		}
	}
	return nil
}

func (s *Server) registerExports(api huma.API) {
	huma.Register(api, operation(http.MethodPost, "/api/exports", "createExport", "Prepare a file of a stream's messages", status(http.StatusCreated)), s.createExport)
	huma.Register(api, operation(http.MethodGet, "/api/exports/{id}", "getExport", "What an export has sent, and its checksum"),
		func(_ context.Context, in *ExportInput) (*exportOutput, error) {
			e := s.exports.find(in.ID)
			if e == nil {
				return nil, huma.Error404NotFound("there is no such export; they do not outlive the server")
			}
			return &exportOutput{e.now()}, nil
		})
	huma.Register(api, operation(http.MethodGet, exportFile, "getExportFile", "The file of an export", open, func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {
			Description: "The file. A connection that breaks off is the sign that it is not whole.",
			Content:     map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		}}
	}), s.exportFile)
}

// exportFile is where files are fetched. The id is a secret that is spent there,
// so that a browser can save the file by itself.
const exportFile = "/api/exports/{id}/file"

func (s *Server) createExport(ctx context.Context, in *exportInput) (*exportOutput, error) {
	b := &in.Body
	st, _, err := s.o.Store.Load(ctx, b.Stream)
	if err != nil {
		return nil, problem(err)
	}
	if err := plain.CheckFormat(b.Format, st.Kind); err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	e := &export{stream: st, created: s.o.Now()}
	if b.Pattern != "" || b.By != "" {
		if e.filter, err = filter.Parse(b.By, b.Pattern); err != nil {
			return nil, huma.Error400BadRequest(err.Error())
		}
	}
	from, to := min(b.From, st.Messages), st.Messages
	if b.To != nil {
		to = min(*b.To, to)
	}
	if b.FromOffset != "" {
		from, err = s.ordinalOf(ctx, &st, "from_offset", b.FromOffset)
	}
	if err == nil && b.ToOffset != "" {
		to, err = s.ordinalOf(ctx, &st, "to_offset", b.ToOffset)
	}
	if err != nil {
		return nil, problem(missing(err))
	}
	id := randomText(24)
	e.state = Export{
		ID: id, Stream: st.Path, Format: b.Format, Name: exportName(&st, b.Format), URL: strings.Replace(exportFile, "{id}", id, 1),
		State: "waiting", From: from, To: max(from, to), Read: from,
	}
	s.exports.add(e)
	return &exportOutput{e.state}, nil
}

// ordinalOf is the ordinal of the message that begins at an offset, or the number
// of messages at the tail.
func (s *Server) ordinalOf(ctx context.Context, st *store.Stream, field, token string) (int64, error) {
	q, err := protocol.ParseOffset(token)
	switch {
	case err != nil:
		return 0, &protocol.BadRequestError{Field: field, Reason: "not an offset"}
	case q.Start:
		return 0, nil
	case q.Now:
		return st.Messages, nil
	case q.Offset.Incarnation != st.Incarnation || q.Offset.Position > st.Tail:
		return 0, &protocol.BadRequestError{Field: field, Reason: "not an offset of this stream, which ends at " + offset(st, st.Tail)}
	case st.Kind == protocol.KindJSON || q.Offset.Position == st.Tail:
		return s.o.Store.SeekPosition(ctx, st, q.Offset.Position)
	}
	batch, err := s.o.Store.BatchAt(ctx, st, q.Offset.Position)
	if err != nil {
		return 0, err
	}
	if batch.Start != q.Offset.Position {
		return 0, &protocol.BadRequestError{Field: field, Reason: "within message " + strconv.FormatInt(batch.First, 10) +
			", which goes from " + offset(st, batch.Start) + " to " + offset(st, batch.End)}
	}
	return batch.First, nil
}

// exportName is the last part of the path, as far as every system takes it in the
// name of a file.
func exportName(st *store.Stream, format string) string {
	leaf := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		default:
			return '_'
		}
	}, path.Base(st.Path)), ".")
	if leaf == "" {
		leaf = "stream"
	}
	return leaf + "." + plain.Extension(format, st.Kind)
}

var exportTypes = map[string]string{
	plain.NDJSON: "application/x-ndjson", plain.JSON: "application/json", plain.Raw: "application/octet-stream", plain.CSV: "text/csv; charset=utf-8",
}

func (s *Server) exportFile(_ context.Context, in *ExportInput) (*huma.StreamResponse, error) {
	e := s.exports.find(in.ID)
	if e == nil {
		return nil, huma.Error404NotFound("there is no such export")
	}
	spent := true
	e.update(func(x *Export) {
		if spent = x.State != "waiting" || s.o.Now().Sub(e.created) > claimWithin; !spent {
			x.State = "running"
		}
	})
	if spent {
		return nil, huma.Error410Gone("this file was fetched before, or not in time; export it again")
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		out := &patient{w: w, rc: http.NewResponseController(w), e: e}
		err := s.writeExport(c.Context(), out, e)
		if err == nil {
			out.begin() // an empty file
			return
		}
		why := s.whyCut(c.Context(), err)
		e.update(func(x *Export) { x.State, x.Error = "failed", why })
		if !out.begun {
			refuse(w, http.StatusInternalServerError, *why)
			return
		}
		panic(http.ErrAbortHandler) // so that nobody takes what has been sent for the whole
	}}, nil
}

// whyCut says in words why a file is not whole.
func (s *Server) whyCut(ctx context.Context, err error) *string {
	if ctx.Err() != nil || errors.Is(err, errUnfetched) {
		text := "it was not fetched to its end"
		return &text
	}
	return s.outcome(err)
}

func (s *Server) writeExport(ctx context.Context, w io.Writer, e *export) error {
	out := bufio.NewWriterSize(w, exportBuffer)
	file, err := plain.NewWriter(out, e.state.Format, &e.stream)
	if err != nil {
		return err
	}
	from, to := e.state.From, e.state.To
	err = s.o.Store.Scan(ctx, &e.stream, from, to, func(batches []*store.Batch) error {
		for _, b := range batches {
			start := 0
			for i, size := range b.Payload.Sizes {
				m := plain.Message{Batch: b, Index: i, Content: b.Payload.Data[start : start+size]}
				start += size + 1 // the comma between JSON messages
				if n := m.Ordinal(); n < from || n >= to || e.filter != nil && !e.filter.Matches(m.Content) {
					continue
				}
				if err := file.Add(&m); err != nil {
					return err
				}
			}
		}
		last := batches[len(batches)-1]
		sent := file.Written()
		e.update(func(x *Export) {
			x.Read = min(to, last.First+int64(last.Payload.Messages()))
			x.Messages, x.Bytes = sent.Messages, sent.Bytes
		})
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	sum, err := file.Finish()
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	digest := hex.EncodeToString(sum.SHA256[:])
	e.update(func(x *Export) {
		x.State, x.Read, x.Messages, x.Bytes, x.SHA256 = "done", to, sum.Messages, sum.Bytes, &digest
	})
	return nil
}

// patient waits for a client as long as it takes something now and then.
type patient struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	e     *export
	begun bool
}

func (p *patient) begin() {
	if !p.begun {
		p.begun = true
		p.w.Header().Set("Content-Type", exportTypes[p.e.state.Format])
		p.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": p.e.state.Name}))
	}
}

func (p *patient) Write(b []byte) (int, error) {
	p.begin()
	// Without support for deadlines the server's own limits apply.
	_ = p.rc.SetWriteDeadline(time.Now().Add(sendDeadline))
	n, err := p.w.Write(b)
	if err != nil {
		err = errors.Join(errUnfetched, err)
	}
	return n, err
}

var errUnfetched = errors.New("the client takes nothing any more")

// isExportFile reports whether a call fetches the file of an export, where the id
// is what admits it.
func isExportFile(r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, "/api/exports/")
	return ok && strings.HasSuffix(rest, "/file") && r.Method == http.MethodGet
}
