package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// What the alerts are provoked with.
const (
	// crowd is how many rooms there are; each is verified about every two seconds.
	crowd = 30
	// lost is how many of them are destroyed at a time.
	lost = 25
	// plentiful calls a second keep the crowd from pressing the quota, few do not.
	plentiful, few = 200, 10
)

// observation is what is known of a run in which alerts are provoked.
type observation struct {
	path       string // of the program
	prometheus *prometheus
	address    string // of the metrics
	rows       [][]string
}

// provocation makes alerts fire, and ends what made them.
type provocation struct {
	alerts []string
	how    string
	begin  func(*demo, context.Context) error
	end    func(*demo, context.Context) error // nil: it ends by itself
}

var provocations = []provocation{
	{
		[]string{"ZIMRoomsNotReady"}, "a ZimRoom names the room of another",
		func(d *demo, ctx context.Context) error {
			return d.applyManifest(ctx, "twin", crowdManifest("twin", "crowd-0"))
		},
		func(d *demo, ctx context.Context) error { return d.kubectl.run(ctx, "delete", "zr/twin", waitFlag) },
	},
	{
		[]string{"ZIMRoomQuotaExceeded"}, "ZIM has as many rooms as the plan allows (660300015)",
		func(d *demo, ctx context.Context) error {
			fault := `{"kind":"Code","code":660300015,"action":"CreateRoom","roomID":"more"}`
			if err := d.simulator.do(ctx, http.MethodPost, "/faults", nil, fault, nil); err != nil {
				return err
			}
			return d.applyManifest(ctx, "more", crowdManifest("more", "more"))
		},
		func(d *demo, ctx context.Context) error {
			if err := d.clearFaults(ctx); err != nil {
				return err
			}
			_, err := d.askForLook(ctx, "zr/more")
			return err
		},
	},
	{
		[]string{"ZIMRecreationsSurging"}, strconv.Itoa(lost) + " rooms are destroyed behind the operator's back",
		(*demo).loseCrowd, nil,
	},
	{
		[]string{"ZIMQuotaPressure"}, fmt.Sprintf("requestsPerSecond goes from %d to %d", plentiful, few),
		func(d *demo, ctx context.Context) error { return d.setRate(ctx, few) },
		func(d *demo, ctx context.Context) error { return d.setRate(ctx, plentiful) },
	},
	{
		[]string{"ZIMUnavailable", "ZIMVerificationBehind"}, "ZIM cuts every connection",
		func(d *demo, ctx context.Context) error {
			return d.simulator.do(ctx, http.MethodPost, "/faults", nil, `{"kind":"CutBefore"}`, nil)
		},
		(*demo).clearFaults,
	},
	{
		[]string{"ZIMAppNotReady"}, "the Secret gets a wrong value",
		func(d *demo, ctx context.Context) error { return d.setSecret(ctx, strings.Repeat("f", 32)) },
		func(d *demo, ctx context.Context) error { return d.setSecret(ctx, testbed.ServerSecret) },
	},
	{
		[]string{"ZIMOperatorDown"}, "the manager is stopped",
		func(d *demo, _ context.Context) error {
			d.say("  SIGTERM to the manager")
			d.manager.Stop()
			return nil
		},
		(*demo).startObserved,
	},
}

// theAlerts is the story in which every alert fires and ends, but that of panics: those nobody can provoke.
func theAlerts() story {
	told := story{
		intro: "The demo's manager under Prometheus. Every alert of " + ruleFile + " but that of panics is provoked\n" +
			"with the simulator; they are " + strconv.Itoa(haste) + " times faster than real: each duration in them\n" +
			"is divided by that. It takes 1 to 2 minutes.",
		steps: []step{
			{"start a Kubernetes API server, a simulator of ZIM, and the operator", (*demo).startObservation},
			{"start Prometheus", (*demo).startScraping},
			{fmt.Sprintf("apply a ZimApp and %d ZimRooms; no alert fires", crowd), (*demo).applyCrowd},
		},
	}
	for _, p := range provocations {
		name := strings.Join(p.alerts, ", ") + ": " + p.how
		told.steps = append(told.steps, step{name, func(d *demo, ctx context.Context) error { return d.provoke(ctx, p) }})
	}
	told.steps = append(told.steps, step{"what there was", func(d *demo, _ context.Context) error {
		d.say("%s", markdown(d.observed.rows))
		return nil
	}})
	return told
}

// startObservation starts all but Prometheus, which must be there.
func (d *demo) startObservation(ctx context.Context) error {
	path, err := findPrometheus()
	if err != nil {
		return err
	}
	d.observed = &observation{
		path: path, rows: [][]string{{"alert", "provoked by", "fires after", "ends after"}},
	}
	if err := d.startServers(ctx); err != nil {
		return err
	}
	if err := d.install(ctx); err != nil {
		return err
	}
	err = d.kubectl.runAll(ctx, [][]string{
		applying("config/rbac/metrics_auth_role.yaml", "config/rbac/metrics_reader_role.yaml"),
		binding("metrics-auth", managerUser),
		binding("metrics-reader", prometheusUser),
	})
	if err != nil {
		return err
	}
	if d.observed.address, err = testbed.FreeAddress(ctx); err != nil {
		return err
	}
	return d.startObserved(ctx)
}

// startObserved starts the manager with its metrics as they are by default: over HTTPS, for those who may.
func (d *demo) startObserved(ctx context.Context) error {
	return d.startManager(ctx, "--allow-insecure-endpoints", "--health-probe-bind-address=0",
		"--metrics-bind-address="+d.observed.address)
}

func (d *demo) startScraping(ctx context.Context) (err error) {
	d.observed.prometheus, err = d.startPrometheus(ctx, d.observed.path, d.observed.address)
	if err == nil {
		d.say("Prometheus is ready at %s; it scrapes https://%s twice a second.", d.observed.prometheus.url,
			d.observed.address)
	}
	return err
}

// applyCrowd makes the rooms, and waits until no alert fires: while nobody was scraped one did.
func (d *demo) applyCrowd(ctx context.Context) error {
	unlimited := fmt.Sprintf(`{"appID":%d,"callsPerSecond":-1}`, testbed.AppID)
	if err := d.simulator.quietly(ctx, http.MethodPut, "/apps", nil, unlimited, nil); err != nil {
		return err
	}
	overlay, err := d.writeOverlay()
	if err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "apply", "-k", overlay); err != nil {
		return err
	}
	if err := d.setRate(ctx, plentiful); err != nil {
		return err
	}
	manifests := make([]string, crowd)
	for i := range manifests {
		name := "crowd-" + strconv.Itoa(i)
		manifests[i] = crowdManifest(name, name)
	}
	if err := d.write("crowd.yaml", strings.Join(manifests, "---\n")); err != nil {
		return err
	}
	if _, err := d.kubectl.quietly(ctx, "apply", "-f", filepath.Join(d.dir, "crowd.yaml")); err != nil {
		return err
	}
	if _, err := d.kubectl.quietly(ctx, "wait", "--for=condition=Ready", "zimapp,zr", "--all", waitFlag); err != nil {
		return err
	}
	d.say("The ZimApp and all ZimRooms are Ready, %d more than the samples.", crowd)
	return d.awaitQuiet(ctx)
}

func crowdManifest(name, id string) string {
	return fmt.Sprintf("apiVersion: zim.zego.im/v1alpha1\nkind: ZimRoom\nmetadata:\n  name: %s\nspec:\n  id: %s\n"+
		"  destroyDelay: 1h\n  interval: 2s\n", name, id)
}

func (d *demo) applyManifest(ctx context.Context, name, text string) error {
	if err := d.write(name+".yaml", text); err != nil {
		return err
	}
	return d.kubectl.run(ctx, "apply", "-f", filepath.Join(d.dir, name+".yaml"))
}

func (d *demo) loseCrowd(ctx context.Context) error {
	for i := range lost {
		query := map[string]string{"id": "crowd-" + strconv.Itoa(i)}
		if err := d.simulator.quietly(ctx, http.MethodDelete, "/rooms", query, "", nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) setRate(ctx context.Context, rate int) error {
	return d.kubectl.run(ctx, "patch", "zimapp/default", "--type=merge",
		fmt.Sprintf(`--patch={"spec":{"requestsPerSecond":%d}}`, rate))
}

func (d *demo) setSecret(ctx context.Context, value string) error {
	return d.kubectl.run(ctx, "patch", "secret/zim", "--type=merge",
		fmt.Sprintf(`--patch={"stringData":{"serverSecret":%q}}`, value))
}

func (d *demo) clearFaults(ctx context.Context) error {
	return d.simulator.do(ctx, http.MethodDelete, "/faults", nil, "", nil)
}

// provoke sees alerts fire and end.
func (d *demo) provoke(ctx context.Context, p provocation) error {
	began := time.Now()
	if err := p.begin(d, ctx); err != nil {
		return err
	}
	fires, err := d.awaitEach(ctx, p.alerts, began, true)
	if err != nil {
		return err
	}
	if p.end != nil {
		if err := p.end(d, ctx); err != nil {
			return err
		}
	}
	ends, err := d.awaitEach(ctx, p.alerts, time.Now(), false)
	if err != nil {
		return err
	}
	for _, alert := range p.alerts {
		d.say("%s fired %s after it began, and ended %s after its cause.", alert, fires[alert], ends[alert])
		d.observed.rows = append(d.observed.rows, []string{alert, p.how, fires[alert], ends[alert]})
	}
	return d.awaitQuiet(ctx)
}

// awaitEach waits until each of some alerts fires, or until none of them does any more, and returns how long each took.
func (d *demo) awaitEach(
	ctx context.Context, alerts []string, since time.Time, wanted bool,
) (took map[string]string, err error) {
	took = map[string]string{}
	what := map[bool]string{true: "fire", false: "end"}[wanted]
	err = d.awaitAlerts(ctx, strings.Join(alerts, ", ")+" to "+what, func(firing []string) bool {
		for _, alert := range alerts {
			if took[alert] == "" && slices.Contains(firing, alert) == wanted {
				took[alert] = seconds(time.Since(since))
			}
		}
		return len(took) == len(alerts)
	})
	return took, err
}

// awaitQuiet waits until no alert fires.
func (d *demo) awaitQuiet(ctx context.Context) error {
	return d.awaitAlerts(ctx, "all alerts to end", func(firing []string) bool { return len(firing) == 0 })
}

// awaitAlerts asks Prometheus until what fires is as wanted.
func (d *demo) awaitAlerts(ctx context.Context, what string, wanted func(firing []string) bool) error {
	const limit = 2 * time.Minute
	var firing []string
	err := testbed.Await(ctx, limit, func(ctx context.Context) (is bool, err error) {
		firing, err = d.observed.prometheus.firing(ctx)
		return err == nil && wanted(firing), err
	})
	if err != nil {
		return fmt.Errorf("waiting for %s, with %v firing: %w", what, firing, err)
	}
	return nil
}

// markdown is a table; the first row is its head.
func markdown(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}
