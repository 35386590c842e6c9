package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// Account is how an account's quota is used at present.
type Account struct {
	Account zim.Account
	Pace    zim.Pace
	// Stretch is how many times longer than declared the intervals of its ZimRooms are.
	Stretch float64
	// Waiting counts the ZimRooms in line for a turn, by lane.
	Waiting map[string]int
}

// accountCollector reads the accounts anew for each scrape, so that nothing lingers of one that is gone.
type accountCollector struct {
	accounts                         func() []Account
	allowed, present, stretch, lines *prometheus.Desc
}

// RegisterAccounts registers the metrics of what accounts returns at the time of a scrape.
func RegisterAccounts(registerer prometheus.Registerer, accounts func() []Account) {
	labels := []string{labelRealm, labelAppID}
	registerer.MustRegister(&accountCollector{
		accounts: accounts,
		allowed: prometheus.NewDesc("zim_operator_account_allowed_calls_per_second",
			"Calls a second that the ZimApps of the account allow.", labels, nil),
		present: prometheus.NewDesc("zim_operator_account_present_calls_per_second",
			"Calls a second that the operator sends at most at present: fewer than allowed while ZIM refuses calls.",
			labels, nil),
		stretch: prometheus.NewDesc("zim_operator_account_interval_stretch_ratio",
			"How many times longer than declared the verification intervals of the account's ZimRooms are.", labels, nil),
		lines: prometheus.NewDesc("zim_operator_account_waiting_zimrooms",
			"ZimRooms that wait for a turn to call ZIM, by the lane they wait in.", append(labels, labelLane), nil),
	})
}

// Describe implements prometheus.Collector.
func (c *accountCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{c.allowed, c.present, c.stretch, c.lines} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *accountCollector) Collect(collected chan<- prometheus.Metric) {
	for _, account := range c.accounts() {
		realm, appID := account.Account.Realm, strconv.FormatUint(uint64(account.Account.AppID), 10)
		gauge := func(description *prometheus.Desc, value float64, labels ...string) {
			collected <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value,
				append([]string{realm, appID}, labels...)...)
		}
		gauge(c.allowed, float64(account.Pace.Allowed))
		gauge(c.present, account.Pace.Present)
		gauge(c.stretch, account.Stretch)
		for lane, count := range account.Waiting {
			gauge(c.lines, float64(count), lane)
		}
	}
}
