package demo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	chatPath = "demo/chat/support"
	forkPath = "demo/chat/support-retry"

	// tokenPause is how fast the assistant speaks.
	tokenPause = 60 * time.Millisecond
)

// talk is what is said in the chat: a question and its answer.
var talk = [][2]string{
	{"Where does my order 4812 hang?", "It left the warehouse in Leipzig this morning and is on its way. You should have it by Thursday; I can send you the tracking link."},
	{"Can I still change the address?", "Not any more for this parcel, it is with the carrier. You can redirect it to a pick-up point near you, though, and that costs nothing."},
	{"And what if I am not there?", "The driver tries twice and leaves a card. After that it waits for seven days at the post office on Market Street."},
	{"Thanks! Do I get an invoice?", "Yes, it is in your account under Orders, and I have just sent a copy by mail, with the tax number that you gave us in March."},
}

// chat is an assistant whose answers are streamed token by token, with two
// browsers that show them.
func chat(ctx context.Context, c *client) error {
	web, assistant := c.as("demo-chat-web/1.4"), c.as("demo-assistant/0.9")
	if err := web.create(ctx, chatPath, typeJSON, nil); err != nil {
		return err
	}
	return together(ctx,
		func(ctx context.Context) error { return web.follow(ctx, chatPath, "-1", 0) },
		func(ctx context.Context) error { return c.as("demo-chat-phone/2.1").follow(ctx, chatPath, "now", 0) },
		func(ctx context.Context) error {
			p, err := assistant.produce(ctx, chatPath, typeJSON, "assistant", text(map[string]any{"type": "session.start", "model": "demo-1"}))
			if err != nil {
				return err
			}
			for turn := 0; ; turn++ {
				said := talk[turn%len(talk)]
				question := map[string]any{"type": "message", "turn": turn, "role": "user", "text": said[0]}
				if err := web.append(ctx, chatPath, typeJSON, text(question)); err != nil {
					return err
				}
				if !pause(ctx, 700*time.Millisecond) {
					return nil
				}
				if err := answer(ctx, p, turn, said[1]); err != nil {
					return err
				}
				if !pause(ctx, 2*time.Second) {
					return nil
				}
			}
		})
}

// answer streams one answer.
func answer(ctx context.Context, p *producer, turn int, said string) error {
	tokens := strings.SplitAfter(said, " ")
	if err := p.write(ctx, text(map[string]any{"type": "turn.start", "turn": turn, "role": "assistant"})); err != nil {
		return err
	}
	for i, token := range tokens {
		if !pause(ctx, tokenPause) {
			return nil
		}
		if err := p.write(ctx, text(map[string]any{"type": "delta", "turn": turn, "i": i, "text": token})); err != nil {
			return err
		}
	}
	return p.write(ctx, text(map[string]any{"type": "turn.end", "turn": turn, "tokens": len(tokens), "finish": "stop"}))
}

// fork asks the assistant once more, from before its first answer: the fork shares
// what was said until then.
func fork(ctx context.Context, c *client) error {
	u := c.as("demo-assistant/0.9")
	if err := waitFor(ctx, u, chatPath); err != nil {
		return err
	}
	header := map[string]string{"Stream-Forked-From": "/v1/stream/" + chatPath}
	if err := u.create(ctx, forkPath, typeJSON, header); err != nil {
		return err
	}
	p, err := u.produce(ctx, forkPath, typeJSON, "assistant-retry", text(map[string]any{"type": "retry", "model": "demo-2"}))
	if err != nil {
		return err
	}
	for turn := 0; ; turn++ {
		if err := answer(ctx, p, turn, fmt.Sprintf("Take %d: %s", turn+1, talk[turn%len(talk)][1])); err != nil {
			return err
		}
		if !pause(ctx, 5*time.Second) {
			return nil
		}
	}
}
