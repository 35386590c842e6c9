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
			series[name] = metric.GetCounter().GetValue()
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
				{Account: account, Action: zim.ActionCreateRoom, Class: zim.ClassOK, Duration: 2 * second, Documented: true},
			},
			map[string]float64{
				"zim_operator_api_calls_total{action=CreateRoom,app_id=4294967295,class=OK,code=0}": 2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} count":                   2,
				"zim_operator_api_call_duration_seconds{action=CreateRoom} sum":                     3,
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
