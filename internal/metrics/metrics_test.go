package metrics_test

import (
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

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

func TestCallObserver(t *testing.T) {
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
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=OK,code=0}": 2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                   2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                     3,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} count":                       2,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} sum":                         5,
			},
		},
		"refusal": {
			[]zim.Call{{
				Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassRoomExists, Code: zim.CodeRoomExists,
				Duration: second, Documented: true,
			}},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=RoomExists,code=660300014}": 1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                                   1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                                     1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} count":                                       1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} sum":                                         0,
			},
		},
		"no return code": {
			[]zim.Call{{
				Account: account, Action: zim.ActionDestroyRoom, Class: zim.ClassTransient, Failure: zim.FailureTimeout,
				Duration: 10 * second, Documented: true,
			}},
			map[string]float64{
				"zim_operator_api_calls_total{action=DestroyRoom,app_id=4294967295,class=Transient,code=none}": 1,
				"zim_operator_api_call_duration_seconds{action=DestroyRoom} count":                             1,
				"zim_operator_api_call_duration_seconds{action=DestroyRoom} sum":                               10,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} count":                                  1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} sum":                                    0,
			},
		},
		"undocumented code": {
			[]zim.Call{{
				Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassTransient, Code: 660399999, Duration: second,
			}},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=Transient,code=undocumented}": 1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                                     1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                                       1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} count":                                         1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} sum":                                           0,
			},
		},
		"accounts apart": {
			[]zim.Call{
				{Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Documented: true},
				{Account: zim.Account{AppID: 1}, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Documented: true},
			},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=OK,code=0}": 1,
				"zim_operator_api_calls_total{action=CreateRoom,app_id=1,class=OK,code=0}":          1,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                   2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                     0,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} count":                       1,
				"zim_operator_api_turn_wait_seconds{app_id=4294967295} sum":                         0,
				"zim_operator_api_turn_wait_seconds{app_id=1} count":                                1,
				"zim_operator_api_turn_wait_seconds{app_id=1} sum":                                  0,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			observer := metrics.NewCallObserver(registry)
			for _, call := range tc.calls {
				observer.ObserveCall(t.Context(), call)
			}
			if diff := cmp.Diff(tc.want, gather(t, registry)); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAccounts(t *testing.T) {
	registry := prometheus.NewRegistry()
	accounts := []metrics.Account{
		{
			Account: account, Pace: zim.Pace{Allowed: 20, Present: 9.5, Full: 19}, Stretch: 1.25,
			Waiting: map[string]int{"people": 3, "verification": 0},
		},
		// The same AppID elsewhere is another account.
		{Account: zim.Account{Realm: "simulator:80", AppID: account.AppID}, Pace: zim.Pace{Allowed: 1, Present: 1}, Stretch: 1},
	}
	metrics.RegisterAccounts(registry, func() []metrics.Account { return accounts })
	first, second := "{app_id=4294967295,realm=zego.im}", "{app_id=4294967295,realm=simulator:80}"
	want := map[string]float64{
		"zim_operator_account_allowed_calls_per_second" + first:                                    20,
		"zim_operator_account_present_calls_per_second" + first:                                    9.5,
		"zim_operator_account_interval_stretch_ratio" + first:                                      1.25,
		"zim_operator_account_waiting_zimrooms{app_id=4294967295,lane=people,realm=zego.im}":       3,
		"zim_operator_account_waiting_zimrooms{app_id=4294967295,lane=verification,realm=zego.im}": 0,
		"zim_operator_account_allowed_calls_per_second" + second:                                   1,
		"zim_operator_account_present_calls_per_second" + second:                                   1,
		"zim_operator_account_interval_stretch_ratio" + second:                                     1,
	}
	if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	accounts = nil
	if left := gather(t, registry); len(left) > 0 {
		t.Errorf("%v is left of accounts that are gone", left)
	}
}
