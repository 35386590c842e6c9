package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// Files in the demo's directory.
const (
	kubeconfig        = "kubeconfig"         // of the administrator
	managerKubeconfig = "manager.kubeconfig" // of the user whose rights are those of the manager's role
	tokenFile         = "tokens.csv"
	prometheusToken   = "prometheus.token"
	accountKeyFile    = "service-accounts.key"
	certificates      = "certificates"
)

// Who the manager and Prometheus are to the API server.
const (
	managerUser    = "zim-operator"
	prometheusUser = "prometheus"
)

// controlPlaneLimit is how long etcd and the API server may take to start on a slow machine.
const controlPlaneLimit = 2 * time.Minute

// etcdSocket is where etcd listens: in its working directory, which is also that of the API server. A port would be
// open to everybody on the machine.
const etcdSocket = "etcd.sock"

// startControlPlane starts etcd and the API server. envtest does that too, but cannot be interrupted while it does.
func (d *demo) startControlPlane(ctx context.Context) error {
	if err := d.startEtcd(ctx); err != nil {
		return err
	}
	tokens := map[string]string{kubeconfig: rand.Text(), managerKubeconfig: rand.Text()}
	scraper := rand.Text()
	err := errors.Join(
		d.write(tokenFile, fmt.Sprintf("%s,admin,admin,system:masters\n%s,%s,%s\n%s,%s,%s\n",
			tokens[kubeconfig], tokens[managerKubeconfig], managerUser, managerUser,
			scraper, prometheusUser, prometheusUser)),
		d.write(prometheusToken, scraper),
		d.writeAccountKey())
	if err != nil {
		return err
	}
	const attempts = 3 // Somebody else may take the port between our look for a free one and the API server's start.
	for range attempts {
		var address string
		if address, err = testbed.FreeAddress(ctx); err != nil {
			return err
		}
		d.server = "https://" + address
		for name, token := range tokens {
			if err := d.writeKubeconfig(name, token); err != nil {
				return err
			}
		}
		if err = d.startAPIServer(ctx, address); err == nil || !isAddressTaken(err) {
			break
		}
	}
	return err
}

// startEtcd returns when etcd listens.
func (d *demo) startEtcd(ctx context.Context) error {
	etcd, err := d.start(ctx, "etcd", nil, d.files.etcd,
		"--name=demo", "--data-dir=etcd", "--unsafe-no-fsync",
		"--listen-client-urls=unix://"+etcdSocket, "--listen-peer-urls=unix://etcd-peer.sock",
		"--advertise-client-urls=http://127.0.0.1:2379") // Demanded, and asked by nobody.
	if err != nil {
		return err
	}
	return d.awaitReady(ctx, etcd, controlPlaneLimit, func(context.Context) bool {
		_, err := os.Stat(filepath.Join(d.dir, etcdSocket))
		return err == nil
	})
}

// startAPIServer returns when the API server is ready and has the namespace in which the demo works.
func (d *demo) startAPIServer(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address of the API server: %w", err)
	}
	apiServer, err := d.start(ctx, "kube-apiserver", nil, d.files.apiServer,
		"--etcd-servers=unix://"+etcdSocket,
		"--bind-address="+host, "--secure-port="+port, "--cert-dir="+certificates,
		"--advertise-address="+host, "--endpoint-reconciler-type=none", // Also without a network.
		"--authorization-mode=RBAC", "--token-auth-file="+tokenFile,
		"--service-account-issuer="+d.server,
		"--service-account-key-file="+accountKeyFile, "--service-account-signing-key-file="+accountKeyFile,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--disable-admission-plugins=ServiceAccount") // Nobody makes service accounts here.
	if err != nil {
		return err
	}
	return d.awaitReady(ctx, apiServer, controlPlaneLimit, func(ctx context.Context) bool {
		_, err := d.kubectl.quietly(ctx, "get", "--raw=/readyz")
		if err == nil {
			_, err = d.kubectl.quietly(ctx, "get", "namespace", "default")
		}
		return err == nil
	})
}

// isAddressTaken tells whether the API server ended because its address belongs to somebody else.
func isAddressTaken(err error) bool {
	failed, ok := errors.AsType[*testbed.ProcessError](err)
	return ok && strings.Contains(testbed.Tail(failed.Process.LogFile), "address already in use")
}

// writeAccountKey writes the key for tokens of service accounts, without which the API server does not start.
func (d *demo) writeAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	return d.write(accountKeyFile, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

// writeKubeconfig writes a kubeconfig that trusts the certificate which the API server makes for itself.
func (d *demo) writeKubeconfig(name, token string) error {
	return d.write(name, fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: demo
contexts:
- name: demo
  context: {cluster: demo, user: demo}
clusters:
- name: demo
  cluster: {server: %q, certificate-authority: %q}
users:
- name: demo
  user: {token: %q}
`, d.server, filepath.Join(d.dir, certificates, "apiserver.crt"), token))
}

// write writes a file in the demo's directory.
func (d *demo) write(name, text string) error {
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // In our own directory.
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
