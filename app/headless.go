//go:build !desktop

package app

import (
	"fmt"

	"tailrace/backend/config"
)

const buildKind = "headless"

// window serves: this build has none to open.
func (inv *invocation) window(c config.Config, readyFile string) error {
	fmt.Fprintln(inv.stderr, "tailrace: this build has no window; serving without one (tailrace serve)")
	return inv.serve(c, serving{readyFile: readyFile})
}
