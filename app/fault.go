package app

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"tailrace/backend/inspect"
)

// faultCommands are the commands about faults.
type faultCommands struct {
	Arm    faultArm    `cmd:"" help:"Let requests go wrong for a while."`
	List   faultList   `cmd:"" help:"List what is armed, and how often it has happened."`
	Disarm faultDisarm `cmd:"" help:"End faults before their time."`
}

type faultArm struct {
	folder      `embed:""`
	Kind        string        `arg:"" enum:"status,delay,drop-before,drop-after,cut,timeout,kill" help:"One of ${enum}."`
	Streams     string        `placeholder:"GLOB" help:"Path of a stream, or a glob; without it all of them."`
	Method      []string      `placeholder:"METHOD" help:"GET, HEAD, POST, PUT or DELETE; may be repeated. Without it all of them."`
	Status      int           `placeholder:"NUMBER" help:"Of the answer, between 400 and 599 (status)."`
	RetryAfter  time.Duration `placeholder:"DURATION" help:"Retry-After of the answer, such as 2s (status)."`
	After       time.Duration `placeholder:"DURATION" help:"How long to wait, such as 500ms (delay, timeout, kill)."`
	Jitter      time.Duration `placeholder:"DURATION" help:"Up to this much is added to it at random."`
	Bytes       int64         `placeholder:"NUMBER" help:"How much of the body passes (cut)."`
	Probability *float64      `placeholder:"NUMBER" help:"Share of the requests that it strikes, above 0, 1 at most; without it all."`
	Count       *int64        `placeholder:"NUMBER" help:"How often in all; without it as often as it is met."`
	For         time.Duration `default:"5m" help:"How long it is armed, an hour at most (default ${default})."`
}

func (faultArm) Help() string {
	return `The first armed fault that fits a request strikes. It ends by itself, and with the server. Nothing can be armed on a server that others than this machine can reach.

    status       an answer with a status; nothing is done
    delay        a wait before the request is looked at
    drop-before  the connection is closed; nothing is done
    drop-after   what is asked is done, then the connection is closed without an answer
    cut          the connection is closed in the middle of the body, or of an event
    timeout      the wait of a long-poll or SSE response ends early
    kill         the connection is closed after a while, live reads too

Examples:

    tailrace fault arm status --status 503 --retry-after 2s --probability 0.2
    tailrace fault arm drop-after --streams "orders/**" --method POST --count 1
    tailrace fault arm kill --after 3s --jitter 2s --for 10m --json`
}

func (c *faultArm) Run(inv *invocation) error {
	switch {
	case c.Probability != nil && *c.Probability <= 0:
		return &usageError{fmt.Errorf("--probability %v: above 0, 1 at most", *c.Probability)}
	case c.Count != nil && *c.Count < 1:
		return &usageError{fmt.Errorf("--count %d: 1 or more", *c.Count)}
	case c.For <= 0:
		return &usageError{fmt.Errorf("--for %v: more than nothing, an hour at most", c.For)}
	}
	return inv.withServer(&c.folder, func(a *api) error {
		in := inspect.FaultSpec{
			Kind: c.Kind, Streams: c.Streams, Methods: c.Method, Status: c.Status, RetryAfter: int(seconds(c.RetryAfter)),
			AfterMS: c.After.Milliseconds(), JitterMS: c.Jitter.Milliseconds(), Bytes: c.Bytes,
			Seconds: seconds(c.For),
		}
		if c.Probability != nil {
			in.Probability = *c.Probability
		}
		if c.Count != nil {
			in.Count = *c.Count
		}
		var armed inspect.Fault
		if err := a.call(http.MethodPost, "/api/faults", in, &armed); err != nil {
			return err
		}
		return inv.print(c.JSON, armed, fmt.Sprintf("Armed %d until %s: %s.", armed.ID, dayText(armed.Ends), scope(&armed)))
	})
}

// seconds rounds up: to the API none are no Retry-After, and five minutes.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// scope says what a fault does, and to what.
func scope(f *inspect.Fault) string {
	methods, streams := "every method", "every stream"
	if len(f.Methods) > 0 {
		methods = strings.Join(f.Methods, ", ")
	}
	if f.Streams != "" {
		streams = f.Streams
	}
	return fmt.Sprintf("%s, %s of %s", f.Words, methods, streams)
}

func timesText(n int64) string {
	if n == 1 {
		return "1 time"
	}
	return fmt.Sprintf("%d times", n)
}

type faultList struct {
	folder `embed:""`
}

func (c *faultList) Run(inv *invocation) error {
	return inv.withServer(&c.folder, func(a *api) error {
		var out struct {
			Faults []inspect.Fault `json:"faults"`
		}
		if err := a.call(http.MethodGet, "/api/faults", nil, &out); err != nil {
			return err
		}
		return inv.print(c.JSON, out, table(func(w *tabwriter.Writer) {
			for i := range out.Faults {
				f := &out.Faults[i]
				fmt.Fprintf(w, "%d\t%s\thappened %s\tuntil %s\n", f.ID, scope(f), timesText(f.Hits), dayText(f.Ends))
			}
		}))
	})
}

type faultDisarm struct {
	folder `embed:""`
	ID     []int64 `arg:"" optional:"" help:"Numbers of faults, as fault list tells them."`
	All    bool    `help:"All that are armed."`
}

func (c *faultDisarm) Run(inv *invocation) error {
	if c.All == (len(c.ID) > 0) {
		return &usageError{errors.New("say which: either numbers of faults or --all")}
	}
	return inv.withServer(&c.folder, func(a *api) error {
		paths := []string{"/api/faults"}
		if !c.All {
			paths = nil
			for _, id := range c.ID {
				paths = append(paths, fmt.Sprint("/api/faults/", id))
			}
		}
		for _, path := range paths {
			if err := a.call(http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
		}
		return inv.print(c.JSON, map[string]any{"disarmed": true}, "Disarmed.")
	})
}

// withServer is with for what only a running server can do.
func (inv *invocation) withServer(f *folder, do func(*api) error) error {
	if _, _, err := f.server(inv); err != nil {
		return err
	}
	return inv.with(f, needsLog, do)
}
