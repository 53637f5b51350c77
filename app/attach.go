//go:build desktop

package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tailrace/backend"
)

// A server that goes away may just be starting again, as services do: a window
// that belongs to it waits for that long before it says so.
const (
	returnPatience = 15 * time.Second
	returnRetry    = 250 * time.Millisecond
)

// attach makes the window that of a server in another process, which holds the
// data folder. Closing the window leaves that server alone.
func (d *desktop) attach(run backend.RunFile) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attached, d.failure = &run, nil
}

// followAttached raises the window when the server asks for that, until the
// window is closed or the server has gone for good.
func (d *desktop) followAttached(run backend.RunFile) {
	ctx, cancel := context.WithCancel(d.inv.ctx)
	defer cancel()
	go func() {
		select {
		case <-d.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		err := d.stayAttached(ctx, run)
		if ctx.Err() != nil {
			return
		}
		d.log.Info("the server of this window went away", "error", err)
		next, back := d.awaitReturn(ctx)
		if !back {
			break
		}
		d.attach(next)
		if next.InspectorURL != run.InspectorURL { // else its page finds it by itself
			d.reload()
		}
		run = next
	}
	if ctx.Err() != nil {
		return
	}
	d.mu.Lock()
	d.attached = nil
	d.mu.Unlock()
	err := fmt.Errorf("the server on the data folder %s, which this window belonged to, has stopped", d.config.DataDir)
	d.log.Error("the window says why it is empty", "err", err)
	d.fail(err)
	d.reload()
}

// stayAttached returns when the server does not answer any more, and why.
func (d *desktop) stayAttached(ctx context.Context, run backend.RunFile) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, run.InspectorURL+"/api/window", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+run.Token)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", res.Status)
	}
	var asked sync.WaitGroup
	defer asked.Wait()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		if verb == "show" {
			d.show()
			continue
		}
		if id, quoted, ok := strings.Cut(rest, " "); ok {
			asked.Go(func() { d.answer(ctx, run, verb, id, quoted) })
		}
	}
	return errors.Join(lines.Err(), errors.New("the connection ended"))
}

// answer does what the server asks of its window, and tells it what came of it.
func (d *desktop) answer(ctx context.Context, run backend.RunFile, verb, id, quoted string) {
	about, err := strconv.Unquote(quoted)
	reply := struct {
		ID    string `json:"id"`
		Path  string `json:"path,omitempty"`
		Error string `json:"error,omitempty"`
	}{ID: id}
	switch {
	case err != nil:
	case verb == "save":
		reply.Path, err = nativeWindow{d}.ChooseFile(ctx, about)
	case verb == "reveal":
		err = nativeWindow{d}.Reveal(ctx, about)
	default:
		err = fmt.Errorf("this window cannot %s", verb)
	}
	if err != nil {
		reply.Error = err.Error()
	}
	if err := ask(ctx, run, "/api/window/answers", reply, nil); err != nil {
		d.log.Warn("the server does not take the answer of its window", "error", err)
	}
}

// awaitReturn waits until a server answers on the data folder again.
func (d *desktop) awaitReturn(ctx context.Context) (backend.RunFile, bool) {
	ctx, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	tick := time.NewTicker(returnRetry)
	defer tick.Stop()
	for {
		if run, err := backend.ReadRunFile(d.config.DataDir); err == nil {
			if _, err := askLink(ctx, run); err == nil {
				return run, true
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return backend.RunFile{}, false
		}
	}
}
