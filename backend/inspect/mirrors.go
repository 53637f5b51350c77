package inspect

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/mirror"
)

// Mirror is one that copies streams to another server, or from one.
type Mirror struct {
	Name       string       `json:"name"`
	Direction  string       `json:"direction" enum:"push,pull"`
	Glob       string       `json:"glob"`
	Remote     string       `json:"remote" doc:"Stream root of the other server, or its name in the configuration."`
	URL        string       `json:"url" doc:"Stream root, also when remote is a name."`
	TokenGiven bool         `json:"token_given" doc:"A token is held in memory until the server ends."`
	TokenEnv   string       `json:"token_env" doc:"Variable that holds the token; empty: none."`
	HeaderFile string       `json:"header_file" doc:"File with headers; empty: none."`
	Insecure   bool         `json:"insecure" doc:"Plain HTTP to another machine is allowed."`
	Configured bool         `json:"configured" doc:"It stands in the configuration."`
	State      string       `json:"state" enum:"running,paused,failed,ended" doc:"failed: it cannot go on. ended: a run with once has."`
	Error      *string      `json:"error" doc:"What is wrong with the mirror; streams have errors of their own."`
	Once       *string      `json:"once" enum:"running,complete,incomplete" doc:"What became of the latest run with once."`
	Found      bool         `json:"found" doc:"The streams that were there when it began have been found."`
	Streams    int          `json:"streams"`
	States     MirrorStates `json:"states" doc:"How many streams are in which state."`
	Bytes      int64        `json:"bytes" doc:"Copied so far, over all runs."`
	BehindMS   int64        `json:"behind_ms" doc:"For how long the stream that is furthest behind has not been complete; 0: all are."`
	CreatedAt  int64        `json:"created_at" doc:"Unix milliseconds."`
}

// MirrorStates counts streams by state.
type MirrorStates struct {
	Waiting       int `json:"waiting"`
	Copying       int `json:"copying"`
	Live          int `json:"live"`
	Retrying      int `json:"retrying"`
	Failed        int `json:"failed"`
	Closed        int `json:"closed"`
	SourceDeleted int `json:"source_deleted"`
	Stopped       int `json:"stopped"`
}

// MirroredStream is a stream of a mirror.
type MirroredStream struct {
	Path      string  `json:"path"`
	State     string  `json:"state" enum:"waiting,copying,live,retrying,failed,closed,source_deleted,stopped" doc:"stopped: a person has to look, and then resume the mirror. source_deleted: the copy is kept."`
	Error     *string `json:"error"`
	Position  int64   `json:"position" doc:"Up to here both ends have the same: messages for JSON, else bytes."`
	Behind    *int64  `json:"behind" doc:"How much is missing, in the same unit; null: the remote does not tell."`
	BehindMS  int64   `json:"behind_ms" doc:"For how long the copy has not been complete; 0: it is."`
	Bytes     int64   `json:"bytes" doc:"Copied so far."`
	UpdatedAt *int64  `json:"updated_at" doc:"Unix milliseconds of the last progress."`
}

// MirrorDetail is a mirror with its streams.
type MirrorDetail struct {
	Mirror  Mirror           `json:"mirror"`
	Streams []MirroredStream `json:"streams" nullable:"false" doc:"At most 500, those in trouble first, then by path."`
}

// NewMirror asks for a mirror.
type NewMirror struct {
	Name       string `json:"name,omitempty" doc:"Empty: made of direction, glob and host."`
	Direction  string `json:"direction" enum:"push,pull"`
	Glob       string `json:"glob" minLength:"1"`
	Remote     string `json:"remote" minLength:"1" doc:"Stream root such as https://host/v1/stream/, or the name of a remote of the configuration."`
	Token      string `json:"token,omitempty" doc:"A bearer token; it is kept in memory until the server ends, and shown to nobody."`
	TokenEnv   string `json:"token_env,omitempty" doc:"Variable of the server that holds one."`
	HeaderFile string `json:"header_file,omitempty" doc:"Absolute path of a file with headers, one a line."`
	Insecure   bool   `json:"insecure,omitempty" doc:"Allow plain HTTP to another machine."`
	Once       bool   `json:"once,omitempty" doc:"End when everything that is there has arrived."`
}

// RemoteServer is a remote of the configuration.
type RemoteServer struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type mirrorsOutput struct {
	Body struct {
		Mirrors []Mirror       `json:"mirrors" nullable:"false"`
		Remotes []RemoteServer `json:"remotes" nullable:"false" doc:"Those of the configuration."`
	}
}

type mirrorOutput struct{ Body Mirror }

type mirrorDetailOutput struct{ Body MirrorDetail }

// MirrorInput names a mirror in the URL.
type MirrorInput struct {
	Name string `path:"name"`
}

func (s *Server) registerMirrors(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/mirrors", "listMirrors", "All mirrors"),
		func(context.Context, *empty) (*mirrorsOutput, error) {
			out := &mirrorsOutput{}
			out.Body.Mirrors, out.Body.Remotes = s.mirrors(), []RemoteServer{}
			for name, r := range s.o.Mirrors.Remotes() {
				out.Body.Remotes = append(out.Body.Remotes, RemoteServer{Name: name, URL: r.URL})
			}
			slices.SortFunc(out.Body.Remotes, func(a, b RemoteServer) int { return cmp.Compare(a.Name, b.Name) })
			return out, nil
		})
	huma.Register(api, operation(http.MethodPost, "/api/mirrors", "addMirror", "Make a mirror, or continue the one of that name"),
		func(ctx context.Context, in *struct{ Body NewMirror }) (*mirrorOutput, error) {
			made, err := s.o.Mirrors.Add(ctx, in.Body.request())
			if err != nil {
				return nil, mirrorProblem(err)
			}
			return &mirrorOutput{s.newMirror(&made)}, nil
		})
	huma.Register(api, operation(http.MethodGet, "/api/mirrors/{name}", "getMirror", "One mirror with its streams"),
		func(_ context.Context, in *MirrorInput) (*mirrorDetailOutput, error) {
			sight, err := s.o.Mirrors.Look(in.Name)
			if err != nil {
				return nil, mirrorProblem(err)
			}
			return &mirrorDetailOutput{s.mirrorDetail(&sight)}, nil
		})
	for _, action := range []struct {
		method, path, name, summary string
		do                          func(*mirror.Manager, context.Context, string) error
	}{
		{http.MethodPost, "/pause", "pauseMirror", "Pause a mirror", (*mirror.Manager).Pause},
		{http.MethodPost, "/resume", "resumeMirror", "Have a mirror go on, also with its stopped streams", (*mirror.Manager).Resume},
		{http.MethodDelete, "", "removeMirror", "Forget a mirror; the copies stay", (*mirror.Manager).Remove},
	} {
		huma.Register(api, operation(action.method, "/api/mirrors/{name}"+action.path, action.name, action.summary, status(http.StatusNoContent)),
			func(ctx context.Context, in *MirrorInput) (*empty, error) {
				return nil, mirrorProblem(action.do(s.o.Mirrors, ctx, in.Name))
			})
	}
}

func (n *NewMirror) request() mirror.Request {
	r := mirror.Request{
		Name: n.Name, Direction: n.Direction, Glob: n.Glob, Token: n.Token, Once: n.Once,
		Remote: mirror.Remote{URL: n.Remote, TokenEnv: n.TokenEnv, HeaderFile: n.HeaderFile, Insecure: n.Insecure},
	}
	if mirror.IsName(n.Remote) {
		r.Known, r.Remote = n.Remote, mirror.Remote{}
	}
	return r
}

func mirrorProblem(err error) error {
	var bad *mirror.RequestError
	var none *mirror.NotFoundError
	var taken *mirror.TakenError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return huma.Error400BadRequest(err.Error())
	case errors.As(err, &none):
		return huma.Error404NotFound(err.Error())
	case errors.As(err, &taken):
		return huma.Error409Conflict(err.Error())
	}
	return problem(err)
}

// mirrors are all mirrors, as the page lists them.
func (s *Server) mirrors() []Mirror {
	out := []Mirror{}
	for _, m := range s.o.Mirrors.List() {
		out = append(out, s.newMirror(&m))
	}
	return out
}

func (s *Server) newMirror(m *mirror.Sight) Mirror {
	out := Mirror{
		Name: m.Name, Direction: m.Direction, Glob: m.Glob, Remote: m.Remote, URL: m.URL, TokenGiven: m.Token, TokenEnv: m.TokenEnv, HeaderFile: m.HeaderFile,
		Insecure: m.Insecure, Configured: m.Configured, State: m.State, Error: textOrNull(m.Error), Once: textOrNull(string(m.Once)),
		Found: m.Found, Streams: len(m.Streams), CreatedAt: m.CreatedAt,
	}
	counts := map[mirror.State]*int{
		mirror.StateWaiting: &out.States.Waiting, mirror.StateCopying: &out.States.Copying, mirror.StateLive: &out.States.Live,
		mirror.StateRetrying: &out.States.Retrying, mirror.StateFailed: &out.States.Failed, mirror.StateClosed: &out.States.Closed,
		mirror.StateSourceDeleted: &out.States.SourceDeleted, mirror.StateStopped: &out.States.Stopped,
	}
	for i := range m.Streams {
		v := &m.Streams[i]
		*counts[v.State]++
		out.Bytes += v.Bytes
		out.BehindMS = max(out.BehindMS, s.behind(v))
	}
	return out
}

// behind is for how long a copy has not been complete.
func (s *Server) behind(v *mirror.StreamSight) int64 {
	if v.BehindSince == 0 {
		return 0
	}
	return max(1, s.o.Now().UnixMilli()-v.BehindSince)
}

// maxMirrored is how many streams of a mirror are shown.
const maxMirrored = 500

func (s *Server) mirrorDetail(m *mirror.Sight) MirrorDetail {
	out := MirrorDetail{Mirror: s.newMirror(m), Streams: []MirroredStream{}}
	slices.SortStableFunc(m.Streams, func(a, b mirror.StreamSight) int { return cmp.Compare(urgency(a.State), urgency(b.State)) })
	for _, v := range m.Streams[:min(len(m.Streams), maxMirrored)] {
		row := MirroredStream{
			Path: v.Path, State: string(v.State), Error: textOrNull(v.Error), Position: v.Position, BehindMS: s.behind(&v), Bytes: v.Bytes,
			UpdatedAt: orNull(v.UpdatedAt),
		}
		if v.Behind >= 0 {
			row.Behind = &v.Behind
		}
		out.Streams = append(out.Streams, row)
	}
	return out
}

// urgency puts first what somebody has to look at.
func urgency(s mirror.State) int {
	switch s {
	case mirror.StateStopped, mirror.StateFailed:
		return 0
	case mirror.StateRetrying:
		return 1
	case mirror.StateCopying, mirror.StateWaiting:
		return 2
	}
	return 3
}
