package monitoring_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

const dashboardFile = "../../config/grafana/zim-operator.json"

type dashboard struct {
	UID        string `json:"uid"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Targets     []struct {
			Expr         string `json:"expr"`
			LegendFormat string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var board dashboard
	if err := json.Unmarshal([]byte(text(t, dashboardFile)), &board); err != nil {
		t.Fatal(err)
	}
	return board
}

// Every query of the dashboard and every alert is PromQL, and asks for metrics and labels that are documented; another
// test compares the documentation with what a running manager exposes.
func TestQueries(t *testing.T) {
	all, _ := rules(t)
	for _, rule := range all {
		checkQuery(t, "alert "+rule.Alert, rule.Expr)
	}
	variables := map[string]bool{"__rate_interval": true}
	board := readDashboard(t)
	for _, variable := range board.Templating.List {
		variables[variable.Name] = true
		if variable.Type == "query" {
			checkVariable(t, variable.Name, variable.Query)
		}
	}
	used := regexp.MustCompile(`\$\{?(\w+)`)
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			for _, match := range used.FindAllStringSubmatch(target.Expr, -1) {
				if !variables[match[1]] {
					t.Errorf("panel %s: no variable %s", panel.Title, match[1])
				}
			}
			query := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			labels := checkQuery(t, "panel "+panel.Title, used.ReplaceAllString(query, ".*"))
			checkLegend(t, panel.Title, target.LegendFormat, labels)
		}
	}
}

// checkQuery returns the labels of the result, if the query says which they are.
func checkQuery(t *testing.T, where, query string) []string {
	t.Helper()
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v in %s", where, err, query)
		return nil
	}
	documented := documentedMetrics(t)
	var known []string // Labels of all metrics of the query.
	selectors := 0
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selectors++
		labels, ok := labelsOf(documented, selector.Name)
		if !ok {
			t.Errorf("%s: nobody exposes %s", where, selector.Name)
		}
		known = append(known, labels...)
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != "__name__" && !slices.Contains(labels, matcher.Name) && ok {
				t.Errorf("%s: %s has no label %s", where, selector.Name, matcher.Name)
			}
		}
		return nil
	})
	if selectors == 0 {
		t.Errorf("%s: %s asks for nothing", where, query)
	}
	var grouped []string
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if aggregation, ok := node.(*parser.AggregateExpr); ok {
			grouped = append(grouped, aggregation.Grouping...)
			for _, label := range aggregation.Grouping {
				if !slices.Contains(known, label) {
					t.Errorf("%s: no metric has the label %s", where, label)
				}
			}
		}
		return nil
	})
	return grouped
}

// labelsOf returns the labels of a series; those that Prometheus adds included.
func labelsOf(documented map[string]metric, series string) ([]string, bool) {
	target := []string{"job", "instance", "namespace"}
	if found, ok := documented[series]; ok && found.kind != "histogram" {
		return slices.Concat(target, found.labels), true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name, cut := strings.CutSuffix(series, suffix)
		found, ok := documented[name]
		if cut && ok && found.kind == "histogram" {
			labels := slices.Concat(target, found.labels)
			if suffix == "_bucket" {
				labels = append(labels, "le")
			}
			return labels, true
		}
	}
	return nil, false
}

func checkLegend(t *testing.T, title, legend string, labels []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(legend, -1) {
		if !slices.Contains(labels, match[1]) {
			t.Errorf("panel %s: the legend shows %s, the query groups by %v", title, match[1], labels)
		}
	}
}

// checkVariable checks a query of the form label_values(metric, label).
func checkVariable(t *testing.T, name string, query any) {
	t.Helper()
	text := fmt.Sprint(query)
	match := regexp.MustCompile(`label_values\((\w+), (\w+)\)`).FindStringSubmatch(text)
	if match == nil {
		t.Errorf("variable %s: %s", name, text)
		return
	}
	if labels, ok := labelsOf(documentedMetrics(t), match[1]); !ok || !slices.Contains(labels, match[2]) {
		t.Errorf("variable %s: %s has no label %s", name, match[1], match[2])
	}
}

func TestDashboardIsComplete(t *testing.T) {
	board, seen := readDashboard(t), map[int]bool{}
	for _, panel := range board.Panels {
		if seen[panel.ID] || panel.Title == "" || (panel.Type != "row" && len(panel.Targets) == 0) {
			t.Errorf("panel %d: %+v", panel.ID, panel)
		}
		seen[panel.ID] = true
	}
	if board.UID == "" {
		t.Error("no uid: an import would make a second dashboard")
	}
}

type metric struct {
	kind   string
	labels []string
}

// documentedMetrics reads the tables of metrics in docs/operations.md.
func documentedMetrics(t *testing.T) map[string]metric {
	t.Helper()
	documented := map[string]metric{}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (gauge|counter|histogram) \\| ([\\w, ]*)\\|")
	for _, match := range row.FindAllStringSubmatch(text(t, manual), -1) {
		labels := strings.FieldsFunc(match[3], func(r rune) bool { return r == ',' || r == ' ' })
		documented[match[1]] = metric{match[2], labels}
	}
	if len(documented) == 0 {
		t.Fatal("no metrics in the documentation")
	}
	return documented
}
