package inspect

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tailrace/backend/engine"
	"tailrace/backend/plain"
	"tailrace/backend/protocol"
)

// ImportResult is what an import has done, or would do.
type ImportResult struct {
	Messages   int64   `json:"messages" doc:"In the file."`
	Bytes      int64   `json:"bytes" doc:"Of the file."`
	SHA256     string  `json:"sha256" doc:"Of the file."`
	Created    bool    `json:"created" doc:"The stream was not there before."`
	Appended   int64   `json:"appended" doc:"Messages that are new in the stream."`
	Duplicates int64   `json:"duplicates" doc:"Messages that an earlier import with the same id had appended."`
	Producer   *string `json:"producer" doc:"Id that wrote them."`
	NextOffset *string `json:"next_offset" doc:"The tail of the stream."`
	DryRun     bool    `json:"dry_run" doc:"Nothing was written."`
}

type importInput struct {
	PathInput
	Format      string `query:"format" enum:"ndjson,json,raw" required:"true"`
	ContentType string `query:"content_type" doc:"Of a stream that is not there yet; empty: application/octet-stream for raw, else application/json."`
	ID          string `query:"id" doc:"Names the content of the file: what was appended under an id is not appended again. Its SHA-256 is a good one, which a dry run tells."`
	DryRun      bool   `query:"dry_run" doc:"Read and check all of it, and write nothing."`

	body io.Reader
}

// Resolve implements huma.Resolver: the file is read as it comes.
func (in *importInput) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	in.body = &pausing{r.Body, http.NewResponseController(w)}
	return nil
}

// pausing reads from a client as long as it sends something now and then.
type pausing struct {
	r  io.Reader
	rc *http.ResponseController
}

func (p *pausing) Read(b []byte) (int, error) {
	// Without support for deadlines the server's own limits apply.
	_ = p.rc.SetReadDeadline(time.Now().Add(sendDeadline))
	n, err := p.r.Read(b)
	if err == io.EOF {
		_ = p.rc.SetReadDeadline(time.Time{})
	} else if err != nil {
		err = errors.Join(errBrokeOff, err)
	}
	return n, err
}

var errBrokeOff = errors.New("the file broke off")

type importOutput struct{ Body ImportResult }

func (s *Server) registerImports(api huma.API) {
	op := operation(http.MethodPost, "/api/streams/{path}/import", "importFile", "Append the messages of a file", func(op *huma.Operation) {
		op.RequestBody = &huma.RequestBody{
			Description: "The file.", Required: true,
			Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		}
	})
	huma.Register(api, op, s.importFile)
}

func (s *Server) importFile(ctx context.Context, in *importInput) (*importOutput, error) {
	r, err := s.newImport(ctx, in)
	if err != nil {
		_, _ = io.Copy(io.Discard, in.body)
		return nil, problem(err)
	}
	for {
		p, err := r.file.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = r.append(p)
		}
		if err != nil {
			// Whoever still sends would not hear an answer.
			_, _ = io.Copy(io.Discard, in.body)
			return nil, r.explain(err)
		}
	}
	if err := r.create(); err != nil { // an empty file
		return nil, problem(err)
	}
	sum := r.file.Summary()
	r.result.Messages, r.result.Bytes, r.result.SHA256 = sum.Messages, sum.Bytes, hex.EncodeToString(sum.SHA256[:])
	return &importOutput{r.result}, nil
}

// importing is one import under way.
type importing struct {
	s        *Server
	path     string
	typ      string // content type
	missing  bool   // the stream is not there yet
	dryRun   bool
	file     *plain.Reader
	producer protocol.Producer
	result   ImportResult
}

func (s *Server) newImport(ctx context.Context, in *importInput) (*importing, error) {
	if err := protocol.CheckPath(in.Path, s.o.Limits); err != nil {
		return nil, err
	}
	if protocol.IsControlPath(in.Path) || in.Path == protocol.RegistryPath {
		return nil, protocol.ErrReadOnly
	}
	// Files that were cut by another rule are other appends.
	producer := "import-" + plain.Rule(in.Format) + "-" + in.ID
	r := &importing{
		s: s, path: in.Path, typ: in.ContentType, dryRun: in.DryRun,
		producer: protocol.Producer{ID: producer}, result: ImportResult{DryRun: in.DryRun},
	}
	if !in.DryRun {
		if in.ID == "" {
			return nil, &protocol.BadRequestError{Field: "id", Reason: "an import needs one, so that trying again appends nothing twice"}
		}
		if err := protocol.CheckHeaderValue("id", r.producer.ID, s.o.Limits); err != nil {
			return nil, err
		}
		r.result.Producer = &r.producer.ID
	}
	st, _, err := s.o.Store.Load(ctx, in.Path)
	switch {
	case errors.Is(err, protocol.ErrNotFound):
		r.missing = true
		if r.typ == "" {
			r.typ = "application/json"
			if in.Format == plain.Raw {
				r.typ = protocol.DefaultContentType
			}
		}
		if err := protocol.CheckHeaderValue("content_type", r.typ, s.o.Limits); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case st.Deleted:
		return nil, protocol.ErrGone
	default:
		r.typ = st.ContentType
	}
	media, err := protocol.ParseContentType(r.typ)
	if err != nil {
		return nil, err
	}
	var wrong *plain.FormatError
	if r.file, err = plain.NewReader(in.body, in.Format, protocol.KindOf(media), s.o.Limits); errors.As(err, &wrong) {
		return nil, &protocol.BadRequestError{Field: "format", Reason: wrong.Reason}
	}
	return r, err
}

// create makes the stream, if it is not there.
func (r *importing) create() error {
	if !r.missing || r.dryRun {
		return nil
	}
	created, err := r.s.o.Engine.Create(r.path, &engine.CreateRequest{ContentType: r.typ})
	if err != nil {
		return err
	}
	r.missing, r.result.Created = false, created.New
	return nil
}

func (r *importing) append(p protocol.Payload) error {
	if r.dryRun {
		return nil
	}
	if err := r.create(); err != nil {
		return err
	}
	producer := r.producer
	r.producer.Seq++
	done, err := r.s.o.Engine.Append(r.path, &engine.AppendRequest{ContentType: r.typ, Payload: p, Producer: &producer})
	if err != nil {
		return err
	}
	next := done.Next.String()
	r.result.NextOffset = &next
	if done.Duplicate {
		r.result.Duplicates += int64(p.Messages())
	} else {
		r.result.Appended += int64(p.Messages())
	}
	return nil
}

// explain says what went wrong and what is in the stream already.
func (r *importing) explain(err error) error {
	status := http.StatusBadRequest
	var place *plain.PlaceError
	var known huma.StatusError
	switch {
	case errors.As(err, &place):
	case errors.Is(err, errBrokeOff):
		err = errBrokeOff
	case errors.As(problem(err), &known):
		status = known.GetStatus()
	default:
		r.s.o.Log.Error("an import failed", "stream", r.path, "error", err)
		status, err = http.StatusInternalServerError, errors.New("the import failed")
	}
	text := err.Error()
	switch n := r.result.Appended + r.result.Duplicates; {
	case r.dryRun:
	case n == 0:
		text += "; nothing was appended"
	default:
		text += fmt.Sprintf("; the first %d messages of the file have been appended, and are not appended again under the same id", n)
	}
	return huma.NewError(status, text)
}
