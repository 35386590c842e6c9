package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// ruleFile has the alerts, as the Prometheus operator reads them.
const ruleFile = "config/prometheus/prometheus_rule.yaml"

// haste is how many times faster than real the alerts are: each duration in them is divided by it.
const haste = 100

// prometheus is a running Prometheus.
type prometheus struct {
	url    string
	client *http.Client
}

// findPrometheus says how to get it if it is not there.
func findPrometheus() (string, error) {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		return "", errors.New("prometheus is not on PATH: install it (apt-get install prometheus, or " +
			"https://prometheus.io/download); any version from 2.42 will do")
	}
	return path, nil
}

// startPrometheus starts Prometheus on a target that speaks HTTPS and wants to know who asks.
func (d *demo) startPrometheus(ctx context.Context, path, target string) (*prometheus, error) {
	rules, err := os.ReadFile(filepath.Join(d.files.root, ruleFile))
	if err != nil {
		return nil, fmt.Errorf("reading the alerts: %w", err)
	}
	address, err := testbed.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs:
- job_name: zim-operator
  scheme: https
  authorization: {credentials_file: %s}
  tls_config: {insecure_skip_verify: true}
  static_configs: [{targets: [%q]}]
`, prometheusToken, target)
	err = errors.Join(d.write("rules.yaml", hasten(ruleSpec(string(rules)))), d.write("prometheus.yaml", config))
	if err != nil {
		return nil, err
	}
	p, err := d.start(ctx, "prometheus", nil, path, "--config.file=prometheus.yaml",
		"--storage.tsdb.path=prometheus", "--web.listen-address="+address, "--log.level=warn")
	if err != nil {
		return nil, err
	}
	found := &prometheus{
		url: "http://" + address, client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second},
	}
	return found, d.awaitReady(ctx, p, waitLimit, func(ctx context.Context) bool {
		return found.get(ctx, "/-/ready", nil) == nil
	})
}

// get asks Prometheus, and decodes its answer into result unless that is nil.
func (p *prometheus) get(ctx context.Context, path string, result any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return fmt.Errorf("asking Prometheus: %w", err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking Prometheus: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking Prometheus: %s", response.Status)
	}
	if result == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(result); err != nil {
		return fmt.Errorf("reading the answer of Prometheus: %w", err)
	}
	return nil
}

// firing returns the names of the alerts that fire, sorted.
func (p *prometheus) firing(ctx context.Context) ([]string, error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string `json:"labels"`
				State  string            `json:"state"`
			} `json:"alerts"`
		} `json:"data"`
	}
	if err := p.get(ctx, "/api/v1/alerts", &answer); err != nil {
		return nil, err
	}
	var names []string
	for _, alert := range answer.Data.Alerts {
		if alert.State == "firing" {
			names = append(names, alert.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ruleSpec returns the part of a PrometheusRule that Prometheus reads.
func ruleSpec(manifest string) string {
	_, spec, _ := strings.Cut(manifest, "\nspec:\n")
	return strings.ReplaceAll("\n"+spec, "\n  ", "\n")
}

var (
	ruleDuration = regexp.MustCompile(`(\bfor: |\[)(\d+)([smhd])`)
	// dueSeconds is the one number of seconds that an alert compares with.
	dueSeconds = regexp.MustCompile(`(oldest_due_verification_seconds\) > )(\d+)`)
)

// hasten divides the durations in alerts.
func hasten(rules string) string {
	rules = ruleDuration.ReplaceAllStringFunc(rules, func(text string) string {
		parts := ruleDuration.FindStringSubmatch(text)
		unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[parts[3]]
		number, _ := strconv.Atoi(parts[2]) // Digits.
		return parts[1] + strconv.FormatInt((time.Duration(number)*unit/haste).Milliseconds(), 10) + "ms"
	})
	return dueSeconds.ReplaceAllStringFunc(rules, func(text string) string {
		parts := dueSeconds.FindStringSubmatch(text)
		number, _ := strconv.Atoi(parts[2])
		return parts[1] + strconv.Itoa(number/haste)
	})
}
