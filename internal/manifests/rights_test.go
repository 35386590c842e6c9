package manifests_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/startup"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// managerAccount is the manager's user name at the API server.
const managerAccount = "system:serviceaccount:" + systemNamespace + ":zim-operator-manager"

const (
	appID        = 1234567890
	serverSecret = "00000000000000000000000000000000"

	// soon is how long the operator may take for what it does at once. Generous: the machine may be busy.
	soon = 30 * time.Second
	// poll is the pause between two looks.
	poll = 100 * time.Millisecond
)

// use is one right: what is done to what.
type use struct{ Group, Resource, Verb string }

// The manager may do what it does, no more and no less. Both are read from what the API server saw while a manager with
// nothing but its own rights went through the life of rooms.
func TestRightsAreThoseThatAreUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		manifests string
		flags     []string
		metrics   bool
		// bound are the roles of the manager.
		bound []string
	}{
		"cluster": {
			manifests: build(t, "operator"), metrics: true,
			bound: []string{
				"ClusterRole /zim-operator-manager", "ClusterRole /zim-operator-metrics-auth",
				"Role zim-operator-system/zim-operator-leader-election",
			},
		},
		"namespaced": {
			manifests: overlay(t, strings.ReplaceAll(namespacedOverlay, "../default", "../operator"), teamA),
			flags:     []string{"--watch-namespaces=team-a"},
			bound: []string{
				"Role team-a/zim-operator-manager", "Role zim-operator-system/zim-operator-manager",
				"Role zim-operator-system/zim-operator-leader-election",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			prepareNamespaces(t)
			install(t, tc.manifests)
			begin := auditSize(t)
			live(t, tc.flags, tc.metrics)
			used, refused := uses(t, begin)
			if len(refused) > 0 {
				t.Errorf("refused: %v", refused)
			}
			all := granted(t, tc.manifests, tc.bound)
			for right := range all {
				// What can be watched may be listed: API servers before 1.34 can't stream the list.
				if right.Verb == "list" && used[use{right.Group, right.Resource, "watch"}] {
					used[right] = true
				}
			}
			delete(used, use{"authorization.k8s.io", "selfsubjectaccessreviews", "create"}) // Everybody may.
			if diff := cmp.Diff(sorted(all), sorted(used)); diff != "" {
				t.Error("rights that are not used have -, uses without a right +:\n" + diff)
			}
		})
	}
}

// live runs the manager with the rights of its service account, and lets it do everything that it ever does.
func live(t *testing.T, flags []string, withMetrics bool) {
	t.Helper()
	ctx := t.Context()
	simulator := zimsim.New(zimsim.Options{Apps: []zimsim.App{{AppID: appID, ServerSecret: serverSecret}}})
	zim := httptest.NewServer(simulator.API())
	defer zim.Close()
	address := freeAddress(t)
	flags = append([]string{
		"--leader-elect", "--operator-namespace=" + systemNamespace, "--allow-insecure-endpoints",
		"--callback-bind-address=" + freeAddress(t),
	}, flags...)
	certificates, authority := certificate(t)
	if withMetrics {
		flags = append(flags, "--metrics-bind-address="+address, "--metrics-cert-dir="+certificates)
	}
	stop := start(t, flags)
	defer stop()

	apply(ctx, t, secret(), app(zim.URL))
	first, second := room("first", "Room1"), room("second", "Room1")
	first.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "topic", Value: "welcome"}}
	apply(ctx, t, first)
	eventually(t, "a first room", func() bool { return isReady(ctx, t, first) })
	apply(ctx, t, second)
	eventually(t, "a duplicate", func() bool { return stalled(ctx, t, second) })
	if err := simulator.DestroyRoom(appID, "Room1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a room that came back", func() bool { return current(ctx, t, first).Status.Room.Recreations > 0 })
	for range 2 { // The same event twice becomes a series.
		if err := simulator.SetAttribute(appID, "Room1", "topic", "drift"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a mended attribute", func() bool {
			live, _ := simulator.Room(appID, "Room1")
			return live.Attributes["topic"].Value == "welcome"
		})
	}
	// A namespace that gets a label may use the app of another.
	foreign := room("foreign", "Room2")
	foreign.Namespace, foreign.Spec.AppRef = systemNamespace, &zimv1alpha1.AppReference{Namespace: "team-a", Name: "default"}
	apply(ctx, t, foreign)
	label(ctx, t, systemNamespace, "rooms", "yes")
	eventually(t, "a room of the labelled namespace", func() bool { return isReady(ctx, t, foreign) })
	defer label(ctx, t, systemNamespace, "rooms", "no")

	if withMetrics {
		checkMetrics(t, address, authority)
	}
	for _, object := range []client.Object{first, second, foreign, app(zim.URL), secret()} {
		if err := apiServer.Delete(ctx, object); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of "+object.GetName(), func() bool {
			return apiServer.Get(ctx, client.ObjectKeyFromObject(object), object) != nil
		})
	}
	eventually(t, "no room", func() bool { return len(simulator.Rooms(appID)) == 0 })
}

// start runs the manager, with the rights of its service account, until the returned function is called.
func start(t *testing.T, flags []string) (stop func()) {
	t.Helper()
	process, log := launch(t, append(flags, "--kubeconfig="+serviceAccountKubeconfig(t, "zim-operator-manager")))
	return func() {
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := process.Wait(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	}
}

// launch runs the manager, and returns when it is ready. Its log is not to be read before it has ended.
func launch(t *testing.T, flags []string) (process *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	probes := freeAddress(t)
	flags = append([]string{"--health-probe-bind-address=" + probes}, flags...)
	process = exec.CommandContext(context.WithoutCancel(t.Context()), manager, flags...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+probes+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	return process, log
}

// serviceAccountKubeconfig makes a kubeconfig with a token of a service account of the operator's namespace.
func serviceAccountKubeconfig(t *testing.T, name string) string {
	t.Helper()
	token := serviceAccountToken(t, name)
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "it",
		"clusters": []any{map[string]any{"name": "it", "cluster": map[string]any{
			"server": restConfig.Host, "certificate-authority-data": restConfig.CAData,
		}}},
		"users":    []any{map[string]any{"name": "it", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "it", "context": map[string]any{"cluster": "it", "user": "it"}}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func serviceAccountToken(t *testing.T, name string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: name}}
	if err := apiServer.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// certificate makes one for this machine, in a directory as a Secret would be mounted, and returns who vouches for it.
func certificate(t *testing.T) (dir string, authority *x509.CertPool) {
	t.Helper()
	dir, authority = t.TempDir(), x509.NewCertPool()
	chain, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	authority.AppendCertsFromPEM(chain)
	for name, data := range map[string][]byte{"tls.crt": chain, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, authority
}

func freeAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

func secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "zim"},
		StringData: map[string]string{"serverSecret": serverSecret},
	}
}

func app(endpoint string) *zimv1alpha1.ZimApp {
	return &zimv1alpha1.ZimApp{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "default"},
		Spec: zimv1alpha1.ZimAppSpec{
			AppID: appID, FromUserID: "operator", Endpoint: endpoint,
			ServerSecretRef: zimv1alpha1.SecretKeyReference{Name: "zim"},
			AllowedNamespaces: &zimv1alpha1.AllowedNamespaces{
				From:     zimv1alpha1.NamespacesFromSelector,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"rooms": "yes"}},
			},
		},
	}
}

func room(name, id string) *zimv1alpha1.ZimRoom {
	return &zimv1alpha1.ZimRoom{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name},
		Spec:       zimv1alpha1.ZimRoomSpec{ID: id, Interval: &metav1.Duration{Duration: time.Second}},
	}
}

func apply(ctx context.Context, t *testing.T, all ...client.Object) {
	t.Helper()
	for _, object := range all {
		if err := apiServer.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
	}
}

func label(ctx context.Context, t *testing.T, namespace, key, value string) {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
	if err := apiServer.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

func current(ctx context.Context, t *testing.T, room *zimv1alpha1.ZimRoom) *zimv1alpha1.ZimRoom {
	t.Helper()
	found := &zimv1alpha1.ZimRoom{}
	if err := apiServer.Get(ctx, client.ObjectKeyFromObject(room), found); err != nil {
		t.Fatal(err)
	}
	return found
}

func hasCondition(ctx context.Context, t *testing.T, room *zimv1alpha1.ZimRoom, name string) bool {
	t.Helper()
	return slices.ContainsFunc(current(ctx, t, room).Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == name && c.Status == metav1.ConditionTrue
	})
}

func isReady(ctx context.Context, t *testing.T, room *zimv1alpha1.ZimRoom) bool {
	t.Helper()
	return hasCondition(ctx, t, room, "Ready")
}

func stalled(ctx context.Context, t *testing.T, room *zimv1alpha1.ZimRoom) bool {
	t.Helper()
	return hasCondition(ctx, t, room, "Stalled")
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ticker, deadline := time.NewTicker(poll), time.NewTimer(soon)
	defer ticker.Stop()
	defer deadline.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("no sign of %s within %s", what, soon)
		}
	}
}

func auditSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(auditLog)
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// uses returns what the manager asked of the API server since the audit log had a size, and what it was refused.
func uses(t *testing.T, begin int64) (used map[use]bool, refused []use) {
	t.Helper()
	text, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	used = map[use]bool{}
	for line := range bytes.Lines(text[begin:]) {
		var event struct {
			Verb           string
			User           struct{ Username string }
			ObjectRef      *struct{ Resource, Subresource, APIGroup, Namespace, Name string }
			ResponseStatus *struct{ Code int }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		if event.User.Username != managerAccount || event.ObjectRef == nil {
			continue
		}
		found := use{event.ObjectRef.APIGroup, event.ObjectRef.Resource, event.Verb}
		if event.ObjectRef.Subresource != "" {
			found.Resource += "/" + event.ObjectRef.Subresource
		}
		if event.ResponseStatus != nil && event.ResponseStatus.Code == http.StatusForbidden {
			refused = append(refused, found)
			continue
		}
		used[found] = true
	}
	return used, refused
}

// granted returns what roles allow.
func granted(t *testing.T, manifests string, roles []string) map[use]bool {
	t.Helper()
	all, found := map[use]bool{}, objects(t, manifests)
	for _, key := range roles {
		for _, rule := range rulesOf(t, found[key]) {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						all[use{group, resource, verb}] = true
					}
				}
			}
		}
	}
	return all
}

func rulesOf(t *testing.T, object *unstructured.Unstructured) []rbacv1.PolicyRule {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

func sorted(all map[use]bool) []string {
	var texts []string
	for one := range maps.Keys(all) {
		texts = append(texts, fmt.Sprintf("%s %s/%s", one.Verb, one.Group, one.Resource))
	}
	slices.Sort(texts)
	return texts
}

// The manager asks at its start for what the roles grant, no more and no less; events of the election are best effort.
func TestRightsThatTheManagerAsksForAreGranted(t *testing.T) {
	for name, tc := range map[string]struct {
		asked     []startup.Right
		manifests string
		role      string
	}{
		"cluster":   {startup.ClusterRights(), build(t, "operator"), "ClusterRole /zim-operator-manager"},
		"namespace": {startup.NamespaceRights(), overlay(t, namespacedOverlay, teamA), "Role team-a/zim-operator-manager"},
	} {
		asked := map[use]bool{}
		for _, right := range tc.asked {
			resource := right.Resource
			if right.Subresource != "" {
				resource += "/" + right.Subresource
			}
			asked[use{right.Group, resource, right.Verb}] = true
		}
		if diff := cmp.Diff(sorted(granted(t, tc.manifests, []string{tc.role})), sorted(asked)); diff != "" {
			t.Errorf("%s: granted only has -, asked for only +:\n%s", name, diff)
		}
	}
}

// A replica that waits for the lease has read what it needs when it is told that it works: it is not ready before.
func TestStandbyFillsItsCaches(t *testing.T) {
	prepareNamespaces(t)
	manifests := build(t, "operator")
	install(t, manifests)
	lease := `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: zim-operator.zim.zego.im, namespace: ` +
		systemNamespace + `}, spec: {holderIdentity: another, leaseDurationSeconds: 3600, renewTime: "` +
		time.Now().UTC().Format(metav1.RFC3339Micro) + `"}}`
	if _, err := kubectl(lease, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeLeases(t) })
	begin := auditSize(t)
	start(t, []string{"--leader-elect", "--operator-namespace=" + systemNamespace})() // Returns when it is ready.
	used, refused := uses(t, begin)
	for _, want := range []use{
		{"zim.zego.im", "zimapps", "watch"}, {"zim.zego.im", "zimrooms", "watch"}, {"", "secrets", "watch"},
		{"", "namespaces", "watch"},
	} {
		if !used[want] {
			t.Errorf("a standby is ready without %v", want)
		}
	}
	if used[use{"coordination.k8s.io", "leases", "update"}] || len(refused) > 0 {
		t.Errorf("no standby: %v, refused: %v", used, refused)
	}
}

// install applies manifests until the test ends, and removes leases of those before.
func install(t *testing.T, manifests string) {
	t.Helper()
	applyFor(t, manifests)
	removeLeases(t)
}

// applyFor applies manifests for the time of a test.
func applyFor(t *testing.T, manifests string) {
	t.Helper()
	if _, err := kubectl(manifests, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := kubectl(manifests, "delete", "-f", "-", "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
}

// removeLeases lets the next manager lead at once.
func removeLeases(t *testing.T) {
	t.Helper()
	if _, err := kubectl("", "delete", "lease", "--all", "--namespace", systemNamespace); err != nil {
		t.Error(err)
	}
}

// Kubernetes deletes what is in a namespace all at once, the manager's Role before the ZimRooms are gone. This API server
// has no controller that does it, so the test does.
func TestNamespaceIsDeletedAsAWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		// restart ends the manager before, and starts another one after.
		restart bool
		// later grants what it takes only when it is stuck.
		later bool
	}{
		"running": {}, "restarted": {restart: true},
		"the way out": {later: true}, "the way out, restarted": {restart: true, later: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, namespace := t.Context(), "team-"+strings.NewReplacer(" ", "-", ",", "").Replace(name)
			prepareNamespaces(t)
			if _, err := kubectl("", "create", "namespace", namespace); err != nil {
				t.Fatal(err)
			}
			own := strings.NewReplacer("../default", "../operator", "team-a", namespace)
			files := map[string]string{namespace + "/kustomization.yaml": own.Replace(teamA["team-a/kustomization.yaml"])}
			without, with := overlay(t, own.Replace(namespacedOverlay), files), overlay(t, own.Replace(deletableOverlay), files)
			if tc.later {
				install(t, without)
			} else {
				install(t, with)
			}
			simulator := zimsim.New(zimsim.Options{Apps: []zimsim.App{{AppID: appID, ServerSecret: serverSecret}}})
			zim := httptest.NewServer(simulator.API())
			defer zim.Close()
			flags := []string{
				"--operator-namespace=" + systemNamespace, "--allow-insecure-endpoints", "--watch-namespaces=" + namespace,
			}
			stop := start(t, flags)
			defer func() { stop() }()
			room, app, secret := room("room", "Room1"), app(zim.URL), secret()
			for _, object := range []client.Object{secret, app, room} {
				object.SetNamespace(namespace)
				apply(ctx, t, object)
			}
			eventually(t, "a room", func() bool { return isReady(ctx, t, room) })
			if tc.restart {
				stop()
			}
			remove := func(args string) {
				if _, err := kubectl("", append([]string{"delete", "--wait=false"}, strings.Fields(args)...)...); err != nil {
					t.Fatal(err)
				}
			}
			remove("namespace " + namespace)
			remove("role,rolebinding --all --namespace " + namespace)
			if tc.later {
				eventually(t, "the end of the manager's rights", func() bool {
					_, err := kubectl("", "auth", "can-i", "patch", "zimrooms.zim.zego.im", "--namespace", namespace, "--as", managerAccount)
					return err != nil
				})
			}
			remove("secret,zimapp,zimroom --all --namespace " + namespace)
			if tc.restart {
				stop = start(t, flags)
			}
			if tc.later {
				if current(ctx, t, room).Finalizers == nil {
					t.Error("it was not stuck")
				}
				applyFor(t, build(t, "components/namespace-deletion/cluster-role"))
			}
			for _, object := range []client.Object{room, app} {
				eventually(t, "the end of "+object.GetName(), func() bool {
					return apierrors.IsNotFound(apiServer.Get(ctx, client.ObjectKeyFromObject(object), object))
				})
			}
		})
	}
}

// The account of a namespaced install reads Secrets in its namespaces only.
func TestNamespacedInstallHasNoClusterRights(t *testing.T) {
	for name, manifests := range map[string]string{
		"kustomize": overlay(t, namespacedOverlay, teamA), "chart": mustTemplate(t, "--set", "watchNamespaces={team-a}"),
		"kustomize, deletable": overlay(t, deletableOverlay, teamA),
		"chart, deletable":     mustTemplate(t, "--set", "watchNamespaces={team-a},rbac.namespaceDeletion=true"),
	} {
		for key, object := range objects(t, manifests) {
			if object.GetKind() == "ClusterRoleBinding" && !strings.Contains(name, "deletable") {
				t.Errorf("%s has %s", name, key)
			}
			if object.GetKind() != "ClusterRole" {
				continue
			}
			for _, rule := range rulesOf(t, object) {
				if slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.Resources, "*") {
					t.Errorf("%s: %s has a rule on Secrets", name, key)
				}
			}
		}
	}
}
