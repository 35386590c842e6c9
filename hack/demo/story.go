package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// What the demo uses of the repository.
const (
	crds    = "config/crd/bases"
	role    = "config/rbac/role.yaml"
	samples = "config/samples"
)

// verifyInterval is how often the operator looks at rooms whose manifest says nothing else. Its default is 10
// minutes.
const verifyInterval = 5 * time.Second

// waitLimit is how long anything that the operator does may take on a slow machine; usually it is seconds.
const waitLimit = time.Minute

// waitFlag gives kubectl the same time.
var waitFlag = "--timeout=" + strconv.Itoa(int(waitLimit.Seconds())) + "s"

var theDemo = story{
	intro: "The operator, with a Kubernetes API server of its own and a simulator of ZIM, on this machine only.\n" +
		"Lines after $ are commands, run as they stand; lines after > are requests to the simulator's admin side.\n" +
		"It takes 15 to 40 seconds.",
	steps: demoSteps,
}

var demoSteps = []step{
	{"start a Kubernetes API server and a simulator of ZIM", (*demo).startServers},
	{"install the CRDs and start the operator", (*demo).startOperator},
	{"apply the samples", (*demo).applySamples},
	{"a room is destroyed behind the operator's back", (*demo).loseRoom},
	{"somebody changes an attribute", (*demo).changeAttribute},
	{"a new room meets a frequency limit", (*demo).meetLimit},
	{"a room gets another name", (*demo).renameEmpty},
	{"a room gets another name while somebody is in it", (*demo).renameOccupied},
	{"a room is handed over", (*demo).handOver},
	{"delete a room", (*demo).deleteRoom},
	{"what there is now", (*demo).summarize},
}

func (d *demo) startServers(ctx context.Context) error {
	began := time.Now()
	if err := d.startSimulator(ctx); err != nil {
		return err
	}
	d.say("The simulator listens: API %s, admin side %s.", d.simulator.API, d.simulator.Admin)
	d.say("Starting etcd and kube-apiserver (usually 3 to 6 s)...")
	if err := d.startControlPlane(ctx); err != nil {
		return err
	}
	d.say("The API server is ready at %s, %s after the start.", d.server, seconds(time.Since(began)))
	return nil
}

func (d *demo) startOperator(ctx context.Context) error {
	if err := d.install(ctx); err != nil {
		return err
	}
	d.say("The operator works as user %s, with the rights of its role and no others. For this story it accepts http,\n"+
		"which the simulator speaks, and looks at its rooms about every %s instead of every 10 minutes.",
		managerUser, verifyInterval)
	arguments := []string{
		"--allow-insecure-endpoints", "--verify-interval=" + verifyInterval.String(), "--health-probe-bind-address=0",
	}
	return d.startManager(ctx, arguments...)
}

// startManager starts the manager as the user whose rights are those of its roles.
func (d *demo) startManager(ctx context.Context, arguments ...string) (err error) {
	config := filepath.Join(d.dir, managerKubeconfig)
	d.command("KUBECONFIG="+shellQuote(config)+" bin/manager", arguments...)
	environment := []string{"KUBECONFIG=" + config}
	d.manager, err = d.start(ctx, "manager", environment, d.files.manager, arguments...)
	if err != nil {
		return err
	}
	d.manager.Stay(d.failed)
	return nil
}

// install brings the CRDs, and the rights of the manager.
func (d *demo) install(ctx context.Context) error {
	return d.kubectl.runAll(ctx, [][]string{
		applying(crds),
		{"wait", "--for=condition=Established", "-f", crds, waitFlag},
		applying(role),
		binding("manager", managerUser),
	})
}

// applying is the command for manifests of this repository.
func applying(files ...string) []string {
	args := []string{"apply", "--server-side"}
	for _, file := range files {
		args = append(args, "-f", file)
	}
	return args
}

// binding is the command that gives a user one of the roles in config/rbac.
func binding(role, user string) []string {
	return []string{"create", "clusterrolebinding", role, "--clusterrole=zim-operator-" + role, "--user=" + user}
}

func (d *demo) applySamples(ctx context.Context) error {
	overlay, err := d.writeOverlay()
	if err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "apply", "-k", overlay); err != nil {
		return err
	}
	applied := time.Now()
	if err := d.kubectl.run(ctx, "wait", "--for=condition=Ready", "zimapp,zr", "--all", waitFlag); err != nil {
		return err
	}
	d.say("All were Ready at most %s after they were applied.", seconds(time.Since(applied)))
	for _, args := range [][]string{{"get", "zimapp,zr"}, {"get", "zr", "-o", "wide"}} {
		if err := d.kubectl.run(ctx, args...); err != nil {
			return err
		}
	}
	d.say("The simulator has these rooms:")
	if err := d.showRooms(ctx); err != nil {
		return err
	}
	return d.showCreation(ctx, "Room1")
}

// writeOverlay writes a kustomization of the samples whose ZimApp calls the simulator.
func (d *demo) writeOverlay() (string, error) {
	// kubectl does not read files outside of a kustomization, so the samples come with it.
	err := os.CopyFS(filepath.Join(d.dir, "samples"), os.DirFS(filepath.Join(d.files.root, samples)))
	if err != nil {
		return "", fmt.Errorf("copying the samples: %w", err)
	}
	overlay := filepath.Join(d.dir, "overlay")
	if err := os.Mkdir(overlay, 0o700); err != nil {
		return "", fmt.Errorf("making the overlay: %w", err)
	}
	text := fmt.Sprintf(`resources:
- ../samples
patches:
- target: {kind: ZimApp, name: default}
  patch: |
    - {op: add, path: /spec/endpoint, value: %q}
`, d.simulator.API)
	d.say("This overlay takes %s as they are, but for the address that is called: the simulator's.", samples)
	d.show(text)
	return overlay, d.write("overlay/kustomization.yaml", text)
}

func (d *demo) summarize(ctx context.Context) error {
	if err := d.kubectl.run(ctx, "get", "zimapp,zr"); err != nil {
		return err
	}
	d.say("In the simulator:")
	if err := d.showRooms(ctx); err != nil {
		return err
	}
	d.say("Calls that it counted:")
	return d.showCallCounts(ctx)
}
