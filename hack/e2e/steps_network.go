package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
)

const (
	metricsNamespace = "e2e-metrics"
	otherNamespace   = "e2e-other"

	// getPage is what the probe is told.
	getPage = "get"
)

// Pods that try connections: one that counts as the manager, one in a namespace that may read metrics and send
// callbacks, one elsewhere.
const probes = `
apiVersion: v1
kind: Namespace
metadata: {name: e2e-metrics, labels: {metrics: enabled, zim-callbacks: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: e2e-other}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: e2e-metrics}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-metrics-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: zim-operator-metrics-reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: e2e-metrics}]
---
apiVersion: v1
kind: Service
metadata: {name: probe, namespace: e2e-other}
spec: {selector: {app: probe}, ports: [{name: http, port: 8080}]}
`

const probePod = `
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: %s, labels: {%s}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: probe
    image: ` + probeImage + `:latest
    imagePullPolicy: IfNotPresent
    args: [listen, ":8080"]
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// policy is config/network-policy with what components/callbacks adds.
const policy = "hack/e2e/policy"

// The simulator stands for ZIM, but in the cluster and without HTTPS: one rule more.
const simulatorEgress = `[{"op":"add","path":"/spec/egress/-","value":{
  "to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"zim-simulator"}}}],
  "ports":[{"port":8080,"protocol":"TCP"}]}}]`

func networkPolicy(ctx context.Context, c *cluster) error {
	if err := c.loadProbe(ctx); err != nil {
		return err
	}
	managerLabels := "app.kubernetes.io/name: zim-operator, app.kubernetes.io/instance: zim-operator, " +
		"app.kubernetes.io/component: manager"
	pods := fmt.Sprintf(probePod, systemNamespace, managerLabels) + fmt.Sprintf(probePod, metricsNamespace, "app: probe") +
		fmt.Sprintf(probePod, otherNamespace, "app: probe")
	if err := c.apply(ctx, probes+pods); err != nil {
		return err
	}
	for _, namespace := range []string{systemNamespace, metricsNamespace, otherNamespace} {
		_, err := c.kubectl(ctx, "wait", "--for=condition=Ready", "pod/probe", "--namespace", namespace, "--timeout=1m")
		if err != nil {
			return err
		}
	}
	token, err := c.kubectl(ctx, "create", "token", "prometheus", "--namespace", metricsNamespace)
	if err != nil {
		return err
	}
	const service = "zim-operator-metrics." + systemNamespace + ".svc:8443"
	const callbacks = "zim-operator-callbacks." + systemNamespace + ".svc:80"
	metrics := []string{getPage, "https://" + service + "/metrics", strings.TrimSpace(token)}
	connect := func(address string) []string { return []string{"connect", address} }
	attempts := []attempt{
		{metricsNamespace, metrics, true},
		{otherNamespace, metrics, false},
		{systemNamespace, connect("kubernetes.default.svc:443"), true},
		{systemNamespace, connect("zimsim.zim-simulator.svc:80"), true},
		{systemNamespace, connect("probe.e2e-other.svc:8080"), false},
		{otherNamespace, connect(service), false},
		{metricsNamespace, connect(callbacks), true},
		{otherNamespace, connect(callbacks), false},
	}
	// Without the policy all of it passes: what is refused later, is refused by the policy.
	if err := c.attempt(ctx, attempts, func(attempt) bool { return true }); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "apply", "-k", policy); err != nil {
		return err
	}
	if _, err := c.kubectl(ctx, "patch", "networkpolicy", "--namespace", systemNamespace, "zim-operator-manager",
		"--type=json", "--patch="+simulatorEgress); err != nil {
		return err
	}
	if err := c.attempt(ctx, attempts, func(a attempt) bool { return a.allowed }); err != nil {
		return err
	}
	// Pods that start under the policy reach all that they need.
	if _, err := c.kubectl(ctx, "delete", "pod", "probe", "--namespace", systemNamespace); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "rollout", "restart", "--namespace", systemNamespace,
		"deployment/zim-operator-manager"); err != nil {
		return err
	}
	if err := errors.Join(c.rollout(ctx), c.works(ctx, "under-policy")); err != nil {
		return err
	}
	_, err = c.kubectl(ctx, "delete", "-k", policy)
	_, err2 := c.kubectl(ctx, "delete", "namespace", metricsNamespace, otherNamespace)
	_, err3 := c.kubectl(ctx, "delete", "clusterrolebinding", "e2e-metrics-reader")
	return errors.Join(err, err2, err3)
}

// attempt is a connection from a namespace, and whether the policy allows it.
type attempt struct {
	from    string
	args    []string
	allowed bool
}

// attempt makes all connections until each goes as it should: a policy takes a moment to be in force.
func (c *cluster) attempt(ctx context.Context, all []attempt, want func(attempt) bool) error {
	for _, a := range all {
		said := ""
		if err := eventually(ctx, "a connection from "+a.from, func() error {
			args := append([]string{"exec", "--namespace", a.from, "probe", "--", "/probe"}, a.args...)
			out, err := c.kubectl(ctx, args...)
			said = strings.TrimSpace(out)
			passed := err == nil
			if !passed && !strings.Contains(err.Error(), "timeout") && !strings.Contains(err.Error(), "deadline") {
				return err
			}
			if passed != want(a) {
				return fmt.Errorf("to %s: passed is %t: %s %w", a.args[1], passed, out, err)
			}
			return nil
		}); err != nil {
			return err
		}
		if said == "" {
			said = "refused"
		}
		c.say("   %s -> %s: %s", a.from, a.args[1], said)
		if want(a) && a.args[0] == getPage && a.allowed && said != "200 OK" {
			return fmt.Errorf("metrics: %s", said)
		}
	}
	return nil
}

// loadProbe builds the image of the probes and loads it.
func (c *cluster) loadProbe(ctx context.Context) error {
	if _, err := c.quiet(ctx, "make", "image-tar", "OUT=dist/e2e", "PLATFORMS=linux/"+runtime.GOARCH,
		"IMAGES="+probeImage+"=probe=./hack/e2e/probe"); err != nil {
		return err
	}
	_, err := c.quiet(ctx, "make", "image-load", "OUT=dist/e2e", "IMAGES_TO_LOAD="+probeImage)
	return err
}
