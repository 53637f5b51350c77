package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Options of a run.
type Options struct {
	Servers   []Server
	Scenarios []string // nil: all
	Rounds    int
	Warmup    time.Duration
	Duration  time.Duration // measured, for each scenario on each server in each round
	// CatchupBytes is the size of the stream that catch-up reads.
	CatchupBytes int64
	// IdleReaders is how many readers the memory of one is computed from.
	IdleReaders int
	// Patience is how long live readers may lack messages after the last one.
	Patience time.Duration
	// NoOp is the address of a server made by ServeNoOp; "": without.
	NoOp string
	// DiskDir is a folder on the disk to compare with; "": without.
	DiskDir string
	// Progress is told of each measurement when it is done; nil: nobody is.
	Progress func(line string)
}

// limit is how long a measurement may take beside the measured time.
const limit = 10 * time.Minute

// NoOpName and DiskName are the columns of the references.
const (
	NoOpName = "no-op"
	DiskName = "disk"
)

// contender is what takes its turn in a round.
type contender struct {
	name    string
	measure func(ctx context.Context) (Sample, error)
}

// Run measures. The report is complete or there is none. Errors are
// *OptionError, *MismatchError, or what the network and the servers said.
func Run(ctx context.Context, o Options) (*Report, error) {
	chosen, servers, err := o.prepare()
	if err != nil {
		return nil, err
	}
	report := newReport(o, chosen, servers)
	for round := range o.Rounds {
		for i, s := range chosen {
			if s.fresh && round > 0 {
				continue
			}
			contenders := o.contenders(s, servers, report.Run, round)
			for k := range contenders {
				next := contenders[(k+round)%len(contenders)]
				settle(ctx, servers)
				sample, err := next.measure(ctx)
				if err != nil {
					return nil, fmt.Errorf("%s on %s, round %d: %w", s.name, next.name, round+1, err)
				}
				report.Scenarios[i].add(next.name, sample)
				o.progress("round %d/%d  %-18s %-14s %s", round+1, o.Rounds, s.name, next.name, s.line(sample))
			}
		}
	}
	report.finish()
	return report, nil
}

func (o *Options) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// OptionError is a choice that makes no sense.
type OptionError struct{ Problem string }

func (e *OptionError) Error() string { return e.Problem }

// prepare checks the options and reaches every server once.
func (o *Options) prepare() (chosen []scenario, servers []*server, err error) {
	chosen, unknown := choose(o.Scenarios)
	switch {
	case len(unknown) > 0:
		return nil, nil, &OptionError{fmt.Sprintf("there is no scenario %q", unknown[0])}
	case o.Rounds < 1:
		return nil, nil, &OptionError{"at least one round is needed"}
	case o.Duration <= 0 || o.Warmup < 0:
		return nil, nil, &OptionError{"the duration must be positive, and the warm-up not negative"}
	case o.Patience <= 0:
		return nil, nil, &OptionError{"the patience must be positive"}
	case o.CatchupBytes < 1 || o.IdleReaders < 1:
		return nil, nil, &OptionError{"catch-up needs a stream, and the memory of an idle reader at least one of them"}
	case len(o.Servers) == 0:
		return nil, nil, &OptionError{"no server is named"}
	}
	if o.DiskDir != "" {
		if info, err := os.Stat(o.DiskDir); err != nil || !info.IsDir() {
			return nil, nil, &OptionError{fmt.Sprintf("%s is no folder", o.DiskDir)}
		}
	}
	names := map[string]bool{DiskName: true, NoOpName: true}
	for _, named := range o.Servers {
		s, err := newServer(named)
		if err != nil {
			return nil, nil, &OptionError{err.Error()}
		}
		if names[s.Name] {
			return nil, nil, &OptionError{fmt.Sprintf("the name %s is taken: write NAME=URL with another one", s.Name)}
		}
		names[s.Name] = true
		servers = append(servers, s)
	}
	if o.NoOp != "" {
		s, err := newServer(Server{Name: NoOpName, URL: o.NoOp})
		if err != nil {
			return nil, nil, &OptionError{err.Error()}
		}
		s.noop = true
		servers = append(servers, s)
	}
	for _, s := range servers {
		s.process = findProcess(s.address())
	}
	return chosen, servers, nil
}

// contenders are all that take part in a scenario.
func (o *Options) contenders(s scenario, servers []*server, runID string, round int) (all []contender) {
	for _, server := range servers {
		if server.noop && !s.noop {
			continue
		}
		all = append(all, contender{server.Name, func(ctx context.Context) (Sample, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, o.Warmup+o.Duration+limit,
				fmt.Errorf("it was not done %v after the measured time", limit))
			defer cancel()
			c := &cell{
				options:   *o,
				server:    server,
				transport: newTransport(),
				prefix:    fmt.Sprintf("bench/%s/%d-%s-", runID, round+1, s.name),
			}
			sample, err := s.run(ctx, c)
			return sample, errors.Join(err, c.clean(ctx))
		}})
	}
	if o.DiskDir != "" && s.name == ScenarioAppendSeq {
		all = append(all, contender{DiskName, o.measureDisk})
	}
	return all
}

// newRunID makes a name that no other run has.
func newRunID() string {
	return time.Now().UTC().Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:6])
}

// settle waits until the servers of this machine are idle: what a measurement
// leaves behind, such as deletions, is not to meet the next one.
func settle(ctx context.Context, servers []*server) {
	const (
		step    = 100 * time.Millisecond
		longest = 5 * time.Second
		idle    = step / 10
	)
	busy := func() (total time.Duration, known bool) {
		for _, s := range servers {
			if cpu := s.process.cpu(); cpu != nil {
				total, known = total+*cpu, true
			}
		}
		return total, known
	}
	before, known := busy()
	if !known {
		return
	}
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); {
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return
		}
		now, _ := busy()
		if now-before <= idle {
			return
		}
		before = now
	}
}
