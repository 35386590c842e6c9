package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// The accounts: the operator's, and that of the loop it is compared with.
const (
	appID        = 1234567890
	loopAppID    = 1234567891
	serverSecret = "00000000000000000000000000000000"
	operatorUser = "operator"
)

// simulator is the running simulator of ZIM, seen from its admin side.
type simulator struct {
	api    string
	admin  string
	client *http.Client
}

// startSimulator starts the simulator and reads its addresses from its output.
func (w *world) startSimulator(ctx context.Context) error {
	const limit = 30 * time.Second
	p, err := w.start(ctx, child{
		name: "simulator", path: w.options.simulator,
		args: []string{
			"--bind-address=127.0.0.1:0", "--admin-bind-address=127.0.0.1:0", "--app-id=" + strconv.Itoa(appID),
			"--calls-per-second=" + strconv.Itoa(w.plan.callsPerSecond),
			"--latency=" + w.plan.latency.String(), "--jitter=" + w.plan.jitter.String(),
		},
		environment: []string{"ZIMSIM_SERVER_SECRET=" + serverSecret},
	})
	if err != nil {
		return err
	}
	w.simulator = &simulator{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	return await(ctx, limit, func(context.Context) (bool, error) {
		log, err := os.ReadFile(p.logFile)
		if err != nil {
			return false, err
		}
		var ok bool
		w.simulator.api, w.simulator.admin, ok = parseAddresses(string(log))
		return ok, nil
	})
}

var addressLine = regexp.MustCompile(`(?m)^(API|Admin) +(http://\S+)\n`)

// parseAddresses reads the two lines that the simulator writes when it is ready.
func parseAddresses(log string) (api, admin string, ok bool) {
	for _, match := range addressLine.FindAllStringSubmatch(log, -1) {
		if match[1] == "API" {
			api = match[2]
		} else {
			admin = match[2]
		}
	}
	return api, admin, api != "" && admin != ""
}

// do sends a request to the admin side.
func (s *simulator) do(ctx context.Context, method, path string, query url.Values, body, result any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("asking the simulator: %w", err)
		}
	}
	address := s.admin + path + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("reading the simulator's answer: %w", err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(answer))
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("reading the simulator's answer: %w", err)
	}
	return nil
}

func ofApp(id uint32) url.Values {
	return url.Values{"appID": {strconv.FormatUint(uint64(id), 10)}}
}

// setQuota sets the calls a second that an account may send; negative: as many as it likes.
func (s *simulator) setQuota(ctx context.Context, id uint32, callsPerSecond int) error {
	return s.setApp(ctx, zimsim.App{AppID: id, ServerSecret: serverSecret, CallsPerSecond: callsPerSecond})
}

func (s *simulator) setApp(ctx context.Context, app zimsim.App) error {
	return s.do(ctx, http.MethodPut, "/apps", nil, app, nil)
}

// register makes the operator user known, for callers who don't do it themselves.
func (s *simulator) register(ctx context.Context, id uint32) error {
	query := ofApp(id)
	query.Set("userID", operatorUser)
	return s.do(ctx, http.MethodPut, "/users", query, nil, nil)
}

// calls returns the calls of an account that came in, oldest first.
func (s *simulator) calls(ctx context.Context, id uint32) (calls journal, err error) {
	return calls, s.do(ctx, http.MethodGet, "/calls", ofApp(id), nil, &calls)
}

// latestCalls returns so many of the newest calls of an account, oldest first.
func (s *simulator) latestCalls(ctx context.Context, id uint32, count int) (calls journal, err error) {
	query := ofApp(id)
	query.Set("limit", strconv.Itoa(count))
	return calls, s.do(ctx, http.MethodGet, "/calls", query, nil, &calls)
}

// forget empties the journal of calls.
func (s *simulator) forget(ctx context.Context) error {
	return s.do(ctx, http.MethodDelete, "/calls", nil, nil, nil)
}

// events returns what happened to the rooms of an account, oldest first.
func (s *simulator) events(ctx context.Context, id uint32) (events []zimsim.Event, err error) {
	return events, s.do(ctx, http.MethodGet, "/events", ofApp(id), nil, &events)
}

// destroy makes a room vanish.
func (s *simulator) destroy(ctx context.Context, id uint32, roomID string) error {
	query := ofApp(id)
	query.Set("id", roomID)
	return s.do(ctx, http.MethodDelete, "/rooms", query, nil, nil)
}

// inject makes calls go wrong.
func (s *simulator) inject(ctx context.Context, faults ...zimsim.Fault) error {
	for _, fault := range faults {
		if err := s.do(ctx, http.MethodPost, "/faults", nil, fault, nil); err != nil {
			return err
		}
	}
	return nil
}

// heal ends all faults.
func (s *simulator) heal(ctx context.Context) error {
	return s.do(ctx, http.MethodDelete, "/faults", nil, nil, nil)
}
