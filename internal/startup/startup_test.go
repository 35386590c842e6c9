package startup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/startup"
	"github.com/zim-operator/zim-operator/internal/testenv"
)

// patience is how long the manager may take to give up.
const patience = time.Minute

// run starts the manager and returns what it said when it ended by itself.
func run(t *testing.T, manager string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var said bytes.Buffer
	process := exec.CommandContext(ctx, manager, arguments...)
	process.Stdout, process.Stderr = &said, &said
	process.Env = append(os.Environ(), "KUBECONFIG=", "HOME="+t.TempDir())
	err := process.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed || ctx.Err() != nil {
		t.Errorf("%v: want it to end with an error: %v, %v: %s", arguments, err, ctx.Err(), said.String())
	}
	return said.String()
}

func TestManagerSaysInOneLineWhatKeepsIt(t *testing.T) {
	manager := filepath.Join(t.TempDir(), "manager")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", manager, "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// It asks for half a minute; the rest of the test goes on meanwhile.
	away, saidAway := write(t, fmt.Appendf(nil, kubeconfig, "https://127.0.0.1:1")), make(chan string, 1)
	go func() { saidAway <- run(t, manager, "--kubeconfig="+away, "--health-probe-bind-address=127.0.0.1:0") }()
	defer func() { givesUp(t, <-saidAway) }()

	environment := testenv.New()
	crds := environment.CRDDirectoryPaths
	environment.CRDDirectoryPaths = nil
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	}()
	admin := write(t, environment.KubeConfig)
	says := func(want string, arguments ...string) {
		t.Helper()
		said := run(t, manager, append(arguments, "--health-probe-bind-address=127.0.0.1:0")...)
		if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "zim-operator: ") || !strings.Contains(said, want) {
			t.Errorf("%v: want one line with %q, got:\n%s", arguments, want, said)
		}
	}
	says("flag provided but not defined: -nosuch", "--nosuch")
	says("--verify-interval must be", "--verify-interval=1ms")
	says("no configuration has been provided")
	says("the CRDs of zim.zego.im/v1alpha1 are not installed", "--kubeconfig="+admin)

	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: crds}); err != nil {
		t.Fatal(err)
	}
	nobody := userOf(t, environment, "nobody")
	text, err := nobody.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	says("no permission to list namespaces of the core group in all namespaces", "--kubeconfig="+write(t, text))
	says("no permission to get namespaces of the core group in namespace zim-operator-system",
		"--kubeconfig="+write(t, text), "--watch-namespaces=zim-operator-system")
	says("no permission to get leases of coordination.k8s.io in namespace zim-operator-system",
		"--kubeconfig="+write(t, text), "--leader-elect")

	t.Run("rights", func(t *testing.T) { needsRights(t, config, userOf(t, environment, "almost").Config()) })
	t.Run("a namespace that is refused", func(t *testing.T) {
		leavesOutWhatIsRefused(t, config, userOf(t, environment, "tenant").Config())
	})
	t.Run("readiness", func(t *testing.T) { readyOnceFilled(t, config, nobody.Config()) })
}

func userOf(t *testing.T, environment *envtest.Environment, name string) *envtest.AuthenticatedUser {
	t.Helper()
	user, err := environment.AddUser(envtest.User{Name: name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// givesUp looks at what the manager said that found no API server.
func givesUp(t *testing.T, said string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for _, line := range lines[:len(lines)-1] {
		if !strings.Contains(line, "Asking the API server again soon") {
			t.Errorf("an unexpected line: %s", line)
		}
	}
	last := lines[len(lines)-1]
	if len(lines) < 3 || !strings.HasPrefix(last, "zim-operator: no API server within 30s") ||
		!strings.Contains(last, "connection refused") {
		t.Errorf("said:\n%s", said)
	}
}

const kubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: it, cluster: {server: "%s"}}]
contexts: [{name: it, context: {cluster: it, user: it}}]
users: [{name: it, user: {token: it}}]
current-context: it
`

func write(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	if err := zimv1alpha1.AddToScheme(clientgoscheme.Scheme); err != nil {
		t.Fatal(err)
	}
	c, err := startup.NewClient(config, clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// grant gives a user rules in a namespace, or in all; again: those and no others.
func grant(t *testing.T, admin client.Client, user, namespace string, rules []rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: user, Namespace: namespace}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}
	reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user}
	objects := []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects},
	}
	if namespace != "" {
		reference.Kind = "Role"
		objects = []client.Object{
			&rbacv1.Role{ObjectMeta: meta, Rules: rules},
			&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects},
		}
	}
	for _, object := range objects {
		err := admin.Create(t.Context(), object)
		if apierrors.IsAlreadyExists(err) {
			err = admin.Update(t.Context(), object)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// rulesFor makes a rule of each right.
func rulesFor(rights []startup.Right) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, right := range rights {
		resource := right.Resource
		if right.Subresource != "" {
			resource += "/" + right.Subresource
		}
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{right.Group}, Resources: []string{resource}, Verbs: []string{right.Verb},
		})
	}
	return rules
}

// check asks until the API server's authorizer has seen the rules that were given last.
func check(t *testing.T, api client.Client, needs startup.Needs, want string) {
	t.Helper()
	for {
		err := startup.Check(t.Context(), api, needs)
		if want == "" && err == nil || want != "" && err != nil && strings.Contains(err.Error(), want) {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("want %q, got %v", want, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// needsRights gives a user most rights, and then the missing one.
func needsRights(t *testing.T, admin, almost *rest.Config) {
	t.Helper()
	cluster, api := newClient(t, admin), newClient(t, almost)
	rights := startup.ClusterRights()
	last := len(rights) - 1
	grant(t, cluster, "almost", "", rulesFor(rights[:last]))
	check(t, api, startup.Needs{}, "no permission to "+rights[last].Verb+" "+rights[last].Resource)
	grant(t, cluster, "almost", "", rulesFor(rights))
	check(t, api, startup.Needs{}, "")

	leased := startup.Needs{OperatorNamespace: "default", Lease: "lease"}
	check(t, api, leased, "no permission to get leases of coordination.k8s.io in namespace default")
	leases := rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}}
	create, this := leases, leases
	create.Verbs, this.Verbs, this.ResourceNames = []string{"create"}, []string{"get", "update"}, []string{"lease"}
	grant(t, cluster, "almost", "default", []rbacv1.PolicyRule{create, this})
	check(t, api, leased, "")
}

// leavesOutWhatIsRefused watches three namespaces: two of its own, and one that no one lets it into.
func leavesOutWhatIsRefused(t *testing.T, admin, tenant *rest.Config) {
	t.Helper()
	ctx, cluster, api := t.Context(), newClient(t, admin), newClient(t, tenant)
	for _, name := range []string{"own", "open", "shut"} {
		if err := cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
		room := &zimv1alpha1.ZimRoom{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "room"}}
		room.Spec.ID = "room"
		if err := cluster.Create(ctx, room); err != nil {
			t.Fatal(err)
		}
	}
	needs := startup.Needs{Namespaces: []string{"open", "shut", "gone", "own"}, OperatorNamespace: "own"}
	rules := rulesFor(startup.NamespaceRights())
	grant(t, cluster, "tenant", "open", rules)
	check(t, api, needs, "in namespace own")
	grant(t, cluster, "tenant", "own", rules)
	check(t, api, needs, "")

	options := cache.Options{
		Scheme: clientgoscheme.Scheme, NewInformer: startup.NewInformer, DefaultNamespaces: map[string]cache.Config{},
	}
	for _, name := range needs.Namespaces {
		options.DefaultNamespaces[name] = cache.Config{}
	}
	informers, err := cache.New(tenant, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := informers.GetInformer(ctx, &zimv1alpha1.ZimRoom{}, cache.BlockUntilSynced(false)); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- informers.Start(running) }()
	eventually(t, "readiness", func() bool { return startup.Ready(informers)(probe(t)) == nil })
	namespaces := func() string {
		var rooms zimv1alpha1.ZimRoomList
		if err := informers.List(ctx, &rooms); err != nil {
			t.Error(err)
		}
		var names []string
		for _, room := range rooms.Items {
			names = append(names, room.Namespace)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	if seen := namespaces(); seen != "open own" {
		t.Errorf("ZimRooms are seen in %q", seen)
	}
	grant(t, cluster, "tenant", "shut", rules)
	eventually(t, "a namespace that was let in", func() bool { return namespaces() == "open own shut" })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func probe(t *testing.T) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ticker, deadline := time.NewTicker(50*time.Millisecond), time.NewTimer(patience)
	defer ticker.Stop()
	defer deadline.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("no sign of %s within %s", what, patience)
		}
	}
}

// readyOnceFilled fills the cache of one who may, and of one who may not.
func readyOnceFilled(t *testing.T, admin, stranger *rest.Config) {
	t.Helper()
	request := probe(t)
	for _, tc := range []struct {
		name   string
		config *rest.Config
		want   bool
	}{{"admin", admin, true}, {"stranger", stranger, false}} {
		informers, err := cache.New(tc.config, cache.Options{Scheme: clientgoscheme.Scheme})
		if err != nil {
			t.Fatal(err)
		}
		ready := startup.Ready(informers)
		if err := ready(request); err == nil {
			t.Errorf("%s: ready before it has begun", tc.name)
		}
		_, err = informers.GetInformer(t.Context(), &rbacv1.ClusterRole{}, cache.BlockUntilSynced(false))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- informers.Start(ctx) }()
		var answer error
		for range 5 { // Each waits a while.
			if answer = ready(request); answer == nil {
				break
			}
		}
		if (answer == nil) != tc.want {
			t.Errorf("%s: ready is %t, want %t", tc.name, answer == nil, tc.want)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// Every replica has a cache, and does not wait to lead; a leader's first passes come after that.
func TestTidyCollects(t *testing.T) {
	for name, tc := range map[string]struct {
		leader bool
		after  time.Duration
	}{
		"any replica, at once":           {leader: false, after: 0},
		"a leader, after the first pass": {leader: true, after: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tidy := startup.Tidy{Cache: &informertest.FakeInformers{Synced: new(true)}, Leader: tc.leader}
				began, before := time.Now(), forcedCollections()
				if err := tidy.Start(t.Context()); err != nil || tidy.NeedLeaderElection() != tc.leader {
					t.Errorf("got %v, and needs to lead: %v", err, tidy.NeedLeaderElection())
				}
				if forcedCollections() == before || time.Since(began) != tc.after {
					t.Errorf("collected %d times, after %s", forcedCollections()-before, time.Since(began))
				}
			})
		})
	}
}

// One that is stopped is not held up: neither before the cache is filled, nor during the first passes.
func TestTidyEndsWithItsContext(t *testing.T) {
	for name, tidy := range map[string]startup.Tidy{
		"cache not filled": {Cache: &informertest.FakeInformers{Synced: new(false)}},
		"first passes":     {Cache: &informertest.FakeInformers{Synced: new(true)}, Leader: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				began, before := time.Now(), forcedCollections()
				if err := tidy.Start(ctx); err != nil || forcedCollections() != before || time.Since(began) != 0 {
					t.Errorf("got %v after %s, and collected %d times",
						err, time.Since(began), forcedCollections()-before)
				}
			})
		})
	}
}

func forcedCollections() uint32 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.NumForcedGC
}
