package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// describe adds what Linux tells of the machine.
func (m *Machine) describe() {
	m.CPU = procValue("/proc/cpuinfo", "model name")
	if kib, err := strconv.ParseInt(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kib << 10
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
}

// procValue is the first value of a name in a file of /proc, "" when there is none.
func procValue(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// String is the machine in a few words.
func (m Machine) String() string {
	text := fmt.Sprintf("%d CPUs", m.CPUs)
	if m.CPU != "" {
		text += " (" + m.CPU + ")"
	}
	if m.Memory > 0 {
		text += ", " + size(float64(m.Memory)) + " memory"
	}
	text += ", " + m.OS
	if m.Kernel != "" {
		text += " " + m.Kernel
	}
	return text + " " + m.Arch + ", " + m.Go
}
