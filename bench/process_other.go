//go:build !linux

package bench

import "time"

// process is a process of this machine. What it takes is only known on Linux.
type process struct{}

func findProcess(string) *process { return nil }

func (*process) id() int             { return 0 }
func (*process) cpu() *time.Duration { return nil }
func (*process) resetPeak() bool     { return false }
func (*process) peakRSS() *int64     { return nil }
func (*process) rss() *int64         { return nil }
