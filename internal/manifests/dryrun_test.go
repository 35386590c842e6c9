package manifests_test

import (
	"strings"
	"testing"
)

// The namespaces that overlays and switches below speak of.
const namespaces = `
apiVersion: v1
kind: Namespace
metadata: {name: zim-operator-system, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Namespace
metadata: {name: zim-simulator}
---
apiVersion: v1
kind: Namespace
metadata: {name: team-a}
---
apiVersion: v1
kind: Namespace
metadata: {name: lobby}
`

func prepareNamespaces(t *testing.T) {
	t.Helper()
	if _, err := kubectl(namespaces, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// accepts fails the test unless the API server would take the manifests as they are, unknown fields not allowed.
func accepts(t *testing.T, manifests string) {
	t.Helper()
	out, err := kubectl(manifests, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if answers, want := strings.Count(out, "(server dry run)"), len(objects(t, manifests)); answers != want {
		t.Errorf("%d objects accepted of %d:\n%s", answers, want, out)
	}
}

// The overlays that the documentation shows.
const namespacedOverlay = `
resources: [../default, team-a]
components: [../components/namespaced]
patches:
- target: {kind: Deployment, name: zim-operator-manager}
  patch: |-
    - op: replace
      path: /spec/template/spec/containers/0/args/2
      value: --watch-namespaces=zim-operator-system,team-a
`

// deletableOverlay is that of an install whose watched namespaces may be deleted as a whole.
var deletableOverlay = strings.Replace(namespacedOverlay, "components: [../components/namespaced]",
	"components: [../components/namespaced, ../components/namespace-deletion]", 1)

// calledBackOverlay is that of an install in chosen namespaces that receives callbacks, behind a policy.
var calledBackOverlay = strings.NewReplacer("../default,", "../default, ../network-policy,",
	"../components/namespaced", "../components/namespaced, ../components/callbacks").Replace(namespacedOverlay)

var teamA = map[string]string{
	"team-a/kustomization.yaml": "namespace: team-a\nresources: [../../components/watched-namespace]\n",
}

func TestEveryOverlayIsAccepted(t *testing.T) {
	prepareNamespaces(t)
	for _, name := range []string{
		"crd", "namespace", "rbac", "manager", "operator", "default", "network-policy", "prometheus", "samples", "simulator",
		"simulator/sample", "grafana", "argocd/sample",
	} {
		t.Run(name, func(t *testing.T) { accepts(t, build(t, name)) })
	}
	for name, kustomization := range map[string]string{
		"raised limits":           "resources: [../default]\ncomponents: [../components/raised-limits]\n",
		"called back":             "resources: [../default]\ncomponents: [../components/callbacks]\n",
		"policy and monitoring":   "resources: [../default, ../network-policy, ../prometheus, ../grafana]\n",
		"namespaced, itself only": "resources: [../default]\ncomponents: [../components/namespaced]\n",
		"namespaced, with policy": "resources: [../default, ../network-policy]\ncomponents: [../components/namespaced]\n",
	} {
		t.Run(name, func(t *testing.T) { accepts(t, overlay(t, kustomization, nil)) })
	}
	t.Run("namespaced", func(t *testing.T) { accepts(t, overlay(t, namespacedOverlay, teamA)) })
	t.Run("namespaced, called back", func(t *testing.T) { accepts(t, overlay(t, calledBackOverlay, teamA)) })
	t.Run("namespaces that may go", func(t *testing.T) { accepts(t, overlay(t, deletableOverlay, teamA)) })
}

func TestAcceptsTellsWhatIsWrong(t *testing.T) {
	prepareNamespaces(t)
	wrong := strings.Replace(build(t, "manager"), "readinessProbe:", "readynessProbe:", 1)
	_, err := kubectl(wrong, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "readynessProbe") {
		t.Errorf("a misspelt field: %v", err)
	}
}

// Pods are admitted or not one by one: a Deployment would only warn.
func TestPodsAreRestricted(t *testing.T) {
	prepareNamespaces(t)
	deployments := map[string]string{
		"manager":      build(t, "default"),
		"chart":        mustTemplate(t),
		"chart, all":   mustTemplate(t, "--set", "watchNamespaces={team-a}", "--set", "networkPolicy.enabled=true"),
		"simulator":    build(t, "simulator"),
		"unrestricted": strings.Replace(build(t, "manager"), "runAsNonRoot: true", "runAsNonRoot: false", 1),
	}
	for name, manifests := range deployments {
		for key, object := range objects(t, manifests) {
			if object.GetKind() != "Deployment" {
				continue
			}
			pod, err := podOf(object)
			if err != nil {
				t.Fatal(err)
			}
			_, err = kubectl(pod, "apply", "--dry-run=server", "-f", "-")
			refused := err != nil && strings.Contains(err.Error(), `violates PodSecurity "restricted:latest": runAsNonRoot != true`)
			if name == "unrestricted" && !refused || name != "unrestricted" && err != nil {
				t.Errorf("%s, %s: %v", name, key, err)
			}
		}
	}
}
