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
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// The account of config/samples.
const (
	appID        = 1234567890
	serverSecret = "00000000000000000000000000000000"
)

// simulator is the running simulator of ZIM, seen from its admin side.
type simulator struct {
	*teller
	api    string
	admin  string
	client *http.Client
}

// startSimulator starts the simulator and reads its addresses from its output.
func (d *demo) startSimulator(ctx context.Context) error {
	const limit = 30 * time.Second
	p, err := d.running.start(ctx, d.dir, "simulator", []string{"ZIMSIM_SERVER_SECRET=" + serverSecret}, d.files.simulator,
		"--bind-address=127.0.0.1:0", "--admin-bind-address=127.0.0.1:0", "--app-id="+strconv.Itoa(appID))
	if err != nil {
		return err
	}
	d.simulator = &simulator{
		teller: d.teller, client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second},
	}
	return d.running.await(ctx, p, limit, func(context.Context) bool {
		log, err := os.ReadFile(p.logFile)
		if err != nil {
			return false
		}
		var ok bool
		d.simulator.api, d.simulator.admin, ok = parseAddresses(string(log))
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

// do shows a request to the admin side and sends it.
func (s *simulator) do(
	ctx context.Context, method, path string, query map[string]string, body string, result any,
) error {
	s.request(method, s.urlOf(path, query), body)
	_, err := s.quietly(ctx, method, path, query, body, result)
	return err
}

// quietly sends a request to the admin side. It returns false if what was asked for does not exist.
func (s *simulator) quietly(
	ctx context.Context, method, path string, query map[string]string, body string, result any,
) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.urlOf(path, query), strings.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("asking the simulator: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("asking the simulator: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return false, fmt.Errorf("reading the simulator's answer: %w", err)
	case response.StatusCode == http.StatusNotFound:
		return false, nil
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(answer))
	case result == nil:
		return true, nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return false, fmt.Errorf("reading the simulator's answer: %w", err)
	}
	return true, nil
}

// urlOf adds the account to the query where a path asks for it.
func (s *simulator) urlOf(path string, query map[string]string) string {
	values := url.Values{}
	if path != "/faults" && path != "/apps" { // These say it in their body.
		values.Set("appID", strconv.Itoa(appID))
	}
	for name, value := range query {
		values.Set(name, value)
	}
	if len(values) == 0 {
		return s.admin + path
	}
	return s.admin + path + "?" + values.Encode()
}

// rooms returns the rooms that exist, sorted by id.
func (s *simulator) rooms(ctx context.Context) (rooms []zimsim.Room, err error) {
	_, err = s.quietly(ctx, http.MethodGet, "/rooms", nil, "", &rooms)
	return rooms, err
}

// room returns a room, if it exists.
func (s *simulator) room(ctx context.Context, id string) (room zimsim.Room, exists bool, err error) {
	exists, err = s.quietly(ctx, http.MethodGet, "/rooms", map[string]string{"id": id}, "", &room)
	return room, exists, err
}

// calls returns the calls that came in, oldest first; those for one room unless the id is empty.
func (s *simulator) calls(ctx context.Context, roomID string) (calls []zimsim.Call, err error) {
	query := map[string]string{}
	if roomID != "" {
		query["roomID"] = roomID
	}
	_, err = s.quietly(ctx, http.MethodGet, "/calls", query, "", &calls)
	return calls, err
}
