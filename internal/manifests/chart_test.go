package manifests_test

import (
	"encoding/json"
	"flag"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/zim-operator/zim-operator/internal/options"
)

// podOf returns the pod that a Deployment would make, in the namespace of the operator, which is a restricted one.
func podOf(deployment *unstructured.Unstructured) (string, error) {
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil {
		return "", err
	}
	pod := &unstructured.Unstructured{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetName("pod")
	pod.SetNamespace(systemNamespace)
	unstructured.RemoveNestedField(pod.Object, "spec", "serviceAccountName") // There may be none.
	text, err := json.Marshal(pod.Object)
	return string(text), err
}

// comparable takes away what Helm adds for itself.
func comparable(found map[string]*unstructured.Unstructured) map[string]any {
	all := map[string]any{}
	for key, object := range found {
		labels := object.GetLabels()
		delete(labels, "helm.sh/chart")
		delete(labels, "app.kubernetes.io/managed-by")
		if len(labels) == 0 {
			labels = nil
		}
		object.SetLabels(labels)
		all[key] = object.Object
	}
	return all
}

// The chart of a release installs the image of that release, whoever serves its tag.
func TestReleasedChartNamesTheReleasedImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	out := t.TempDir()
	script := filepath.Join(root, "hack", "release", "chart.sh")
	t.Setenv("HELM", helm)
	must(t, script, "ghcr.io/example/zim-operator", digest, "v1.2.3", out)
	rendered := must(t, helm, "template", "zim-operator", filepath.Join(out, "zim-operator-1.2.3.tgz"))
	if want := "image: \"ghcr.io/example/zim-operator@" + digest + "\""; !strings.Contains(rendered, want) {
		t.Errorf("no %s in %s", want, rendered)
	}
}

func TestChartEqualsKustomization(t *testing.T) {
	// In the chart, ClusterRoles of installs in chosen namespaces are named for their own: there may be several releases.
	perNamespace := strings.NewReplacer(
		"zim-operator-zim-operator-system-view", "zim-operator-view",
		"zim-operator-zim-operator-system-edit", "zim-operator-edit",
		"zim-operator-zim-operator-system-admin", "zim-operator-admin",
		"zim-operator-zim-operator-system-namespace-deletion", "zim-operator-namespace-deletion",
	)
	for name, tc := range map[string]struct {
		kustomized string
		args       []string
	}{
		"default": {kustomized: build(t, "default")},
		"policy and monitoring": {
			kustomized: overlay(t, "resources: [../default, ../network-policy, ../prometheus, ../grafana]\n", nil),
			args: []string{
				"--set", "networkPolicy.enabled=true", "--set", "serviceMonitor.enabled=true",
				"--set", "prometheusRule.enabled=true", "--set", "dashboard.enabled=true",
			},
		},
		"callbacks": {
			kustomized: overlay(t, "resources: [../default]\ncomponents: [../components/callbacks]\n", nil),
			args:       []string{"--set", "callbacks.enabled=true"},
		},
		"callbacks and policy": {
			kustomized: overlay(t, "resources: [../default, ../network-policy]\ncomponents: [../components/callbacks]\n", nil),
			args:       []string{"--set", "callbacks.enabled=true,networkPolicy.enabled=true"},
		},
		"namespaced": {
			kustomized: overlay(t, namespacedOverlay, teamA),
			args:       []string{"--set", "watchNamespaces={team-a}"},
		},
		"namespaced, with callbacks and a policy": {
			kustomized: overlay(t, calledBackOverlay, teamA),
			args:       []string{"--set", "watchNamespaces={team-a},callbacks.enabled=true,networkPolicy.enabled=true"},
		},
		"namespaced, and namespaces may go": {
			kustomized: overlay(t, deletableOverlay, teamA),
			args:       []string{"--set", "watchNamespaces={team-a}", "--set", "rbac.namespaceDeletion=true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			kustomized, charted := objects(t, tc.kustomized), objects(t, perNamespace.Replace(mustTemplate(t, tc.args...)))
			delete(kustomized, "Namespace /zim-operator-system") // Helm's --create-namespace makes it.
			want, got := comparable(kustomized), comparable(charted)
			for _, crd := range []string{"zimapps", "zimrooms"} {
				if want["CustomResourceDefinition /"+crd+".zim.zego.im"] == nil {
					t.Errorf("no CRD of %s to compare", crd)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("kustomize has -, the chart has +:\n" + diff)
			}
		})
	}
}

func TestChartLint(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"--set", "watchNamespaces={team-a}"},
		{"--set", "defaultApp.create=true,defaultApp.appID=1,defaultApp.fromUserID=operator"},
	} {
		must(t, helm, append([]string{"lint", "--strict", chart}, args...)...)
	}
}

// Each switch: what it adds or removes, compared with the chart as it is, and that the API server takes it.
func TestChartSwitches(t *testing.T) {
	prepareNamespaces(t)
	plain := slices.Sorted(maps.Keys(objects(t, mustTemplate(t))))
	const deployment = "Deployment zim-operator-system/zim-operator-manager"
	monitorObjects := []string{"ServiceMonitor zim-operator-system/zim-operator-metrics"}
	readerObjects := []string{
		"ClusterRoleBinding /zim-operator-metrics-reader", "Secret zim-operator-system/zim-operator-metrics-reader",
		"ServiceAccount zim-operator-system/zim-operator-metrics-reader",
	}
	namespacedRoles := []string{
		"Role team-a/zim-operator-manager", "Role zim-operator-system/zim-operator-manager",
		"RoleBinding team-a/zim-operator-manager", "RoleBinding zim-operator-system/zim-operator-manager",
	}
	clusterWide := []string{
		"ClusterRole /zim-operator-manager", "ClusterRoleBinding /zim-operator-manager",
		"ClusterRole /zim-operator-metrics-auth", "ClusterRoleBinding /zim-operator-metrics-auth",
		"ClusterRole /zim-operator-metrics-reader", "Service zim-operator-system/zim-operator-metrics",
	}
	for name, tc := range map[string]struct {
		set           string
		added, absent []string
		// contains are texts that the Deployment, or the one added object, shows; without those that they don't.
		contains, without []string
	}{
		"image":               {set: "image.repository=example.com/z,image.tag=v1", contains: []string{`"image":"example.com/z:v1"`}},
		"digest":              {set: "image.tag=v1,image.digest=sha256:" + strings.Repeat("a", 64), contains: []string{"zim-operator@sha256:aaa"}},
		"pull policy":         {set: "image.pullPolicy=Always", contains: []string{`"imagePullPolicy":"Always"`}},
		"affinity":            {set: "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1,affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key=a,affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator=Exists", contains: []string{`"affinity":{"nodeAffinity":`}},
		"pull secret":         {set: "imagePullSecrets[0].name=registry", contains: []string{`"imagePullSecrets":[{"name":"registry"}]`}},
		"replicas":            {set: "replicas=3", contains: []string{`"replicas":3`}},
		"interval":            {set: "verifyInterval=5m", contains: []string{"--verify-interval=5m"}},
		"workers":             {set: "maxConcurrentReconciles=20", contains: []string{"--max-concurrent-reconciles=20"}},
		"hosts":               {set: "allowedEndpointHosts={a.example.com,b.example.com}", contains: []string{"--allowed-endpoint-hosts=a.example.com,b.example.com"}},
		"insecure":            {set: "allowInsecureEndpoints=true", contains: []string{"--allow-insecure-endpoints"}},
		"extra flags":         {set: "extraArgs={--zap-log-level=debug}", contains: []string{"--zap-log-level=debug"}},
		"resources":           {set: "resources.limits.memory=512Mi", contains: []string{`"memory":"512Mi"`}},
		"pod annotations":     {set: "podAnnotations.a=b", contains: []string{`"a":"b"`}},
		"pod labels":          {set: "podLabels.a=b", contains: []string{`"a":"b"`}},
		"node selector":       {set: "nodeSelector.a=b", contains: []string{`"nodeSelector":{"a":"b"}`}},
		"tolerations":         {set: "tolerations[0].operator=Exists", contains: []string{`"tolerations":[{"operator":"Exists"}]`}},
		"priority":            {set: "priorityClassName=system-cluster-critical", contains: []string{`"priorityClassName":"system-cluster-critical"`}},
		"no budget":           {set: "podDisruptionBudget.enabled=false", absent: []string{"PodDisruptionBudget zim-operator-system/zim-operator-manager"}},
		"own service account": {set: "serviceAccount.create=false,serviceAccount.name=mine", absent: []string{"ServiceAccount zim-operator-system/zim-operator-manager"}, contains: []string{`"serviceAccountName":"mine"`}},
		"no user roles":       {set: "rbac.userRoles=false", absent: []string{"ClusterRole /zim-operator-admin", "ClusterRole /zim-operator-edit", "ClusterRole /zim-operator-view"}},
		"no rights": {set: "rbac.create=false", absent: []string{
			"ClusterRole /zim-operator-manager", "ClusterRoleBinding /zim-operator-manager",
			"ClusterRole /zim-operator-metrics-auth", "ClusterRoleBinding /zim-operator-metrics-auth",
			"ClusterRole /zim-operator-metrics-reader",
			"Role zim-operator-system/zim-operator-leader-election", "RoleBinding zim-operator-system/zim-operator-leader-election",
		}},
		"no metrics": {set: "metrics.enabled=false", absent: []string{
			"ClusterRole /zim-operator-metrics-auth", "ClusterRoleBinding /zim-operator-metrics-auth",
			"ClusterRole /zim-operator-metrics-reader", "Service zim-operator-system/zim-operator-metrics",
		}, contains: []string{"--metrics-bind-address=0"}},
		"service monitor": {set: "serviceMonitor.enabled=true,serviceMonitor.labels.release=prom,serviceMonitor.interval=10s",
			added: slices.Concat(monitorObjects, readerObjects),
			contains: []string{`"release":"prom"`, `"interval":"10s"`, `"insecureSkipVerify":true`,
				`"authorization":{"credentials":{"key":"token","name":"zim-operator-metrics-reader"}}`}},
		"service monitor, own account": {set: "serviceMonitor.enabled=true,serviceMonitor.credentials.name=mine,serviceMonitor.credentials.key=jwt",
			added:    monitorObjects,
			contains: []string{`"authorization":{"credentials":{"key":"jwt","name":"mine"}}`}},
		"certificate of metrics": {set: "serviceMonitor.enabled=true,metrics.tlsSecret=cert",
			added: slices.Concat(monitorObjects, readerObjects),
			contains: []string{`--metrics-cert-dir=/tls`, `"secretName":"cert"`, `"mountPath":"/tls"`,
				`"ca":{"secret":{"key":"ca.crt","name":"cert"}}`, `"serverName":"zim-operator-metrics.zim-operator-system.svc"`},
			without: []string{"insecureSkipVerify"}},
		"rules": {set: "prometheusRule.enabled=true,prometheusRule.labels.release=prom",
			added: []string{"PrometheusRule zim-operator-system/zim-operator"}, contains: []string{`"release":"prom"`, `{{ $labels.app_id }}`}},
		"dashboard": {set: "dashboard.enabled=true,dashboard.labels.team=chat",
			added: []string{"ConfigMap zim-operator-system/zim-operator-dashboard"}, contains: []string{`"team":"chat"`, `{{lane}}`}},
		"network policy": {set: "networkPolicy.enabled=true,networkPolicy.egressPorts={16443},networkPolicy.extraEgress[0].to[0].ipBlock.cidr=10.0.0.0/8",
			added:    []string{"NetworkPolicy zim-operator-system/zim-operator-manager"},
			contains: []string{`"port":16443`, `"cidr":"10.0.0.0/8"`, `"from":[{"namespaceSelector":{"matchLabels":{"metrics":"enabled"}}}]`}},
		"readers of metrics": {set: "networkPolicy.enabled=true,networkPolicy.metricsFrom[0].podSelector.matchLabels.a=b",
			added:    []string{"NetworkPolicy zim-operator-system/zim-operator-manager"},
			contains: []string{`"from":[{"podSelector":{"matchLabels":{"a":"b"}}}]`}},
		"nobody reads metrics": {set: "networkPolicy.enabled=true,networkPolicy.metricsFrom=null",
			added:    []string{"NetworkPolicy zim-operator-system/zim-operator-manager"},
			contains: []string{`"policyTypes":["Ingress","Egress"]`}, without: []string{`"ingress":`}},
		"callbacks": {set: "callbacks.enabled=true",
			added: []string{"Service zim-operator-system/zim-operator-callbacks"}, contains: []string{"--callback-bind-address=:8082", `"targetPort":"callbacks"`}},
		"callbacks and nothing else lets in": {set: "callbacks.enabled=true,metrics.enabled=false,networkPolicy.enabled=true,networkPolicy.callbacksFrom[0].podSelector.matchLabels.a=b",
			added: []string{"NetworkPolicy zim-operator-system/zim-operator-manager", "Service zim-operator-system/zim-operator-callbacks"},
			absent: []string{
				"ClusterRole /zim-operator-metrics-auth", "ClusterRoleBinding /zim-operator-metrics-auth",
				"ClusterRole /zim-operator-metrics-reader", "Service zim-operator-system/zim-operator-metrics",
			},
			contains: []string{`"ingress":[{"from":[{"podSelector":{"matchLabels":{"a":"b"}}}],"ports":[{"port":"callbacks"`}},
		"nobody sends callbacks": {set: "callbacks.enabled=true,networkPolicy.enabled=true,networkPolicy.metricsFrom=null,networkPolicy.callbacksFrom=null",
			added:   []string{"NetworkPolicy zim-operator-system/zim-operator-manager", "Service zim-operator-system/zim-operator-callbacks"},
			without: []string{`"ingress":`}},
		"default app": {set: "defaultApp.create=true,defaultApp.appID=4294967295,defaultApp.fromUserID=operator,defaultApp.allowedNamespaces.from=All",
			added:    []string{"ZimApp zim-operator-system/default"},
			contains: []string{`"appID":4294967295`, `"from":"All"`, `"helm.sh/resource-policy":"keep"`}},
		"default app for some": {set: "defaultApp.create=true,defaultApp.appID=1,defaultApp.fromUserID=operator,defaultApp.endpoint=https://zim-api-sgp.zego.im,defaultApp.requestsPerSecond=7,defaultApp.secret.name=other,defaultApp.secret.key=k,defaultApp.allowedNamespaces.from=Selector,defaultApp.allowedNamespaces.selector.matchLabels.rooms=yes",
			added: []string{"ZimApp zim-operator-system/default"},
			contains: []string{`"endpoint":"https://zim-api-sgp.zego.im"`, `"requestsPerSecond":7`, `"serverSecretRef":{"key":"k","name":"other"}`,
				`"selector":{"matchLabels":{"rooms":"yes"}}`}},
		"default app with secret": {set: "defaultApp.create=true,defaultApp.appID=1,defaultApp.fromUserID=operator,defaultApp.secret.serverSecret=abc",
			added:    []string{"Secret zim-operator-system/zim", "ZimApp zim-operator-system/default"},
			contains: []string{`"serverSecret":"abc"`}, without: []string{"callback"}},
		"default app with callbacks": {set: "defaultApp.create=true,defaultApp.appID=1,defaultApp.fromUserID=operator,defaultApp.secret.serverSecret=abc,defaultApp.secret.callbackKey=back,defaultApp.secret.callbackSecret=def",
			added:    []string{"Secret zim-operator-system/zim", "ZimApp zim-operator-system/default"},
			contains: []string{`"stringData":{"back":"def","serverSecret":"abc"}`, `"callbackSecretRef":{"key":"back","name":"zim"}`}},
		"namespaces that may go": {set: "watchNamespaces={team-a},rbac.namespaceDeletion=true,rbac.userRoles=false",
			added: append([]string{
				"ClusterRole /zim-operator-zim-operator-system-namespace-deletion",
				"ClusterRoleBinding /zim-operator-zim-operator-system-namespace-deletion",
			}, namespacedRoles...),
			absent: append([]string{
				"ClusterRole /zim-operator-admin", "ClusterRole /zim-operator-edit", "ClusterRole /zim-operator-view",
			}, clusterWide...)},
		"namespaces": {set: "watchNamespaces={team-a}",
			added: append([]string{
				"ClusterRole /zim-operator-zim-operator-system-admin", "ClusterRole /zim-operator-zim-operator-system-edit",
				"ClusterRole /zim-operator-zim-operator-system-view",
			}, namespacedRoles...),
			absent: append([]string{
				"ClusterRole /zim-operator-admin", "ClusterRole /zim-operator-edit", "ClusterRole /zim-operator-view",
			}, clusterWide...),
			contains: []string{"--watch-namespaces=zim-operator-system,team-a", "--metrics-bind-address=0"}},
	} {
		t.Run(name, func(t *testing.T) {
			manifests := mustTemplate(t, "--set", tc.set)
			accepts(t, manifests)
			found := objects(t, manifests)
			want := slices.DeleteFunc(slices.Concat(plain, tc.added), func(key string) bool { return slices.Contains(tc.absent, key) })
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(found))); diff != "" {
				t.Error(diff)
			}
			var all strings.Builder
			for _, key := range append([]string{deployment}, tc.added...) {
				text, err := found[key].MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				all.Write(text)
			}
			shown := all.String()
			for _, text := range tc.contains {
				if !strings.Contains(shown, text) {
					t.Errorf("%s is not there:\n%s", text, shown)
				}
			}
			for _, text := range tc.without {
				if strings.Contains(shown, text) {
					t.Errorf("%s is there:\n%s", text, shown)
				}
			}
		})
	}
}

func TestChartNamesFollowTheRelease(t *testing.T) {
	out := must(t, helm, "template", "mine", chart, "--namespace", "elsewhere")
	found := objects(t, out)
	for _, key := range []string{"Deployment elsewhere/mine-zim-operator-manager", "ClusterRole /mine-zim-operator-manager"} {
		if found[key] == nil {
			t.Errorf("no %s in %v", key, slices.Sorted(maps.Keys(found)))
		}
	}
	if strings.Contains(out, systemNamespace) {
		t.Error("another namespace is named: " + out)
	}
}

// Names that YAML takes for numbers, or for true and false, are names all the same.
func TestChartTakesNamesThatLookLikeNumbers(t *testing.T) {
	if _, err := kubectl("apiVersion: v1\nkind: Namespace\nmetadata: {name: '123'}\n", "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	sets := []string{
		"fullnameOverride=7", "serviceAccount.name=1e3", "priorityClassName=0", "imagePullSecrets[0].name=1",
		"serviceAccount.annotations.a=true", "podLabels.a=1", "podAnnotations.a=1", "nodeSelector.a=true",
		"defaultApp.fromUserID=1", "defaultApp.secret.name=2", "defaultApp.secret.key=3", "defaultApp.secret.serverSecret=4",
		"defaultApp.secret.callbackKey=5", "defaultApp.secret.callbackSecret=6",
		"networkPolicy.metricsFrom[0].podSelector.matchLabels.a=1", "serviceMonitor.labels.a=1", "prometheusRule.labels.a=1",
		"image.tag=1", "serviceMonitor.credentials.name=5", "metrics.tlsSecret=6",
	}
	args := []string{
		"template", "1", chart, "--namespace", "123", "--set-string", strings.Join(sets, ","),
		"--set", "defaultApp.create=true,defaultApp.appID=1,networkPolicy.enabled=true",
	}
	for _, more := range [][]string{
		{"--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true"},
		{"--set-string", "watchNamespaces={123}", "--set", "rbac.namespaceDeletion=true"},
	} {
		out := must(t, helm, slices.Concat(args, more)...)
		for key, object := range objects(t, out) {
			if object.GetName() == "" || object.GetNamespace() == "" && !strings.HasPrefix(object.GetKind(), "Cluster") {
				t.Errorf("%s: a name is lost", key)
			}
		}
		accepts(t, out)
	}
}

// Two releases in namespaces of their own get along: nothing that both bring is of the whole cluster.
func TestChartIsInstalledTwice(t *testing.T) {
	brings := func(namespace string) map[string]*unstructured.Unstructured {
		return objects(t, must(t, helm, "template", "zim-operator", chart, "--namespace", namespace,
			"--set", "watchNamespaces={"+namespace+"}", "--set", "rbac.namespaceDeletion=true"))
	}
	one, other := brings("one"), brings("other")
	for key := range one {
		if other[key] != nil {
			t.Errorf("both bring %s", key)
		}
	}
}

// The schema takes no interval that the manager refuses.
func TestChartTakesIntervalsThatTheManagerTakes(t *testing.T) {
	for interval, want := range map[string]bool{
		"0": true, "0s": true, "1s": true, "90s": true, "9999s": true, "86400s": true, "1m": true, "1440m": true, "90m30s": true,
		"1h": true, "24h": true, "23h59m59s": true, "1h30s": true, "1h30m": true,
		"500ms": false, "48h": false, "25h": false, "24h1s": false, "1441m": false, "1440m1s": false, "86401s": false,
		"99999s": false, "": false, "-1s": false, "1": false, "1d": false, "0.5s": false, "1s1m": false,
	} {
		_, err := template("--set-string", "verifyInterval="+interval)
		if taken := err == nil; taken != want || err != nil && !strings.Contains(err.Error(), "/verifyInterval") {
			t.Errorf("%q: the chart says %v", interval, err)
		}
		flags := flag.NewFlagSet("manager", flag.ContinueOnError)
		if _, err := options.Parse(flags, []string{"--verify-interval=" + interval}); want && err != nil {
			t.Errorf("%q: the manager says %v", interval, err)
		}
	}
}

func TestChartRefusesWrongValues(t *testing.T) {
	for set, name := range map[string]string{
		"nosuch=1":                                             "nosuch",
		"image.repo=x":                                         "repo",
		"image.pullPolicy=Sometimes":                           "/image/pullPolicy",
		"image.digest=abc":                                     "/image/digest",
		"replicas=-1":                                          "/replicas",
		"replicas=two":                                         "/replicas",
		"verifyInterval=soon":                                  "/verifyInterval",
		"verifyInterval=500ms":                                 "/verifyInterval",
		"verifyInterval=48h":                                   "/verifyInterval",
		"serviceAccount.name=My_Account":                       "/serviceAccount/name",
		"priorityClassName=High":                               "/priorityClassName",
		"imagePullSecrets[0].name=A":                           "/imagePullSecrets/0/name",
		"image.repository=Registry/X":                          "/image/repository",
		"watchNamespaces={team.a}":                             "/watchNamespaces/0",
		"podLabels.a=b c":                                      "/podLabels/a",
		"nodeSelector.a=b/c":                                   "/nodeSelector/a",
		"rbac.namespaceDeletion=perhaps":                       "/rbac/namespaceDeletion",
		"metrics.tlsSecret=A":                                  "/metrics/tlsSecret",
		"serviceMonitor.credentials.name=A":                    "/serviceMonitor/credentials/name",
		"networkPolicy.metricsFrom.metrics=enabled":            "/networkPolicy/metricsFrom",
		"networkPolicy.metricsFrom[0].labels.a=b":              "labels",
		"defaultApp.secret.name=A":                             "/defaultApp/secret/name",
		"defaultApp.secret.key=a/b":                            "/defaultApp/secret/key",
		"defaultApp.secret.callbackKey=a/b":                    "/defaultApp/secret/callbackKey",
		"defaultApp.secret.callbackSecret=a":                   "/defaultApp/secret/callbackKey",
		"defaultApp.fromUserID=a\"b":                           "/defaultApp/fromUserID",
		"maxConcurrentReconciles=0":                            "/maxConcurrentReconciles",
		"watchNamespaces={Team_A}":                             "/watchNamespaces",
		"watchNamespaces=team-a":                               "/watchNamespaces",
		"allowInsecureEndpoints=maybe":                         "/allowInsecureEndpoints",
		"allowedEndpointHosts={a b}":                           "/allowedEndpointHosts",
		"extraArgs={leader-elect}":                             "/extraArgs",
		"resources.limit.memory=1Gi":                           "limit",
		"serviceAccount.create=false":                          "/serviceAccount",
		"metrics.enable=true":                                  "enable",
		"callbacks.enabled=maybe":                              "/callbacks/enabled",
		"serviceMonitor.interval=often":                        "/serviceMonitor/interval",
		"networkPolicy.egressPorts={70000}":                    "/networkPolicy/egressPorts",
		"defaultApp.create=true":                               "/defaultApp/appID",
		"defaultApp.appID=4294967296":                          "/defaultApp/appID",
		"defaultApp.endpoint=ftp://x":                          "/defaultApp/endpoint",
		"defaultApp.requestsPerSecond=0":                       "/defaultApp/requestsPerSecond",
		"defaultApp.allowedNamespaces.from=Any":                "/defaultApp/allowedNamespaces/from",
		"defaultApp.allowedNamespaces.from=Selector":           "selector",
		"defaultApp.create=true,defaultApp.appID=1":            "/defaultApp/fromUserID",
		"serviceMonitor.enabled=true,metrics.enabled=false":    "serviceMonitor.enabled",
		"serviceMonitor.enabled=true,watchNamespaces={team-a}": "serviceMonitor.enabled",
		"prometheusRule.enabled=true,metrics.enabled=false":    "prometheusRule.enabled",
		"dashboard.enable=true":                                "enable",
	} {
		if _, err := template("--set", set); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: want a refusal that names %s, got %v", set, name, err)
		}
	}
}

// What must outlive the operator is not among what uninstalling removes.
func TestWhatStays(t *testing.T) {
	for key, object := range objects(t, build(t, "operator")) {
		switch object.GetKind() {
		case "CustomResourceDefinition", "Namespace", "ZimApp", "Secret":
			t.Errorf("config/operator has %s", key)
		}
	}
	for _, manifests := range []string{build(t, "default"), mustTemplate(t)} {
		kept := 0
		for key, object := range objects(t, manifests) {
			if object.GetKind() != "CustomResourceDefinition" {
				continue
			}
			kept++
			annotations := object.GetAnnotations()
			if annotations["helm.sh/resource-policy"] != "keep" ||
				annotations["argocd.argoproj.io/sync-options"] != "Prune=false,Delete=false" {
				t.Errorf("%s: %v", key, annotations)
			}
		}
		if kept != 2 {
			t.Errorf("%d CRDs, want 2", kept)
		}
	}
}
