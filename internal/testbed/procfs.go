package testbed

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is what the kernel says of a process.
type Usage struct {
	ResidentKB int // At present.
	PeakKB     int // At most so far.
	CPUSeconds float64
}

// Usage reads the process's own figures; only Linux has them.
func (p *Process) Usage() (Usage, error) {
	directory := "/proc/" + strconv.Itoa(p.PID)
	status, err := os.ReadFile(directory + "/status") //nolint:gosec // The kernel's.
	if err != nil {
		return Usage{}, fmt.Errorf("reading the memory of %s: %w", p.Name, err)
	}
	stat, err := os.ReadFile(directory + "/stat") //nolint:gosec // The kernel's.
	if err != nil {
		return Usage{}, fmt.Errorf("reading the CPU time of %s: %w", p.Name, err)
	}
	return parseUsage(string(status), string(stat))
}

// parseUsage reads the texts of status and stat of a process.
func parseUsage(status, stat string) (u Usage, err error) {
	for name, value := range map[string]*int{"VmRSS:": &u.ResidentKB, "VmHWM:": &u.PeakKB} {
		if *value, err = parseKB(status, name); err != nil {
			return u, err
		}
	}
	u.CPUSeconds, err = parseCPU(stat)
	return u, err
}

func parseKB(status, name string) (int, error) {
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == name && fields[2] == "kB" {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("no %s in the status of a process", name)
}

// parseCPU adds the times in user mode and in the kernel, fields 14 and 15, which are in hundredths of a second on
// every Linux. The second field, the name, may hold anything but is in parentheses.
func parseCPU(stat string) (float64, error) {
	const ticksPerSecond = 100
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // From the third field on.
	if len(fields) < 13 {
		return 0, fmt.Errorf("the stat of a process has only %d fields", len(fields)+2)
	}
	var total float64
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, fmt.Errorf("the stat of a process: %w", err)
		}
		total += ticks / ticksPerSecond
	}
	return total, nil
}
