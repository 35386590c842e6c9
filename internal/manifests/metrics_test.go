package manifests_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// checkMetrics looks at the metrics of a manager that has done everything that it ever does: who may read them, and
// that they are those which docs/operations.md tells of.
func checkMetrics(t *testing.T, address string, authority *x509.CertPool) {
	t.Helper()
	reader, other := serviceAccount(t, "prometheus"), serviceAccount(t, "other")
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "zim-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: systemNamespace, Name: "prometheus"}},
	}
	if err := apiServer.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		token string
		want  int
	}{
		"no credentials":    {"", http.StatusUnauthorized},
		"wrong credentials": {"made-up", http.StatusInternalServerError}, // controller-runtime's way to refuse them.
		"no right":          {other, http.StatusForbidden},
	} {
		if status, body := scrape(t, address, authority, tc.token); status != tc.want || strings.Contains(body, "zim_operator") {
			t.Errorf("a scrape with %s: %d, %s", name, status, body)
		}
	}
	status, body := scrape(t, address, authority, reader)
	if status != http.StatusOK {
		t.Fatalf("a scrape: %d, %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	exposed, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	compareWithDocs(t, exposed)
}

// compareWithDocs checks names, types and labels of the operator's own metrics, and of others that are documented.
func compareWithDocs(t *testing.T, exposed map[string]*dto.MetricFamily) {
	t.Helper()
	documented := documentedMetrics(t)
	got := map[string]string{}
	for name, family := range exposed {
		if strings.HasPrefix(name, "zim_operator_") || documented[name] != "" {
			got[name] = strings.ToLower(family.GetType().String()) + " " + labelsOf(family)
		}
	}
	if diff := cmp.Diff(documented, got); diff != "" {
		t.Errorf("metrics (-documented +exposed):\n%s", diff)
	}
}

func labelsOf(family *dto.MetricFamily) string {
	names := map[string]bool{}
	for _, metric := range family.GetMetric() {
		for _, label := range metric.GetLabel() {
			names[label.GetName()] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

// documentedMetrics returns type and labels, in order, by name.
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		labels := strings.Split(strings.TrimSpace(cells[3]), ", ")
		slices.Sort(labels)
		documented[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[2]) + " " + strings.Join(labels, ", ")
	}
	return documented
}

// serviceAccount makes an account in the operator's namespace, and returns a token of it.
func serviceAccount(t *testing.T, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: name}}
	if err := apiServer.Create(t.Context(), account); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return serviceAccountToken(t, name)
}

// scrape reads metrics over HTTPS, with a token unless that is empty.
func scrape(t *testing.T, address string, authority *x509.CertPool, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority}}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(text)
}
