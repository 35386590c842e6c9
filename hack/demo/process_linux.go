package main

import (
	"runtime"
	"syscall"
)

// The kernel kills the children when the thread that started them ends. All are started by the main goroutine,
// which this binds to the main thread: that one ends with the demo only.
func init() {
	runtime.LockOSThread()
}

// processAttributes gives a child a process group of its own, so that Ctrl-C reaches the demo alone, which then
// stops its children in order. Should the demo be killed outright, the kernel kills them.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
