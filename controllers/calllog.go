package controllers

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// CallLog logs every call to ZIM with its request id, which the vendor's support asks for, in the log of the pass that
// made it.
type CallLog struct{}

var _ zim.Observer = CallLog{}

// ObserveCall implements zim.Observer.
func (CallLog) ObserveCall(ctx context.Context, call zim.Call) {
	log := ctrl.LoggerFrom(ctx)
	if call.Documented && !log.V(1).Enabled() {
		return
	}
	log = log.WithValues("account", call.Account.String(), "action", call.Action,
		"code", int(call.Code), "class", call.Class, "failure", call.Failure, "requestID", call.RequestID,
		"waited", call.Waited.String(), "duration", call.Duration.String())
	if !call.Documented {
		log.Info("Got an undocumented code from ZIM") // Somebody should tell what it means.
		return
	}
	log.V(1).Info("Called ZIM")
}
