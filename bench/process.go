package bench

import "time"

// usage is what a server's process took during a measurement; nil: not known.
type usage struct {
	cpu     *time.Duration
	peakRSS *int64
}

// meter watches a server's process during a measurement.
type meter struct {
	process *process
	cpu     *time.Duration
	peak    bool // the peak counts from here on
}

func (c *cell) startMeter() meter {
	p := c.server.process
	return meter{process: p, peak: p.resetPeak(), cpu: p.cpu()}
}

func (m meter) stop() (u usage) {
	if cpu := m.process.cpu(); cpu != nil && m.cpu != nil {
		took := *cpu - *m.cpu
		u.cpu = &took
	}
	if m.peak {
		u.peakRSS = m.process.peakRSS()
	}
	return u
}
