package zim_test

import (
	"net/http"

	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// simulatorFailures are the faults of the simulator. What it carried out and the client got no code for, the client
// must know as perhaps done.
var simulatorFailures = map[string]failure{
	"cut before":   {stage: faulty(zimsim.Fault{Kind: zimsim.FaultCutBefore}, notDone), want: brokenOff},
	"cut after":    {stage: faulty(zimsim.Fault{Kind: zimsim.FaultCutAfter}, done), want: brokenOff},
	"truncated":    {stage: faulty(zimsim.Fault{Kind: zimsim.FaultTruncated}, done), want: notZIM},
	"page":         {stage: faulty(zimsim.Fault{Kind: zimsim.FaultHTML}, notDone), want: notZIM},
	"page, done":   {stage: faulty(zimsim.Fault{Kind: zimsim.FaultHTML, CarryOut: true}, done), want: notZIM},
	"100 MB":       {stage: faulty(zimsim.Fault{Kind: zimsim.FaultHuge}, notDone), want: tooLargeError},
	"100 MB, done": {stage: faulty(zimsim.Fault{Kind: zimsim.FaultHuge, CarryOut: true}, done), want: tooLargeError},
	"endless":      {stage: faulty(zimsim.Fault{Kind: zimsim.FaultHuge, Size: -1}, notDone), want: tooLargeError},
	"503": {
		stage: faulty(zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 503}, notDone),
		want:  httpFailure(503, zim.ClassTransient, true),
	},
	"504, done": {
		stage: faulty(zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 504, EmptyBody: true, CarryOut: true}, done),
		want:  httpFailure(504, zim.ClassTransient, true),
	},
	"redirect": {
		stage: faulty(zimsim.Fault{Kind: zimsim.FaultRedirect}, notDone),
		want:  httpFailure(http.StatusFound, zim.ClassTransient, true),
	},
}

// Whether the simulator carried a call out.
const (
	done    = true
	notDone = false
)

// faulty puts the client before a simulator with a fault.
func faulty(fault zimsim.Fault, carriedOut bool) func(*scene) {
	return func(s *scene) {
		f := newSimulator(s.t)
		f.inject(fault)
		s.serve(f.API().ServeHTTP)
		s.after = func() {
			_, exists := f.Room(appID, "room")
			equal(s.t, "the room exists", exists, carriedOut)
		}
	}
}
