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
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
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
	says("connection refused", "--kubeconfig="+write(t, fmt.Appendf(nil, kubeconfig, "https://127.0.0.1:1")))
	says("the CRDs of zim.zego.im/v1alpha1 are not installed", "--kubeconfig="+admin)

	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: crds}); err != nil {
		t.Fatal(err)
	}
	stranger, err := environment.AddUser(envtest.User{Name: "stranger"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := stranger.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	says("no permission: namespaces is forbidden: User \"stranger\" cannot list", "--kubeconfig="+write(t, text))
	says("zimapps.zim.zego.im is forbidden", "--kubeconfig="+write(t, text), "--watch-namespaces=default")

	t.Run("the lease", func(t *testing.T) { needsLease(t, config, stranger.Config()) })
	t.Run("readiness", func(t *testing.T) { readyOnceFilled(t, config, stranger.Config()) })
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
	c, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needsLease gives a user all rights but that on the lease.
func needsLease(t *testing.T, admin, stranger *rest.Config) {
	t.Helper()
	rule := rbacv1.PolicyRule{
		APIGroups: []string{"", "zim.zego.im"}, Resources: []string{"namespaces", "secrets", "zimapps", "zimrooms"},
		Verbs: []string{"list"},
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "most"}, Rules: []rbacv1.PolicyRule{rule}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "most"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "most"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "stranger"}},
	}
	for _, object := range []client.Object{role, binding} {
		if err := newClient(t, admin).Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	reader := newClient(t, stranger)
	if err := startup.Check(t.Context(), reader, startup.Needs{}); err != nil {
		t.Errorf("without a lease: %v", err)
	}
	lease := startup.Needs{Lease: client.ObjectKey{Namespace: "default", Name: "lease"}}
	err := startup.Check(t.Context(), reader, lease)
	if err == nil || !strings.Contains(err.Error(), `leases.coordination.k8s.io "lease" is forbidden`) {
		t.Errorf("without the right: %v", err)
	}
	if err := startup.Check(t.Context(), newClient(t, admin), lease); err != nil {
		t.Errorf("a lease that is not there yet: %v", err)
	}
}

// readyOnceFilled fills the cache of one who may, and of one who may not.
func readyOnceFilled(t *testing.T, admin, stranger *rest.Config) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)
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
