package metrics_test

import (
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/zim-operator/zim-operator/internal/callback"
	"github.com/zim-operator/zim-operator/internal/metrics"
	"github.com/zim-operator/zim-operator/internal/zim"
)

var account = zim.Account{Realm: "zego.im", AppID: 4294967295}

// gather returns all series of a registry, as name{label="value"}, with their values; of a histogram count and sum.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := make([]string, 0, len(metric.GetLabel()))
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			sort.Strings(labels)
			name := family.GetName() + "{" + strings.Join(labels, ",") + "}"
			if histogram := metric.GetHistogram(); histogram != nil {
				series[name+" count"] = float64(histogram.GetSampleCount())
				series[name+" sum"] = histogram.GetSampleSum()
				continue
			}
			series[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() // One of them is there.
		}
	}
	return series
}

func TestObserverCountsCalls(t *testing.T) {
	const second = time.Second
	for name, tc := range map[string]struct {
		calls []zim.Call
		want  map[string]float64
	}{
		"nothing yet": {nil, map[string]float64{}},
		"calls of one kind add up": {
			[]zim.Call{
				{Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Duration: second, Documented: true},
				{Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Duration: 2 * second, Documented: true, Waited: 5 * second},
			},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=OK,code=0,realm=zego.im}": 2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                                 2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                                   3,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} count":                       2,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} sum":                         5,
			},
		},
		"refusal": {
			[]zim.Call{{
				Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassRoomExists, Code: zim.CodeRoomExists,
				Duration: second, Documented: true,
			}},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=RoomExists,code=660300014,realm=zego.im}": 1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                                                 1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                                                   1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} count":                                       1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} sum":                                         0,
			},
		},
		"no return code": {
			[]zim.Call{{
				Account: account, Action: zim.ActionDestroyRoom, Class: zim.ClassTransient, Failure: zim.FailureTimeout,
				Duration: 10 * second, Documented: true,
			}},
			map[string]float64{
				"zim_operator_api_calls_total{action=DestroyRoom,app_id=4294967295,class=Transient,code=none,realm=zego.im}": 1,
				"zim_operator_api_call_duration_seconds{action=DestroyRoom} count":                                           1,
				"zim_operator_api_call_duration_seconds{action=DestroyRoom} sum":                                             10,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} count":                                  1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} sum":                                    0,
			},
		},
		"undocumented code": {
			[]zim.Call{{
				Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassTransient, Code: 660399999, Duration: second,
			}},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=Transient,code=undocumented,realm=zego.im}": 1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                                                   1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                                                     1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} count":                                         1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} sum":                                           0,
			},
		},
		"accounts apart": {
			[]zim.Call{
				{Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Documented: true},
				{Account: zim.Account{Realm: "zego.im", AppID: 1}, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Documented: true},
			},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=OK,code=0,realm=zego.im}": 1,
				"zim_operator_api_calls_total{action=CreateRoom,app_id=1,class=OK,code=0,realm=zego.im}":          1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                                 2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                                   0,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} count":                       1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295,realm=zego.im} sum":                         0,
				"zim_operator_api_turn_wait_seconds{app_id=1,realm=zego.im} count":                                1,
				"zim_operator_api_turn_wait_seconds{app_id=1,realm=zego.im} sum":                                  0,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			observer := metrics.NewObserver(registry)
			for _, call := range tc.calls {
				observer.ObserveCall(t.Context(), call)
			}
			if diff := cmp.Diff(tc.want, gather(t, registry)); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObserverCountsPasses(t *testing.T) {
	registry := prometheus.NewRegistry()
	observer := metrics.NewObserver(registry)
	observer.ObserveTurn(account, "people", 2*time.Second)
	observer.ObserveTurn(account, "people", 3*time.Second)
	observer.ObserveTurn(account, "repair", time.Second)
	want := map[string]float64{
		"zim_operator_line_wait_seconds{app_id=4294967295,lane=people,realm=zego.im} count": 2,
		"zim_operator_line_wait_seconds{app_id=4294967295,lane=people,realm=zego.im} sum":   5,
		"zim_operator_line_wait_seconds{app_id=4294967295,lane=repair,realm=zego.im} count": 1,
		"zim_operator_line_wait_seconds{app_id=4294967295,lane=repair,realm=zego.im} sum":   1,
		// It is there before the first, so that the first is seen to be one.
		"zim_operator_room_recreations_total{app_id=4294967295,cause=destroyed,realm=zego.im}": 0,
		"zim_operator_room_recreations_total{app_id=4294967295,cause=expired,realm=zego.im}":   0,
	}
	if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	observer.ObserveRecreation(account, true)
	observer.ObserveRecreation(account, false)
	observer.ObserveRecreation(account, false)
	want["zim_operator_room_recreations_total{app_id=4294967295,cause=destroyed,realm=zego.im}"] = 1
	want["zim_operator_room_recreations_total{app_id=4294967295,cause=expired,realm=zego.im}"] = 2
	if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestNothingIsLeftOfAForgottenAccount(t *testing.T) {
	registry := prometheus.NewRegistry()
	observer := metrics.NewObserver(registry)
	elsewhere := zim.Account{Realm: "simulator:80", AppID: account.AppID}
	observeAll(t, observer, elsewhere)
	kept := gather(t, registry)
	observeAll(t, observer, account)
	observer.Forget(account)
	got := gather(t, registry)
	for name := range got {
		if strings.HasPrefix(name, "zim_operator_api_call_duration_seconds") { // Not of an account.
			delete(kept, name)
			delete(got, name)
		}
	}
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

// observeAll makes an observer show all its metrics.
func observeAll(t *testing.T, observer *metrics.Observer, account zim.Account) {
	t.Helper()
	observer.ObserveCall(t.Context(), zim.Call{Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassOK})
	observer.ObserveTurn(account, "people", time.Second)
	observer.ObserveRecreation(account, true)
}

var fullState = metrics.State{
	Accounts: []metrics.Account{
		{
			Account: account, Pace: zim.Pace{Allowed: 20, Present: 9.5, Full: 19}, Stretch: 1.25,
			VerificationAsked: 10, OldestDue: time.Minute,
			Waiting: map[string]int{"people": 3, "verification": 0},
		},
		// The same AppID elsewhere is another account.
		{Account: zim.Account{Realm: "simulator:80", AppID: account.AppID}, Pace: zim.Pace{Allowed: 1, Present: 1}, Stretch: 1},
	},
	Apps: []metrics.App{
		{Namespace: "shared", Name: "team", AppID: 4294967295, Ready: true, Reason: "Accepted"},
		{Namespace: "shared", Name: "other", AppID: 1, Reason: "SecretNotFound"},
	},
	Rooms: map[metrics.RoomGroup]int{
		{AppNamespace: "shared", App: "team", Ready: "True", Reason: "RoomCreated"}: 2,
		{Ready: "False", Reason: "AppNotFound"}:                                     1,
	},
}

func TestState(t *testing.T) {
	registry, elected, state := prometheus.NewRegistry(), make(chan struct{}), fullState
	metrics.RegisterState(registry, elected, func() metrics.State { return state })
	if diff := cmp.Diff(map[string]float64{"zim_operator_leader{}": 0}, gather(t, registry)); diff != "" {
		t.Errorf("series of a replica that stands by (-want +got):\n%s", diff)
	}
	close(elected)
	first, second := "{app_id=4294967295,realm=zego.im}", "{app_id=4294967295,realm=simulator:80}"
	want := map[string]float64{
		"zim_operator_leader{}":                                                                            1,
		"zim_operator_account_allowed_calls_per_second" + first:                                            20,
		"zim_operator_account_present_calls_per_second" + first:                                            9.5,
		"zim_operator_account_interval_stretch_ratio" + first:                                              1.25,
		"zim_operator_account_verification_asked_calls_per_second" + first:                                 10,
		"zim_operator_account_verification_granted_calls_per_second" + first:                               8,
		"zim_operator_account_oldest_due_verification_seconds" + first:                                     60,
		"zim_operator_account_waiting_zimrooms{app_id=4294967295,lane=people,realm=zego.im}":               3,
		"zim_operator_account_waiting_zimrooms{app_id=4294967295,lane=verification,realm=zego.im}":         0,
		"zim_operator_account_allowed_calls_per_second" + second:                                           1,
		"zim_operator_account_present_calls_per_second" + second:                                           1,
		"zim_operator_account_interval_stretch_ratio" + second:                                             1,
		"zim_operator_account_verification_asked_calls_per_second" + second:                                0,
		"zim_operator_account_verification_granted_calls_per_second" + second:                              0,
		"zim_operator_account_oldest_due_verification_seconds" + second:                                    0,
		"zim_operator_zimapp_ready{app_id=4294967295,reason=Accepted,zimapp=team,zimapp_namespace=shared}": 1,
		"zim_operator_zimapp_ready{app_id=1,reason=SecretNotFound,zimapp=other,zimapp_namespace=shared}":   0,
		"zim_operator_zimrooms{ready=True,reason=RoomCreated,zimapp=team,zimapp_namespace=shared}":         2,
		"zim_operator_zimrooms{ready=False,reason=AppNotFound,zimapp=,zimapp_namespace=}":                  1,
	}
	if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	state = metrics.State{}
	if diff := cmp.Diff(map[string]float64{"zim_operator_leader{}": 1}, gather(t, registry)); diff != "" {
		t.Errorf("series when nothing is left (-want +got):\n%s", diff)
	}
}

// Names, units and help are as Prometheus' conventions want them.
func TestLint(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	observeAll(t, metrics.NewObserver(registry), account)
	elected := make(chan struct{})
	close(elected)
	metrics.RegisterState(registry, elected, func() metrics.State { return fullState })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

func TestCallbacksHaveOneSeriesForEachOutcome(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := metrics.NewCallbackCounter(registry)
	counter.Count(callback.Noted)
	counter.Count(callback.Noted)
	counter.Count(callback.Unverified)
	want := map[string]float64{}
	for outcome, count := range map[callback.Outcome]float64{
		callback.Noted: 2, callback.Coalesced: 0, callback.NotOurs: 0, callback.Ignored: 0, callback.Unverified: 1,
		callback.Malformed: 0, callback.Refused: 0, callback.Failed: 0,
	} {
		want["zim_operator_callbacks_total{outcome="+string(outcome)+"}"] = count
	}
	if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}
