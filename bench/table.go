package bench

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteTables writes the report for people: tables in Markdown, aligned for a
// terminal.
func (r *Report) WriteTables(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. %s of %gs each.\n",
		r.Machine, r.Started.Format("2006-01-02 15:04 UTC"), rounds(r.Rounds), r.Duration)
	r.table(&b, "Results", "In brackets: how many times as good the first server is.",
		func(m *Measured, x *Result) string {
			return m.figureText(x.Sample) + ratioText(x.Ratio)
		})
	r.table(&b, "Latency", "p50 / p99 of one operation: an append, a creation, the read of a whole stream, a delivery from the beginning of its append.",
		func(_ *Measured, x *Result) string {
			if x.P99 == 0 {
				return ""
			}
			return duration(x.P50) + " / " + duration(x.P99)
		})
	r.table(&b, "Server CPU", "What the server's process computed for one append or creation, for a megabyte of catch-up, for one delivery.",
		func(_ *Measured, x *Result) string {
			if x.CPU == nil {
				return ""
			}
			return duration(*x.CPU)
		})
	r.table(&b, "Server memory", "The most that the server's process had resident.",
		func(_ *Measured, x *Result) string {
			if x.PeakRSS == nil {
				return ""
			}
			return size(float64(*x.PeakRSS))
		})
	r.references(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

// table writes one cell for each scenario and contender; scenarios without any text
// are left out.
func (r *Report) table(b *strings.Builder, title, help string, text func(*Measured, *Result) string) {
	rows := [][]string{append([]string{"scenario"}, r.columns()...)}
	for _, m := range r.Scenarios {
		row, empty := []string{m.Name}, true
		for _, name := range r.columns() {
			cell := ""
			if result := m.Result(name); result != nil {
				cell = text(m, result)
			}
			empty = empty && cell == ""
			row = append(row, cell)
		}
		if !empty {
			rows = append(rows, row)
		}
	}
	if len(rows) > 1 {
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n", title, help)
		writeMarkdown(b, rows)
	}
}

// columns are the names of all that took part in anything.
func (r *Report) columns() (names []string) {
	for _, s := range r.Servers {
		names = append(names, s.Name)
	}
	for _, m := range r.Scenarios {
		if m.Result(DiskName) != nil {
			return append(names, DiskName)
		}
	}
	return names
}

// references compares every server with what the machine can do.
func (r *Report) references(b *strings.Builder) {
	rows := [][]string{{"scenario", "server", "share of no-op's rate", "CPU, times no-op's", "p50, times fdatasync's"}}
	rate := func(s Sample) *float64 { return &s.Rate }
	cpu := func(s Sample) *float64 { return s.CPU }
	p50 := func(s Sample) *float64 { return &s.P50 }
	for _, m := range r.Scenarios {
		noop, disk := m.Result(NoOpName), m.Result(DiskName)
		for _, x := range m.Results {
			if x == noop || x == disk || (noop == nil && disk == nil) {
				continue
			}
			row := []string{m.Name, x.Server, "", "", ""}
			if noop != nil {
				row[2], row[3] = ratio(Compare(x, noop, rate)), ratio(Compare(x, noop, cpu))
			}
			if disk != nil {
				row[4] = ratio(Compare(x, disk, p50))
			}
			rows = append(rows, row)
		}
	}
	if len(rows) > 1 {
		fmt.Fprintf(b, "\n### Against the machine\n\nno-op: an HTTP handler that stores nothing. fdatasync: of 100 B appended to a file.\n\n")
		writeMarkdown(b, rows)
	}
}

// writeMarkdown writes a table with its head in the first row.
func writeMarkdown(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(b, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, w := range widths {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
}

// figureText is what a sample is judged by, with its unit.
func (m *Measured) figureText(s Sample) string {
	switch m.Figure {
	case figureLatency:
		return fmt.Sprintf("p99 %s at %s posts/s", duration(s.P99), number(s.Posts))
	case figureMemory:
		if s.PerReader == nil {
			return ""
		}
		return size(*s.PerReader) + " each"
	}
	return number(s.Rate) + " " + m.Unit
}

// line tells of one measurement while the run goes on.
func (s *scenario) line(x Sample) string {
	m := Measured{Unit: s.unit, Figure: s.figure}
	text := fmt.Sprintf("%-28s", m.figureText(x))
	if x.P99 > 0 {
		text += fmt.Sprintf(" p50 %-8s p99 %-8s", duration(x.P50), duration(x.P99))
	}
	if x.CPU != nil {
		text += " cpu " + duration(*x.CPU)
	}
	return strings.TrimSpace(text)
}

func ratioText(r *float64) string {
	if r == nil {
		return ""
	}
	return " (" + ratio(r) + ")"
}

func ratio(r *float64) string {
	if r == nil {
		return ""
	}
	return number(*r) + "×"
}

// number writes v with three digits that count, thousands separated.
func number(v float64) string {
	switch {
	case v >= 1000:
		whole := fmt.Sprintf("%.0f", v)
		var b strings.Builder
		for i, digit := range whole {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteRune(digit)
		}
		return b.String()
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// duration writes microseconds.
func duration(us float64) string {
	switch {
	case us >= 1e6:
		return number(us/1e6) + " s"
	case us >= 1e3:
		return number(us/1e3) + " ms"
	}
	return number(us) + " µs"
}

// size writes bytes.
func size(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if v < 1024 {
			return number(v) + " " + unit
		}
		v /= 1024
	}
	return number(v) + " GiB"
}

// rounds says what the figures are taken from.
func rounds(n int) string {
	if n == 1 {
		return "One round"
	}
	return fmt.Sprintf("Medians of %d rounds", n)
}
