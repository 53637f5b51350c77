package app

import "fmt"

// webhookKeyCommands are the commands about the key that signs webhooks.
type webhookKeyCommands struct {
	Rotate rotateKeyCommand `cmd:"" help:"Make a new signing key and retire the one in use."`
}

type rotateKeyCommand struct {
	folderFlags `embed:""`
}

func (rotateKeyCommand) Help() string {
	return `The running server signs webhooks with the new key from now on. The old one signs nothing any more; its public half stays published for ten minutes, so that receivers can check what is under way.

Example:

    tailrace webhook-key rotate`
}

func (c *rotateKeyCommand) Run(inv *invocation) error {
	dir, run, err := c.server(inv)
	if err != nil {
		return err
	}
	var key struct {
		KID string `json:"kid"`
	}
	if err := ask(inv.ctx, run, "/api/webhook-keys", nil, &key); err != nil {
		return fmt.Errorf("ask the server on %s for a new key: %w", dir, err)
	}
	fmt.Fprintf(inv.stdout, "Webhooks are signed with %s from now on.\n", key.KID)
	return nil
}
