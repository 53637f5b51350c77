package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	ordersPath   = "demo/orders/eu"
	fencedPath   = "demo/orders/us"
	wakesPath    = "demo/wakes"
	workerSub    = "demo-fulfilment"
	mailerSub    = "demo-mailer"
	mailerTarget = "demo/mailer-that-is-down"
)

// order is one event in the life of an order.
func order(n int) string {
	items := []string{"kettle", "lamp", "notebook", "backpack", "headphones"}
	id := fmt.Sprintf("o-%d", 4800+n/3)
	switch n % 3 {
	case 0:
		return text(map[string]any{"type": "order.placed", "order": id, "item": items[n/3%len(items)], "quantity": 1 + n%4, "total": fmt.Sprintf("%d.%02d", 12+n*7%90, n*13%100), "currency": "EUR"})
	case 1:
		return text(map[string]any{"type": "order.paid", "order": id, "method": "card"})
	}
	return text(map[string]any{"type": "order.shipped", "order": id, "carrier": "postal"})
}

// orders is a shop that writes its orders, sometimes several at once, and now and
// then sends one twice because it did not hear the answer.
func orders(ctx context.Context, c *client) error {
	u := c.as("demo-checkout/3.2")
	if err := u.create(ctx, ordersPath, typeJSON, nil); err != nil {
		return err
	}
	p, err := u.produce(ctx, ordersPath, typeJSON, "checkout", order(0))
	if err != nil {
		return err
	}
	for n := 1; pause(ctx, 450*time.Millisecond); n++ {
		body := order(n)
		if n%7 == 0 {
			body = "[" + body + "," + order(n+1) + "," + order(n+2) + "]"
		}
		if err := p.write(ctx, body); err != nil {
			return err
		}
		if n%11 == 0 {
			if _, err := p.send(ctx, p.epoch, p.seq-1, body); err != nil {
				return err
			}
		}
	}
	return nil
}

// zombie is a worker that is taken for dead and replaced, but goes on writing
// under its old epoch: the server fences it off (PROTOCOL §5.2.1).
func zombie(ctx context.Context, c *client) error {
	if err := c.as("demo-worker/1.0").create(ctx, fencedPath, typeJSON, nil); err != nil {
		return err
	}
	alive, err := c.as("demo-worker/1.0 (host a)").produce(ctx, fencedPath, typeJSON, "worker-7", order(0))
	if err != nil {
		return err
	}
	var dead *producer
	hosts := []string{"b", "a"}
	for n := 1; pause(ctx, 800*time.Millisecond); n++ {
		if n%16 == 0 {
			dead = alive
			host := hosts[n/16%2]
			if alive, err = c.as("demo-worker/1.0 (host "+host+")").produce(ctx, fencedPath, typeJSON, "worker-7", order(n)); err != nil {
				return err
			}
		}
		if err := alive.write(ctx, order(n)); err != nil {
			return err
		}
		// The zombie gives up after a while; a lost message leaves a gap.
		if dead != nil && n%16 < 5 {
			if _, err := dead.send(ctx, dead.epoch, dead.seq, order(n)); err != nil {
				return err
			}
		}
		if n%16 == 12 {
			if _, err := alive.send(ctx, alive.epoch, alive.seq+2, order(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fulfilment is a worker that a subscription wakes through a stream, and a mailer
// whose webhook does not answer (PROTOCOL §7).
func fulfilment(ctx context.Context, c *client) error {
	u := c.as("demo-fulfilment/1.1")
	if err := u.create(ctx, wakesPath, typeJSON, nil); err != nil {
		return err
	}
	for _, path := range []string{ordersPath, fencedPath} {
		if err := waitFor(ctx, u, path); err != nil {
			return err
		}
	}
	if err := u.subscribe(ctx, workerSub, map[string]any{
		"type": "pull-wake", "pattern": "demo/orders/*", "wake_stream": wakesPath, "lease_ttl_ms": 15_000,
		"description": "Packs what was ordered. Part of the demo traffic.",
	}); err != nil {
		return err
	}
	if err := u.subscribe(ctx, mailerSub, map[string]any{
		"type": "webhook", "pattern": "demo/jobs/*", "webhook": map[string]any{"url": c.root + mailerTarget},
		"description": "Mails what became of a job, but is down. Part of the demo traffic.",
	}); err != nil {
		return err
	}
	defer u.unsubscribe(mailerSub) //nolint:contextcheck // ctx may have ended
	return u.poll(ctx, wakesPath, func() error { return u.work(ctx) })
}

// work claims the wake, packs for a while and acks everything.
func (u *user) work(ctx context.Context) error {
	res, err := u.control(ctx, http.MethodPost, workerSub+"/claim", "", map[string]any{"worker": "packer-1"})
	if err != nil || res.status != http.StatusOK {
		return err // nothing pending any more
	}
	var wake struct {
		ID         string `json:"wake_id"`
		Generation int64  `json:"generation"`
		Token      string `json:"token"`
		Streams    []struct {
			Path string `json:"path"`
			Tail string `json:"tail_offset"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(res.body, &wake); err != nil {
		return err
	}
	if !pause(ctx, 4*time.Second) {
		return nil
	}
	acks := []map[string]any{}
	for _, s := range wake.Streams {
		acks = append(acks, map[string]any{"stream": s.Path, "offset": s.Tail})
	}
	_, err = u.control(ctx, http.MethodPost, workerSub+"/ack", wake.Token, map[string]any{
		"wake_id": wake.ID, "generation": wake.Generation, "acks": acks, "done": true,
	})
	return err
}

func (u *user) subscribe(ctx context.Context, id string, body map[string]any) error {
	res, err := u.control(ctx, http.MethodPut, id, "", body)
	if err == nil && res.status/100 != 2 {
		err = res.refusal()
	}
	return err
}

// unsubscribe takes a subscription away although the traffic has ended.
func (u *user) unsubscribe(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_, _ = u.control(ctx, http.MethodDelete, id, "", nil) // Remove does it again
}

// control calls the subscription API; token is that of a wake.
func (u *user) control(ctx context.Context, method, rest, token string, body map[string]any) (*response, error) {
	header := map[string]string{"User-Agent": u.agent, "Content-Type": typeJSON}
	if token != "" {
		header["Authorization"] = "Bearer " + token
	}
	return u.do(ctx, method, "__ds/subscriptions/"+rest, header, text(body))
}

// waitFor waits until another application has made a stream.
func waitFor(ctx context.Context, u *user, path string) error {
	for {
		res, err := u.do(ctx, http.MethodHead, path, map[string]string{"User-Agent": u.agent}, "")
		if err != nil || res.status == http.StatusOK {
			return err
		}
		if !pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// lines is a piece of a log of about so many bytes.
func lines(from, bytes int) string {
	var b strings.Builder
	for n := from; b.Len() < bytes; n++ {
		fmt.Fprintf(&b, "t=%06d cpu=%02d%% mem=%04dMB gc=%dus queue=%d\n", n, n*37%100, 512+n*11%256, 80+n*7%60, n*3%9)
	}
	return b.String()
}
