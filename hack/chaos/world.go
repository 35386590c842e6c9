package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	namespace         = "default"
	operatorNamespace = "zim-operator-system"
	secretName        = "zim"
	secretKey         = "serverSecret"
	requestsPerSecond = 20
)

// world is a control plane, a simulator and two replicas.
type world struct {
	options
	dir     string
	running *testbed.Processes
	failed  context.CancelCauseFunc

	config       *rest.Config
	kube         client.Client // Around all faults.
	simulator    *testbed.Simulator
	proxies      *proxies
	certificates certificates
	trusted      string // File of the authority.
	replicas     []*replica
	results      []*result
	firstSize    int  // Of the biggest replica in the first row, in KB.
	codeApps     bool // There are accounts for the codes.
}

func (*world) say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func (w *world) startChild(ctx context.Context, c testbed.Child) (*testbed.Process, error) {
	return w.running.Start(ctx, w.dir, c, w.failed)
}

// build returns when the replicas run and the ZimApp is accepted.
func (w *world) build(ctx context.Context) (err error) {
	kubeconfig := filepath.Join(w.dir, "kubeconfig")
	w.config, err = testbed.StartControlPlane(ctx, w.startChild, w.dir, kubeconfig, w.self, commandControlPlane)
	if err != nil {
		return err
	}
	w.simulator, err = testbed.StartSimulator(ctx, w.startChild, testbed.SimulatorOptions{
		Path: w.options.simulator, CallsPerSecond: requestsPerSecond, Latency: 30 * time.Millisecond,
		Jitter: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if err := w.trust(); err != nil {
		return err
	}
	w.proxies = newProxies()
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(zimv1alpha1.AddToScheme(scheme))
	if w.kube, err = client.New(w.config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	ours := &corev1.Namespace{}
	ours.Name = operatorNamespace
	if err := w.kube.Create(ctx, ours); err != nil {
		return fmt.Errorf("creating the operator's namespace: %w", err)
	}
	for _, name := range []string{"replica-a", "replica-b"} {
		r, err := w.newReplica(ctx, name, "--leader-elect")
		if err != nil {
			return err
		}
		if err := r.start(ctx); err != nil {
			return err
		}
		w.replicas = append(w.replicas, r)
	}
	return w.createApp(ctx, zimv1alpha1.DefaultAppName, testbed.AppID)
}

// trust makes the certificates, and the file of the authority that the replicas trust.
func (w *world) trust() error {
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	if w.certificates, err = newCertificates(authority); err != nil {
		return err
	}
	w.trusted = filepath.Join(w.dir, "authority.pem")
	return os.WriteFile(w.trusted, authority.pem(), 0o600)
}

// createApp creates a ZimApp, and the Secret of all of them if it is the first, and waits until ZIM has accepted it.
func (w *world) createApp(ctx context.Context, name string, appID uint32) error {
	const limit = time.Minute
	if err := client.IgnoreAlreadyExists(w.createSecret(ctx)); err != nil {
		return err
	}
	app := &zimv1alpha1.ZimApp{Spec: zimv1alpha1.ZimAppSpec{
		AppID: int64(appID), FromUserID: testbed.OperatorUser, RequestsPerSecond: requestsPerSecond,
		ServerSecretRef: zimv1alpha1.SecretKeyReference{Name: secretName, Key: secretKey},
	}}
	app.Namespace, app.Name = namespace, name
	if err := w.kube.Create(ctx, app); err != nil {
		return fmt.Errorf("creating a ZimApp: %w", err)
	}
	err := testbed.Await(ctx, limit, func(ctx context.Context) (bool, error) {
		err := w.kube.Get(ctx, client.ObjectKeyFromObject(app), app)
		return testbed.IsTrue(app.Status.Conditions, zimv1alpha1.ReadyCondition), err
	})
	if err != nil {
		return fmt.Errorf("waiting for a ZimApp: %w", err)
	}
	return nil
}

func (w *world) createSecret(ctx context.Context) error {
	return w.kube.Create(ctx, w.secret())
}

func (*world) secret() *corev1.Secret {
	secret := &corev1.Secret{StringData: map[string]string{secretKey: testbed.ServerSecret}}
	secret.Namespace, secret.Name = namespace, secretName
	return secret
}

// setSecret writes a ServerSecret into Kubernetes.
func (w *world) setSecret(ctx context.Context, text string) error {
	patch := fmt.Appendf(nil, `{"stringData":{%q:%q}}`, secretKey, text)
	return w.kube.Patch(ctx, w.secret(), client.RawPatch(types.MergePatchType, patch))
}

// setAccount gives the account a ServerSecret at ZIM, and a clock that is off.
func (w *world) setAccount(ctx context.Context, secret string, ahead time.Duration) error {
	return w.simulator.SetApp(ctx, zimsim.App{
		AppID: testbed.AppID, ServerSecret: secret, CallsPerSecond: requestsPerSecond, ClockAhead: int(ahead.Seconds()),
	})
}

// everyReplica does something to all replicas.
func (w *world) everyReplica(f func(*replica) error) error {
	var errs []error
	for _, r := range w.replicas {
		errs = append(errs, f(r))
	}
	return errors.Join(errs...)
}

// heal ends every fault.
func (w *world) heal(ctx context.Context) error {
	err := w.everyReplica(func(r *replica) error {
		r.front.setRefusal(nil)
		r.gateway.certificate.Store(w.certificates.good)
		var errs []error
		for _, p := range []*proxy{r.kube, r.zim} {
			broken := !p.Enabled || len(p.Toxics.GetToxicArray()) > 0
			p.Toxics.ResetToxics(ctx)
			switch {
			case !p.Enabled:
				errs = append(errs, p.Start())
			case broken: // What was lost on its way is missing in the connection.
				errs = append(errs, p.cut())
			}
		}
		return errors.Join(errs...)
	})
	secret := w.secret()
	if created := w.kube.Create(ctx, secret); created != nil {
		err = errors.Join(err, client.IgnoreAlreadyExists(created), w.setSecret(ctx, testbed.ServerSecret))
	}
	return errors.Join(err, w.simulator.Heal(ctx), w.setAccount(ctx, testbed.ServerSecret, 0))
}
