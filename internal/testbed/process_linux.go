package testbed

import (
	"os/exec"
	"runtime"
	"syscall"
)

// launches are starts of children. The kernel kills the children when the thread that started them ends, so that all
// are started by one that lasts.
var launches = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for launch := range launches {
			launch()
		}
	}()
}

// launch starts a child.
func launch(cmd *exec.Cmd) error {
	result := make(chan error)
	launches <- func() { result <- cmd.Start() }
	return <-result
}

// processAttributes gives a child a process group of its own, so that Ctrl-C reaches the program alone, which then
// stops its children in order. A mortal child is killed by the kernel should the program be killed outright.
func processAttributes(mortal bool) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if mortal {
		attributes.Pdeathsig = syscall.SIGKILL
	}
	return attributes
}
