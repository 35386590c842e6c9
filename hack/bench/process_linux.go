package main

import (
	"runtime"
	"syscall"
)

// The kernel kills the children when the thread that started them ends. All are started by the main goroutine, which
// this binds to the main thread: that one ends with the bench only.
func init() {
	runtime.LockOSThread()
}

// processAttributes gives a child a process group of its own, so that Ctrl-C reaches the bench alone, which then stops
// its children in order. A mortal child is killed by the kernel should the bench be killed outright.
func processAttributes(mortal bool) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if mortal {
		attributes.Pdeathsig = syscall.SIGKILL
	}
	return attributes
}
