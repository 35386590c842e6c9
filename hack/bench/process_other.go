//go:build unix && !linux

package main

import "syscall"

// processAttributes gives a child a process group of its own, so that Ctrl-C reaches the bench alone, which then stops
// its children in order.
func processAttributes(bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
