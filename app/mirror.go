package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tailrace/backend/inspect"
	"tailrace/backend/mirror"
)

// mirrorCommands are the commands about mirrors.
type mirrorCommands struct {
	Push   mirrorPush   `cmd:"" help:"Copy streams to another Durable Streams server, and go on."`
	Pull   mirrorPull   `cmd:"" help:"Copy streams from another Durable Streams server, and go on."`
	List   mirrorList   `cmd:"" help:"List mirrors, or the streams of one."`
	Pause  mirrorPause  `cmd:"" help:"Pause a mirror; its positions stay."`
	Resume mirrorResume `cmd:"" help:"Have a mirror go on, also with streams that it has stopped."`
	Remove mirrorRemove `cmd:"" help:"Forget a mirror; the copies stay."`
}

const mirrorStatusHelp = `

Exit status: 0 done, 1 failed or (with --once) not everything has arrived, 2 wrong usage, 5 there is no such mirror, or another one of that name.`

// mirrorStart are the arguments of push and pull.
type mirrorStart struct {
	folder     `embed:""`
	Glob       string `arg:"" help:"Path of a stream, or a glob such as 'chat/**'."`
	Remote     string `arg:"" help:"Stream root of the other server, such as https://host/v1/stream/, or a remote of the configuration."`
	Name       string `help:"Name of the mirror (default made of direction, glob and host)."`
	TokenEnv   string `placeholder:"VAR" help:"Variable that holds the bearer token for the remote."`
	HeaderFile string `placeholder:"FILE" help:"File with headers for the remote, one a line, such as Authorization: Bearer …"`
	Insecure   bool   `help:"Allow plain HTTP to another machine."`
	Once       bool   `help:"End when everything that is there has arrived."`
	Detach     bool   `help:"Leave it to the running server and return."`
}

type mirrorPush struct {
	mirrorStart `embed:""`
}

func (mirrorPush) Help() string {
	return `Works on the running server, which carries on when this command ends, and after a restart; or on the data folder of a stopped one, until interrupted. Every message arrives exactly once, whatever crashes. The same command goes on where it ended.

Examples:

    tailrace mirror push 'chat/**' https://streams.example.com/v1/stream/ --token-env TOKEN
    tailrace mirror push orders http://127.0.0.1:8787/v1/stream/ --once` + mirrorStatusHelp
}

func (c *mirrorPush) Run(inv *invocation) error { return c.run(inv, "push") }

type mirrorPull struct {
	mirrorStart `embed:""`
}

func (mirrorPull) Help() string {
	return `Works on the running server, which carries on when this command ends, and after a restart; or on the data folder of a stopped one, until interrupted. A glob needs a remote that lists its streams, as Tailrace does; on others, name one stream.

Examples:

    tailrace mirror pull orders/42 https://streams.example.com/v1/stream/ --once --header-file ~/prod.headers
    tailrace mirror pull 'chat/**' prod` + mirrorStatusHelp
}

func (c *mirrorPull) Run(inv *invocation) error { return c.run(inv, "pull") }

func (c *mirrorStart) run(inv *invocation, direction string) error {
	in := inspect.NewMirror{
		Name: c.Name, Direction: direction, Glob: c.Glob, Remote: c.Remote, TokenEnv: c.TokenEnv, Insecure: c.Insecure, Once: c.Once,
	}
	if mirror.IsName(c.Remote) && (c.TokenEnv != "" || c.HeaderFile != "" || c.Insecure) {
		return &usageError{fmt.Errorf("%q is a remote of the configuration: its token stands there. An address begins with https://", c.Remote)}
	}
	if c.TokenEnv != "" {
		// The server may not have it: it is told, and keeps it in memory.
		if in.Token = inv.env(c.TokenEnv); in.Token == "" {
			return &usageError{fmt.Errorf("the variable %s is not set", c.TokenEnv)}
		}
	}
	if c.HeaderFile != "" {
		var err error
		if in.HeaderFile, err = filepath.Abs(c.HeaderFile); err != nil {
			return err
		}
	}
	return inv.with(&c.folder, makesLog, func(a *api) error {
		if c.Detach && a.offline {
			return &usageError{errors.New("no server runs on the data folder that the mirror could be left to: start one with `tailrace serve`, or leave out --detach")}
		}
		var m inspect.Mirror
		if err := a.call(http.MethodPost, "/api/mirrors", in, &m); err != nil {
			return err
		}
		if c.Detach {
			return inv.print(c.JSON, m, "The server runs the mirror "+m.Name+".")
		}
		return c.follow(a, &m)
	})
}

// followEvery is how often a mirror that is followed is looked at.
const followEvery = 250 * time.Millisecond

// follow shows how a mirror gets on until it ends or the command is interrupted.
func (c *mirrorStart) follow(a *api, m *inspect.Mirror) error {
	inv, terminal := a.inv, isTerminal(a.inv.stderr)
	if !c.Once && !c.JSON {
		fmt.Fprintf(inv.stdout, "Mirror %s: %s\n", m.Name, mirrorLine(m))
	}
	var last string
	for {
		if c.JSON && !c.Once {
			if line, err := json.Marshal(m); err == nil && string(line) != last {
				last = string(line)
				fmt.Fprintln(inv.stdout, last)
			}
		}
		if terminal {
			fmt.Fprintf(inv.stderr, "\r\x1b[K%s: %s", m.Name, mirrorLine(m))
		}
		if m.State != "running" || c.Once && m.Once != nil && *m.Once != "running" {
			break
		}
		select {
		case <-time.After(followEvery):
		case <-inv.ctx.Done():
		}
		err := a.call(http.MethodGet, "/api/mirrors/"+url.PathEscape(m.Name), nil, &struct{ Mirror *inspect.Mirror }{m})
		if inv.ctx.Err() != nil {
			return c.interrupted(a, m)
		}
		if err != nil {
			return err
		}
	}
	if terminal {
		fmt.Fprint(inv.stderr, "\r\x1b[K")
	}
	var d inspect.MirrorDetail
	if err := a.call(http.MethodGet, "/api/mirrors/"+url.PathEscape(m.Name), nil, &d); err != nil {
		return err
	}
	return c.result(inv, &d)
}

func (c *mirrorStart) interrupted(a *api, m *inspect.Mirror) error {
	switch {
	case c.Once && a.offline:
		return errors.New("interrupted; the same command goes on where this one ended")
	case c.JSON:
	case a.offline:
		fmt.Fprintf(a.inv.stdout, "Stopped. The next server on this data folder goes on with %s.\n", m.Name)
	default:
		fmt.Fprintf(a.inv.stdout, "The server goes on with %s; `tailrace mirror pause %s` pauses it.\n", m.Name, m.Name)
	}
	return nil
}

// result tells how a mirror has ended.
func (c *mirrorStart) result(inv *invocation, d *inspect.MirrorDetail) error {
	m := &d.Mirror
	text := fmt.Sprintf("Mirror %s: %s", m.Name, mirrorLine(m))
	if c.Once && m.Once != nil && *m.Once == "complete" {
		return inv.print(c.JSON, d, text+"\nEverything has arrived.")
	}
	if c.JSON && c.Once {
		if err := inv.print(true, d, ""); err != nil {
			return err
		}
	}
	switch {
	case m.Error != nil:
		return fmt.Errorf("mirror %s: %s", m.Name, *m.Error)
	case !c.Once:
		return fmt.Errorf("mirror %s is %s", m.Name, m.State)
	}
	var missing []string
	for _, s := range d.Streams {
		if s.State != "live" && s.State != "closed" && s.State != "source_deleted" {
			line := s.Path + ": " + s.State
			if s.Error != nil {
				line += ": " + *s.Error
			}
			missing = append(missing, line)
		}
	}
	return fmt.Errorf("mirror %s: not everything has arrived\n  %s", m.Name, strings.Join(missing, "\n  "))
}

// mirrorLine is a mirror for people, on one line.
func mirrorLine(m *inspect.Mirror) string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{
		{m.States.Copying, "copying"},
		{m.States.Live, "up to date"},
		{m.States.Closed, "complete"},
		{m.States.SourceDeleted, "kept of deleted sources"},
		{m.States.Waiting, "waiting"},
		{m.States.Retrying, "trying again"},
		{m.States.Failed + m.States.Stopped, "stopped"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	line := strings.Join(parts, ", ")
	if line == "" {
		line = "no streams yet"
	}
	line = fmt.Sprintf("%s, %s; %s", m.State, line, sizeText(m.Bytes))
	if m.BehindMS >= 1000 {
		line += fmt.Sprintf(", %s behind", (time.Duration(m.BehindMS) * time.Millisecond).Truncate(time.Second))
	}
	if m.Error != nil {
		line += "; " + *m.Error
	}
	return line
}

type mirrorList struct {
	folder `embed:""`
	Name   string `arg:"" optional:"" help:"A mirror; without it all are listed."`
}

func (mirrorList) Help() string {
	return `Examples:

    tailrace mirror list
    tailrace mirror list chat --json` + mirrorStatusHelp
}

func (c *mirrorList) Run(inv *invocation) error {
	return inv.with(&c.folder, needsLog, func(a *api) error {
		if c.Name != "" {
			return c.one(a)
		}
		var out struct {
			Mirrors []inspect.Mirror `json:"mirrors"`
		}
		if err := a.call(http.MethodGet, "/api/mirrors", nil, &out); err != nil {
			return err
		}
		return inv.print(c.JSON, out, table(func(w *tabwriter.Writer) {
			for i := range out.Mirrors {
				m := &out.Mirrors[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.Direction, m.Glob, m.Remote, mirrorLine(m))
			}
		}))
	})
}

func (c *mirrorList) one(a *api) error {
	var d inspect.MirrorDetail
	if err := a.call(http.MethodGet, "/api/mirrors/"+url.PathEscape(c.Name), nil, &d); err != nil {
		return err
	}
	return a.inv.print(c.JSON, d, fmt.Sprintf("%s: %s %s %s\n%s\n", d.Mirror.Name, d.Mirror.Direction, d.Mirror.Glob, d.Mirror.URL, mirrorLine(&d.Mirror))+
		table(func(w *tabwriter.Writer) {
			for _, s := range d.Streams {
				reason := ""
				if s.Error != nil {
					reason = *s.Error
				}
				behind := ""
				if s.Behind != nil && *s.Behind > 0 {
					behind = fmt.Sprintf("%d behind", *s.Behind)
				}
				fmt.Fprintf(w, "%s\t%s\tat %d\t%s\t%s\t%s\n", s.Path, s.State, s.Position, behind, sizeText(s.Bytes), reason)
			}
		}))
}

// mirrorName are the arguments of commands about one mirror.
type mirrorName struct {
	folder `embed:""`
	Name   string `arg:"" help:"The mirror."`
}

// do makes a call about the mirror and says what it has done.
func (c *mirrorName) do(inv *invocation, method, action, done string) error {
	return inv.with(&c.folder, needsLog, func(a *api) error {
		if err := a.call(method, "/api/mirrors/"+url.PathEscape(c.Name)+action, nil, nil); err != nil {
			return err
		}
		return inv.print(c.JSON, map[string]string{"mirror": c.Name, "done": strings.Fields(done)[0]}, fmt.Sprintf("Mirror %s: %s", c.Name, done))
	})
}

type mirrorPause struct {
	mirrorName `embed:""`
}

func (c *mirrorPause) Run(inv *invocation) error {
	return c.do(inv, http.MethodPost, "/pause", "paused; its positions stay.")
}

type mirrorResume struct {
	mirrorName `embed:""`
}

func (mirrorResume) Help() string {
	return `A stream is stopped when going on could mix two streams or lose something: when the copy was deleted or written to by somebody else, or the source was made anew. Resuming looks once more. Where the copy is gone, it is made anew from the start.

Examples:

    tailrace mirror resume chat` + mirrorStatusHelp
}

func (c *mirrorResume) Run(inv *invocation) error {
	return c.do(inv, http.MethodPost, "/resume", "resumed.")
}

type mirrorRemove struct {
	mirrorName `embed:""`
}

func (c *mirrorRemove) Run(inv *invocation) error {
	return c.do(inv, http.MethodDelete, "", "removed; the copies stay.")
}
