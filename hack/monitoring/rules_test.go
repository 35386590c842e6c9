package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	ruleFile = "../../config/prometheus/prometheus_rule.yaml"
	testFile = "../../config/prometheus/prometheus_rule_test.yaml"
	manual   = "../../docs/operations.md"
)

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type groups struct {
	Groups []struct {
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

// rules returns all rules, and the part of their manifest that Prometheus reads.
func rules(t *testing.T) (all []rule, spec []byte) {
	t.Helper()
	var manifest struct {
		Spec map[string]any `json:"spec"`
	}
	read(t, ruleFile, &manifest)
	spec, err := yaml.Marshal(manifest.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var parsed groups
	if err := yaml.Unmarshal(spec, &parsed); err != nil {
		t.Fatal(err)
	}
	for _, group := range parsed.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all, spec
}

func TestRules(t *testing.T) {
	_, spec := rules(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "test.yaml"), []byte(text(t, testFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool := filepath.Join(dir, "promtool")
	// Without the ways of finding targets, which take minutes to build, and which rules have no use for.
	run(t, ".", "go", "build", "-tags=remove_all_sd", "-o", promtool, "github.com/prometheus/prometheus/cmd/promtool")
	run(t, dir, promtool, "check", "rules", "--lint-fatal", "rules.yaml")
	run(t, dir, promtool, "test", "rules", "test.yaml")
}

// Each alert is seen to fire and to end in the tests, has a severity, and an entry in the runbook.
func TestRulesAreComplete(t *testing.T) {
	var tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string `json:"alertname"`
				ExpAlerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	read(t, testFile, &tests)
	fires, ends := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, look := range test.AlertRuleTest {
			if len(look.ExpAlerts) > 0 {
				fires[look.Alertname] = true
			} else if fires[look.Alertname] {
				ends[look.Alertname] = true
			}
		}
	}
	runbook := text(t, manual)
	all, _ := rules(t)
	for _, rule := range all {
		if !fires[rule.Alert] || !ends[rule.Alert] {
			t.Errorf("no test sees %s fire and end", rule.Alert)
		}
		if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s has severity %q", rule.Alert, severity)
		}
		if rule.For == "" || rule.Annotations["summary"] == "" {
			t.Errorf("%s lacks for, or a summary", rule.Alert)
		}
		if !strings.Contains(runbook, "\n### "+rule.Alert+"\n") {
			t.Errorf("no entry for %s in the runbook", rule.Alert)
		}
		const page = "https://github.com/zim-operator/zim-operator/blob/main/docs/operations.md#"
		if url := rule.Annotations["runbook_url"]; url != page+strings.ToLower(rule.Alert) {
			t.Errorf("%s leads to %s", rule.Alert, url)
		}
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
