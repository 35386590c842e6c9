//go:build unix && !linux

package testbed

import (
	"os/exec"
	"syscall"
)

// launch starts a child.
func launch(cmd *exec.Cmd) error { return cmd.Start() }

// processAttributes gives a child a process group of its own, so that Ctrl-C reaches the program alone, which then
// stops its children in order.
func processAttributes(bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
