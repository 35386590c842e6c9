// Package monitoring tests the alerts of config/prometheus and the dashboard of config/grafana with Prometheus' own
// code. It is a module of its own, so that the operator does not depend on that.
package monitoring
