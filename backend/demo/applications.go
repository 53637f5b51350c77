package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	syncPath      = "demo/sync/todos"
	telemetryPath = "demo/telemetry/node-1"
	jobPath       = "demo/jobs/build-%d"
	firstJob      = 381
	jobs          = 12 // names of jobs; then the first is used again
)

var (
	applications  = []func(context.Context, *client) error{chat, fork, orders, zombie, fulfilment, syncFeed, builds, telemetry}
	subscriptions = []string{workerSub, mailerSub}
)

// Streams are the paths of all streams that the demonstration may have written,
// forks before their sources.
func Streams() []string {
	paths := []string{forkPath, chatPath, ordersPath, fencedPath, wakesPath, syncPath, telemetryPath}
	for n := range jobs {
		paths = append(paths, fmt.Sprintf(jobPath, firstJob+n))
	}
	return paths
}

// together runs the parts of an application until one fails, and then ends the
// others.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, part := range parts {
		running.Go(func() { cancel(part(ctx)) })
	}
	running.Wait()
	return context.Cause(ctx)
}

// syncFeed is the feed of changes that an application keeps its copies up to date
// with: two browsers and a laptop that wait for what comes next.
func syncFeed(ctx context.Context, c *client) error {
	u := c.as("demo-sync-server/5.0")
	if err := u.create(ctx, syncPath, typeJSON, nil); err != nil {
		return err
	}
	parts := []func(context.Context) error{func(ctx context.Context) error {
		titles := []string{"Buy milk", "Call the plumber", "Write the report", "Water the plants", "Book the train"}
		for n := 0; pause(ctx, 900*time.Millisecond); n++ {
			change := map[string]any{
				"type": "todo", "key": fmt.Sprintf("todo-%d", n%len(titles)),
				"value":   map[string]any{"title": titles[n%len(titles)], "done": n/len(titles)%2 == 1, "rev": n},
				"headers": map[string]any{"operation": "update", "txid": 7300 + n},
			}
			if err := u.append(ctx, syncPath, typeJSON, text(change)); err != nil {
				return err
			}
		}
		return nil
	}}
	for _, agent := range []string{"demo-todo-app/2.0 (tab 1)", "demo-todo-app/2.0 (tab 2)", "demo-todo-laptop/2.0"} {
		parts = append(parts, func(ctx context.Context) error {
			return c.as(agent).poll(ctx, syncPath, func() error { return nil })
		})
	}
	return together(ctx, parts...)
}

// builds runs one job after the other. Each writes its output into a stream of its
// own, which is closed at the end and lives for an hour after it was last used.
func builds(ctx context.Context, c *client) error {
	u := c.as("demo-runner/0.4")
	steps := []string{"checkout", "npm ci", "lint", "unit tests", "build", "package", "upload"}
	for n := 0; ctx.Err() == nil; n++ {
		path := fmt.Sprintf(jobPath, firstJob+n%jobs)
		if _, err := u.do(ctx, http.MethodDelete, path, nil, ""); err != nil {
			return err
		}
		if err := u.create(ctx, path, typeText, map[string]string{"Stream-TTL": "3600"}); err != nil {
			return err
		}
		for i, step := range steps {
			for k := range 12 {
				if !pause(ctx, 250*time.Millisecond) {
					return nil
				}
				line := fmt.Sprintf("[%d/%d] %s: %d%%\n", i+1, len(steps), step, (k+1)*100/12)
				if err := u.append(ctx, path, typeText, line); err != nil {
					return err
				}
			}
		}
		res, err := u.do(ctx, http.MethodPost, path, map[string]string{"User-Agent": u.agent, "Content-Type": typeText, "Stream-Closed": "true"}, "done, exit status 0\n")
		if err != nil {
			return err
		}
		if res.status/100 != 2 {
			return res.refusal()
		}
	}
	return nil
}

// telemetry writes more than one of its readers takes.
func telemetry(ctx context.Context, c *client) error {
	const piece = 4 << 10
	u := c.as("demo-agent/7.3")
	if err := u.create(ctx, telemetryPath, typeText, map[string]string{"Stream-TTL": "3600"}); err != nil {
		return err
	}
	// What the kernel holds for a reader hides how slow it is.
	dialer := net.Dialer{}
	thin := *c
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(piece) // as large as it may be, then
		}
		return conn, err
	}}
	thin.http = &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	return together(ctx,
		func(ctx context.Context) error {
			return thin.as("demo-dashboard/1.0 (slow)").follow(ctx, telemetryPath, "now", 16<<10)
		},
		func(ctx context.Context) error {
			return c.as("demo-dashboard/1.0").follow(ctx, telemetryPath, "now", 0)
		},
		func(ctx context.Context) error {
			for n := 0; pause(ctx, 200*time.Millisecond); n++ {
				if err := u.append(ctx, telemetryPath, typeText, lines(n*80, piece)); err != nil {
					return err
				}
			}
			return nil
		})
}
