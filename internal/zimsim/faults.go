package zimsim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Inject adds a fault and returns its id. A fault that could not do what it says is refused.
func (s *Simulator) Inject(fault Fault) (int, error) {
	if err := fault.validate(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFaultID++
	fault.ID, fault.Hits = s.lastFaultID, 0
	s.faults = append(s.faults, &fault)
	return fault.ID, nil
}

// Faults returns the faults that are still in force, oldest first.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		list = append(list, *f)
	}
	return list
}

// ClearFault ends one fault and tells whether there was one of that id.
func (s *Simulator) ClearFault(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return f.ID == id })
	return len(s.faults) < before
}

// ClearFaults ends all faults. Calls that already hang go on hanging.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// validate finds faults that nobody can have meant.
func (f *Fault) validate() error {
	if err := f.validateKind(); err != nil {
		return err
	}
	switch {
	case f.Skip < 0 || f.Times < 0:
		return errors.New("skip and times must not be negative")
	case f.Probability < 0 || f.Probability > 1:
		return errors.New("probability must be between 0 and 1")
	case f.Duration < 0:
		return errors.New("duration must not be negative")
	case f.CarryOut && !f.Kind.mayCarryOut():
		return fmt.Errorf("carryOut does not go with kind %s", f.Kind)
	case f.Action != "" && !isAction(f.Action):
		return fmt.Errorf("unknown action %q", f.Action)
	}
	return nil
}

// kindRules say what a fault of each kind needs besides its kind.
var kindRules = map[FaultKind]struct {
	met   func(*Fault) bool // nil: it needs nothing
	needs string
}{
	FaultCode:       {func(f *Fault) bool { return f.Code != CodeSuccess }, "a code"},
	FaultHTTPStatus: {func(f *Fault) bool { return isHTTPStatus(f.HTTPStatus) }, "an httpStatus between 200 and 599"},
	FaultHTML:       {},
	FaultHuge:       {},
	FaultHang:       {},
	FaultCutBefore:  {},
	FaultCutAfter:   {},
	FaultTruncated:  {},
	FaultRedirect: {func(f *Fault) bool {
		return f.HTTPStatus == 0 || f.HTTPStatus/100 == 3
	}, "an httpStatus between 300 and 399"},
	FaultLatency: {func(f *Fault) bool { return f.Duration > 0 }, "a duration"},
	FaultRefuseKey: {func(f *Fault) bool {
		return f.Key != "" && f.SubCode != CodeSuccess && (f.Action == "" || f.Action == actionModifyRoomAttribute)
	}, "a key, a subCode, and no action but ModifyRoomAttribute"},
}

func (f *Fault) validateKind() error {
	rule, ok := kindRules[f.Kind]
	if !ok {
		return fmt.Errorf("unknown kind %q", f.Kind)
	}
	if rule.met != nil && !rule.met(f) {
		return fmt.Errorf("kind %s needs %s", f.Kind, rule.needs)
	}
	return nil
}

// isHTTPStatus tells whether a number can be the status of a final answer.
func isHTTPStatus(status int) bool { return status >= http.StatusOK && status <= 599 }

// mayCarryOut tells for which kinds it is the fault's choice whether the call is carried out.
func (k FaultKind) mayCarryOut() bool {
	return slices.Contains([]FaultKind{FaultCode, FaultHTTPStatus, FaultHTML, FaultHuge, FaultHang, FaultRedirect}, k)
}

// carriesOut tells whether a call hit by the fault is carried out.
func (f *Fault) carriesOut() bool {
	switch f.Kind {
	case FaultCutAfter, FaultTruncated, FaultLatency, FaultRefuseKey:
		return true
	case FaultCode, FaultHTTPStatus, FaultHTML, FaultHuge, FaultHang, FaultCutBefore, FaultRedirect:
		return f.CarryOut
	}
	return false
}

// matches tells whether the fault is meant for the call.
func (f *Fault) matches(appID uint32, req *request) bool {
	if f.Kind == FaultRefuseKey && (req.action != actionModifyRoomAttribute || !req.namesAttribute(f.Key)) {
		return false
	}
	return (f.AppID == 0 || f.AppID == appID) &&
		(f.Action == "" || f.Action == req.action) &&
		(f.RoomID == "" || f.RoomID == req.roomID)
}

// hits are the faults that hit one call.
type hits struct {
	main     Fault // Kind "" if none did
	refusals []Fault
}

// hitFaults finds the faults that hit a call and counts them down.
func (s *Simulator) hitFaults(appID uint32, req *request) hits {
	var h hits
	for _, f := range s.faults {
		if f.Kind != FaultRefuseKey && h.main.Kind != "" || !f.matches(appID, req) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Probability > 0 && s.opts.Rand() >= f.Probability {
			continue
		}
		f.Hits++
		if f.Kind == FaultRefuseKey {
			h.refusals = append(h.refusals, *f)
		} else {
			h.main = *f
		}
	}
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return f.Times > 0 && f.Hits >= f.Times })
	return h
}
