// Command demo tells what the operator does, with real processes: etcd, kube-apiserver, the simulator of ZIM and
// the built manager, all on the loopback interface. Run it with `make demo`. With the argument "observe" Prometheus
// comes on top, and every alert is seen to fire and to end: `make observe`.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/term"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

func main() {
	told := theDemo
	if len(os.Args) > 1 && os.Args[1] == "observe" {
		told = theAlerts()
	}
	if err := run(os.Stdout, told, term.IsTerminal(int(os.Stdin.Fd()))); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(testbed.ExitCode(err))
	}
}

// run tells the story. With stay it keeps everything up until a signal, else it ends right after the story.
// Whatever happens, no process is left behind.
func run(out io.Writer, told story, stay bool) (err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	running := &testbed.Processes{}
	testbed.WatchSignals(cancel, running.Kill, syscall.SIGPIPE) // A reader of the output may go away.

	files, err := findFiles(os.Executable, os.Getenv)
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	d, err := newDemo(out, files, running, cancel)
	if err != nil {
		return err
	}
	ended := false
	defer func() { d.cleanUp(ended && err == nil || testbed.IsInterruption(err)) }()
	err = d.tell(ctx, told)
	if err == nil && stay {
		err = d.stay(ctx)
	}
	ended = true // Not reached in a panic.
	return err
}
