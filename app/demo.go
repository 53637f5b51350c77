package app

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"tailrace/backend/inspect"
)

type demoCommand struct {
	folder `embed:""`
	For    time.Duration `default:"10m" help:"How long the traffic goes on, from now; a day at most."`
	Stop   bool          `help:"End the traffic; what it wrote stays."`
	Remove bool          `help:"End the traffic and delete everything it wrote."`
}

func (demoCommand) Help() string {
	return `A chat that streams tokens, a shop's orders, a sync feed, jobs, a worker that is taken for dead and fenced off, readers that are too slow, a fork, and subscriptions. They use the running server through its HTTP interface, and write into streams below demo/ that belong to nobody else.

Examples:

    tailrace demo
    tailrace demo --for 1h
    tailrace demo --remove`
}

func (c *demoCommand) Run(inv *invocation) error {
	if c.Stop && c.Remove {
		return &usageError{errors.New("--remove stops the traffic, too: give one of the two")}
	}
	if c.For < time.Second || c.For > 24*time.Hour {
		return &usageError{fmt.Errorf("--for %v: between one second and one day", c.For)}
	}
	dir, _, err := c.server(inv)
	if err != nil {
		return err
	}
	return inv.with(&c.folder, needsLog, func(a *api) error {
		switch {
		case c.Remove:
			var out struct {
				Removed int `json:"removed"`
			}
			if err := a.call(http.MethodDelete, "/api/demo", nil, &out); err != nil {
				return err
			}
			return inv.print(c.JSON, out, fmt.Sprintf("Deleted %s of the demo traffic.", countText(int64(out.Removed), "stream")))
		case c.Stop:
			var out inspect.DemoState
			if err := a.call(http.MethodPost, "/api/demo/stop", nil, &out); err != nil {
				return err
			}
			return inv.print(c.JSON, out, fmt.Sprintf("The demo traffic has ended. %d streams stay; tailrace demo --remove deletes them.", out.Streams))
		}
		var out inspect.DemoState
		in := map[string]int{"seconds": int(c.For.Seconds())}
		if err := a.call(http.MethodPost, "/api/demo", in, &out); err != nil {
			return err
		}
		return inv.print(c.JSON, out, fmt.Sprintf("Demo traffic for %v on %s, in streams below demo/.\ntailrace demo --remove takes it away again.", c.For, dir))
	})
}
