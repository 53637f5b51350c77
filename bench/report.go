package bench

import (
	"runtime"
	"time"
)

// Report is what a run has found out. Times are in microseconds, sizes in bytes.
type Report struct {
	Run       string         `json:"run"`
	Started   time.Time      `json:"started"`
	Machine   Machine        `json:"machine"`
	Rounds    int            `json:"rounds"`
	Warmup    float64        `json:"warmup_seconds"`
	Duration  float64        `json:"duration_seconds"`
	Servers   []ReportServer `json:"servers"`
	Scenarios []*Measured    `json:"scenarios"`
}

// Machine is where the client ran.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu,omitempty"`
	Memory int64  `json:"memory_bytes,omitempty"`
	Kernel string `json:"kernel,omitempty"`
	Go     string `json:"go"`
}

// ReportServer is a column of the report.
type ReportServer struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	PID  int    `json:"pid,omitempty"` // 0: its process is not to be seen
}

// Measured is a scenario with the results of all that took part.
type Measured struct {
	Name    string    `json:"name"`
	Help    string    `json:"help"`
	Unit    string    `json:"unit"`
	Figure  figure    `json:"figure"` // the field that Ratio compares
	Results []*Result `json:"results"`
}

// Result is one server in one scenario. The figures outside Rounds are medians.
type Result struct {
	Server string `json:"server"`
	// Ratio is how many times as good the first server is: the median over the
	// rounds, each compared within itself. nil: there is nothing to compare.
	Ratio *float64 `json:"ratio"`
	Sample
	Rounds []Sample `json:"rounds"`
}

// Sample is what one measurement gave.
type Sample struct {
	Operations int     `json:"operations"`
	Seconds    float64 `json:"seconds"`
	Rate       float64 `json:"rate"` // in the scenario's unit
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	// CPU is what the server computed for one operation, PeakRSS the most memory
	// it had; nil: not known.
	CPU     *float64 `json:"server_cpu_us,omitempty"`
	PeakRSS *int64   `json:"server_peak_rss_bytes,omitempty"`
	// PerReader is the memory of the server for one idle reader.
	PerReader *float64 `json:"bytes_per_reader,omitempty"`
	// Posts is how many appends were made in a second to fan out.
	Posts float64 `json:"posts_per_second,omitempty"`
}

func newReport(o Options, chosen []scenario, servers []*server) *Report {
	r := &Report{
		Run: newRunID(), Started: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(),
		Rounds: o.Rounds, Warmup: o.Warmup.Seconds(), Duration: o.Duration.Seconds(),
	}
	for _, s := range servers {
		r.Servers = append(r.Servers, ReportServer{Name: s.Name, URL: s.URL, PID: s.process.id()})
	}
	for _, s := range chosen {
		m := &Measured{Name: s.name, Help: s.help, Unit: s.unit, Figure: s.figure}
		for _, c := range o.contenders(s, servers, "", 0) {
			m.Results = append(m.Results, &Result{Server: c.name})
		}
		r.Scenarios = append(r.Scenarios, m)
	}
	return r
}

// Result of a server or reference, nil when it took no part.
func (m *Measured) Result(server string) *Result {
	for _, r := range m.Results {
		if r.Server == server {
			return r
		}
	}
	return nil
}

func (m *Measured) add(server string, s Sample) {
	r := m.Result(server)
	r.Rounds = append(r.Rounds, s)
}

// finish computes medians and ratios.
func (r *Report) finish() {
	for _, m := range r.Scenarios {
		first := m.Results[0]
		for _, result := range m.Results {
			result.Sample = middle(result.Rounds)
			if result != first {
				result.Ratio = Compare(first, result, func(s Sample) *float64 { return m.value(s) })
				if result.Ratio != nil && m.Figure != figureRate {
					*result.Ratio = 1 / *result.Ratio
				}
			}
		}
	}
}

// value is the figure of a sample by which the scenario is judged.
func (m *Measured) value(s Sample) *float64 {
	switch m.Figure {
	case figureLatency:
		return &s.P99
	case figureMemory:
		return s.PerReader
	}
	return &s.Rate
}

// Compare is the median over the rounds of a's value divided by b's; nil when there
// is none.
func Compare(a, b *Result, value func(Sample) *float64) *float64 {
	var ratios []float64
	for i := range min(len(a.Rounds), len(b.Rounds)) {
		x, y := value(a.Rounds[i]), value(b.Rounds[i])
		if x != nil && y != nil && *x > 0 && *y > 0 {
			ratios = append(ratios, *x / *y)
		}
	}
	if len(ratios) == 0 {
		return nil
	}
	m := median(ratios)
	return &m
}

// middle is the median of each figure.
func middle(rounds []Sample) (m Sample) {
	of := func(value func(Sample) float64) float64 {
		var all []float64
		for _, s := range rounds {
			all = append(all, value(s))
		}
		return median(all)
	}
	m.Operations = int(of(func(s Sample) float64 { return float64(s.Operations) }))
	m.Seconds = of(func(s Sample) float64 { return s.Seconds })
	m.Rate = of(func(s Sample) float64 { return s.Rate })
	m.P50 = of(func(s Sample) float64 { return s.P50 })
	m.P99 = of(func(s Sample) float64 { return s.P99 })
	m.Posts = of(func(s Sample) float64 { return s.Posts })
	m.CPU = known(rounds, func(s Sample) *float64 { return s.CPU })
	m.PerReader = known(rounds, func(s Sample) *float64 { return s.PerReader })
	peak := known(rounds, func(s Sample) *float64 {
		if s.PeakRSS == nil {
			return nil
		}
		size := float64(*s.PeakRSS)
		return &size
	})
	if peak != nil {
		size := int64(*peak)
		m.PeakRSS = &size
	}
	return m
}

// known is the median of the values that are known, nil when there are none.
func known(rounds []Sample, value func(Sample) *float64) *float64 {
	var all []float64
	for _, s := range rounds {
		if v := value(s); v != nil {
			all = append(all, *v)
		}
	}
	if len(all) == 0 {
		return nil
	}
	m := median(all)
	return &m
}

func thisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	m.describe()
	return m
}
