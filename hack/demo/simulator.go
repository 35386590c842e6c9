package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// simulator is the running simulator of ZIM, seen from its admin side. Its account is that of config/samples.
type simulator struct {
	*teller
	*testbed.Simulator
}

// startSimulator starts the simulator, with the quota of ZIM.
func (d *demo) startSimulator(ctx context.Context) error {
	const quota = 20
	start := func(ctx context.Context, c testbed.Child) (*testbed.Process, error) {
		return d.running.Start(ctx, d.dir, c, d.failed)
	}
	running, err := testbed.StartSimulator(ctx, start,
		testbed.SimulatorOptions{Path: d.files.simulator, CallsPerSecond: quota})
	d.simulator = &simulator{teller: d.teller, Simulator: running}
	return err
}

// do shows a request to the admin side and sends it.
func (s *simulator) do(
	ctx context.Context, method, path string, query map[string]string, body string, result any,
) error {
	s.request(method, s.urlOf(path, query), body)
	return s.quietly(ctx, method, path, query, body, result)
}

// quietly sends a request to the admin side.
func (s *simulator) quietly(
	ctx context.Context, method, path string, query map[string]string, body string, result any,
) error {
	if body == "" {
		return s.Do(ctx, method, path, s.queryOf(path, query), nil, result)
	}
	return s.Do(ctx, method, path, s.queryOf(path, query), json.RawMessage(body), result)
}

// queryOf adds the account where a path asks for it.
func (s *simulator) queryOf(path string, query map[string]string) url.Values {
	values := url.Values{}
	if path != "/faults" && path != "/apps" { // These say it in their body.
		values = testbed.OfApp(testbed.AppID)
	}
	for name, value := range query {
		values.Set(name, value)
	}
	return values
}

// urlOf is what a request is sent to.
func (s *simulator) urlOf(path string, query map[string]string) string {
	if values := s.queryOf(path, query); len(values) > 0 {
		path += "?" + values.Encode()
	}
	return s.Admin + path
}

// rooms returns the rooms that exist, sorted by id.
func (s *simulator) rooms(ctx context.Context) (rooms []zimsim.Room, err error) {
	err = s.quietly(ctx, http.MethodGet, "/rooms", nil, "", &rooms)
	return rooms, err
}

// room returns a room, if it exists.
func (s *simulator) room(ctx context.Context, id string) (room zimsim.Room, exists bool, err error) {
	err = s.quietly(ctx, http.MethodGet, "/rooms", map[string]string{"id": id}, "", &room)
	if errors.Is(err, testbed.ErrNotFound) {
		return room, false, nil
	}
	return room, err == nil, err
}

// calls returns the calls that came in, oldest first; those for one room unless the id is empty.
func (s *simulator) calls(ctx context.Context, roomID string) (calls []zimsim.Call, err error) {
	query := map[string]string{}
	if roomID != "" {
		query["roomID"] = roomID
	}
	err = s.quietly(ctx, http.MethodGet, "/calls", query, "", &calls)
	return calls, err
}
