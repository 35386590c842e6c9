package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// The account that the simulator has from its start, and the user in whose name the operator calls.
const (
	AppID        = 1234567890
	ServerSecret = "00000000000000000000000000000000"
	OperatorUser = "operator"
)

// Simulator is the running simulator of ZIM, seen from its admin side.
type Simulator struct {
	API    string
	Admin  string
	client *http.Client
}

// SimulatorOptions say how a simulator is to be.
type SimulatorOptions struct {
	// Path is the built command.
	Path string
	// CallsPerSecond is the quota that it enforces; negative: none.
	CallsPerSecond int
	// Latency and Jitter delay its answers.
	Latency, Jitter time.Duration
}

// StartSimulator starts the simulator and reads its addresses from its output.
func StartSimulator(ctx context.Context, start Starter, o SimulatorOptions) (*Simulator, error) {
	const limit = 30 * time.Second
	p, err := start(ctx, Child{
		Name: "simulator", Path: o.Path,
		Args: []string{
			"--bind-address=127.0.0.1:0", "--admin-bind-address=127.0.0.1:0", "--app-id=" + strconv.Itoa(AppID),
			"--calls-per-second=" + strconv.Itoa(o.CallsPerSecond),
			"--latency=" + o.Latency.String(), "--jitter=" + o.Jitter.String(),
		},
		Environment: []string{"ZIMSIM_SERVER_SECRET=" + ServerSecret, "GOMAXPROCS=1"},
	})
	if err != nil {
		return nil, err
	}
	s := &Simulator{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	return s, p.AwaitReady(ctx, limit, func(context.Context) bool {
		log, err := os.ReadFile(p.LogFile)
		if err != nil {
			return false
		}
		var ok bool
		s.API, s.Admin, ok = parseAddresses(string(log))
		return ok
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

// ErrNotFound is the error of Do if what was asked for does not exist.
var ErrNotFound = errors.New("not found")

// Do sends a request to the admin side.
func (s *Simulator) Do(ctx context.Context, method, path string, query url.Values, body, result any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("asking the simulator: %w", err)
		}
	}
	address := s.Admin + path + "?" + query.Encode()
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
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w: %s", method, path, ErrNotFound, bytes.TrimSpace(answer))
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

// OfApp is the query that names an account.
func OfApp(id uint32) url.Values {
	return url.Values{"appID": {strconv.FormatUint(uint64(id), 10)}}
}

// SetQuota sets the calls a second that an account may send; negative: as many as it likes.
func (s *Simulator) SetQuota(ctx context.Context, id uint32, callsPerSecond int) error {
	return s.SetApp(ctx, zimsim.App{AppID: id, ServerSecret: ServerSecret, CallsPerSecond: callsPerSecond})
}

// SetApp adds an account, or changes one.
func (s *Simulator) SetApp(ctx context.Context, app zimsim.App) error {
	return s.Do(ctx, http.MethodPut, "/apps", nil, app, nil)
}

// Register makes the operator user known, for callers who don't do it themselves.
func (s *Simulator) Register(ctx context.Context, id uint32) error {
	query := OfApp(id)
	query.Set("userID", OperatorUser)
	return s.Do(ctx, http.MethodPut, "/users", query, nil, nil)
}

// Calls returns the calls of an account that came in, oldest first.
func (s *Simulator) Calls(ctx context.Context, id uint32) (calls Journal, err error) {
	err = s.Do(ctx, http.MethodGet, "/calls", OfApp(id), nil, &calls)
	return calls, err
}

// LatestCalls returns so many of the newest calls of an account, oldest first.
func (s *Simulator) LatestCalls(ctx context.Context, id uint32, count int) (calls Journal, err error) {
	query := OfApp(id)
	query.Set("limit", strconv.Itoa(count))
	err = s.Do(ctx, http.MethodGet, "/calls", query, nil, &calls)
	return calls, err
}

// Forget empties the journal of calls.
func (s *Simulator) Forget(ctx context.Context) error {
	return s.Do(ctx, http.MethodDelete, "/calls", nil, nil, nil)
}

// Events returns what happened to the rooms of an account, oldest first.
func (s *Simulator) Events(ctx context.Context, id uint32) (events []zimsim.Event, err error) {
	err = s.Do(ctx, http.MethodGet, "/events", OfApp(id), nil, &events)
	return events, err
}

// Destroy makes a room vanish.
func (s *Simulator) Destroy(ctx context.Context, id uint32, roomID string) error {
	query := OfApp(id)
	query.Set("id", roomID)
	return s.Do(ctx, http.MethodDelete, "/rooms", query, nil, nil)
}

// Inject makes calls go wrong.
func (s *Simulator) Inject(ctx context.Context, faults ...zimsim.Fault) error {
	for _, fault := range faults {
		if err := s.Do(ctx, http.MethodPost, "/faults", nil, fault, nil); err != nil {
			return err
		}
	}
	return nil
}

// Heal ends all faults.
func (s *Simulator) Heal(ctx context.Context) error {
	return s.Do(ctx, http.MethodDelete, "/faults", nil, nil, nil)
}
