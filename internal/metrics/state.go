package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// State is how things stand at the time of a scrape.
type State struct {
	Accounts []Account
	Apps     []App
	// Rooms counts the ZimRooms of each group.
	Rooms map[RoomGroup]int
}

// Account is how an account's quota is used at present.
type Account struct {
	Account zim.Account
	Pace    zim.Pace
	// Stretch is how many times longer than declared the intervals of its ZimRooms are.
	Stretch float64
	// VerificationAsked is the calls a second that verification takes at the declared intervals.
	VerificationAsked float64
	// OldestDue is how long the look is due that has been due for longest without an answer; 0 if none is.
	OldestDue time.Duration
	// Waiting counts the ZimRooms in line for a turn, by lane.
	Waiting map[string]int
}

// App is a ZimApp.
type App struct {
	Namespace, Name string
	AppID           int64
	// Ready is true if the condition Ready is True. Reason is that of the condition.
	Ready  bool
	Reason string
}

// RoomGroup is what ZimRooms have in common that are counted together.
type RoomGroup struct {
	// AppNamespace and App name the ZimApp; empty if it does not exist.
	AppNamespace, App string
	// Ready and Reason are those of the condition Ready.
	Ready, Reason string
}

const namePrefix = "zim_operator_"

var accountLabels = []string{labelRealm, labelAppID}

// Descriptions of what is read for each scrape.
var (
	leaderDesc = prometheus.NewDesc(namePrefix+"leader",
		"1 in the replica that works, 0 in those that stand by.", nil, nil)
	allowedDesc = prometheus.NewDesc(namePrefix+"account_allowed_calls_per_second",
		"Calls a second that the ZimApps of the account allow.", accountLabels, nil)
	presentDesc = prometheus.NewDesc(namePrefix+"account_present_calls_per_second",
		"Calls a second that the operator sends at most at present: fewer than allowed while ZIM refuses calls.",
		accountLabels, nil)
	stretchDesc = prometheus.NewDesc(namePrefix+"account_interval_stretch_ratio",
		"How many times longer than declared the verification intervals of the account's ZimRooms are.",
		accountLabels, nil)
	askedDesc = prometheus.NewDesc(namePrefix+"account_verification_asked_calls_per_second",
		"Calls a second that verification would take at the declared intervals.", accountLabels, nil)
	grantedDesc = prometheus.NewDesc(namePrefix+"account_verification_granted_calls_per_second",
		"Calls a second that verification takes at the stretched intervals.", accountLabels, nil)
	oldestDueDesc = prometheus.NewDesc(namePrefix+"account_oldest_due_verification_seconds",
		"How long the verification has been due that waits for longest; 0 if none is due.", accountLabels, nil)
	waitingDesc = prometheus.NewDesc(namePrefix+"account_waiting_zimrooms",
		"ZimRooms that wait for a turn to call ZIM, by the lane they wait in.",
		[]string{labelRealm, labelAppID, labelLane}, nil)
	appReadyDesc = prometheus.NewDesc(namePrefix+"zimapp_ready",
		"1 if the ZimApp is Ready, else 0, with the reason.",
		[]string{"zimapp_namespace", "zimapp", labelAppID, "reason"}, nil)
	roomsDesc = prometheus.NewDesc(namePrefix+"zimrooms",
		"ZimRooms by ZimApp, and by status and reason of Ready.",
		[]string{"zimapp_namespace", "zimapp", "ready", "reason"}, nil)
)

// stateCollector reads the state anew for each scrape, so that nothing lingers of what is gone.
type stateCollector struct {
	elected <-chan struct{}
	state   func() State
}

// RegisterState registers the metrics of what state returns at the time of a scrape. It is asked only after elected was
// closed: a replica that stands by knows nothing, and its figures would be added to those of the one that works.
func RegisterState(registerer prometheus.Registerer, elected <-chan struct{}, state func() State) {
	registerer.MustRegister(&stateCollector{elected: elected, state: state})
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		leaderDesc, allowedDesc, presentDesc, stretchDesc, askedDesc, grantedDesc, oldestDueDesc, waitingDesc,
		appReadyDesc, roomsDesc,
	} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(collected chan<- prometheus.Metric) {
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		collected <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
	select {
	case <-c.elected:
		gauge(leaderDesc, 1)
	default:
		gauge(leaderDesc, 0)
		return
	}
	state := c.state()
	for _, account := range state.Accounts {
		collectAccount(account, gauge)
	}
	for _, app := range state.Apps {
		gauge(appReadyDesc, truth(app.Ready), app.Namespace, app.Name, strconv.FormatInt(app.AppID, 10), app.Reason)
	}
	for group, count := range state.Rooms {
		gauge(roomsDesc, float64(count), group.AppNamespace, group.App, group.Ready, group.Reason)
	}
}

func collectAccount(account Account, gauge func(*prometheus.Desc, float64, ...string)) {
	realm, appID := labelsOf(account.Account)
	gauge(allowedDesc, float64(account.Pace.Allowed), realm, appID)
	gauge(presentDesc, account.Pace.Present, realm, appID)
	gauge(stretchDesc, account.Stretch, realm, appID)
	gauge(askedDesc, account.VerificationAsked, realm, appID)
	gauge(grantedDesc, account.VerificationAsked/account.Stretch, realm, appID)
	gauge(oldestDueDesc, account.OldestDue.Seconds(), realm, appID)
	for lane, count := range account.Waiting {
		gauge(waitingDesc, float64(count), realm, appID, lane)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
