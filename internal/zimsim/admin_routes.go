package zimsim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

var errFaultNotFound = errors.New("no such fault")

// The query parameters of the admin side.
const (
	queryAppID  = "appID"
	queryRoomID = "roomID"
	queryUserID = "userID"
	queryID     = "id"
	queryKey    = "key"
	queryAction = "action"
	queryLimit  = "limit"
	queryCreate = "create"
)

// done is the answer of what has nothing to say.
var done = map[string]string{"status": "ok"}

// adminRoutes are the paths of the admin side; doc.go describes them.
func adminRoutes() map[string]map[string]route {
	room := []string{queryAppID, queryID}
	member := []string{queryAppID, queryRoomID, queryUserID}
	key := []string{queryAppID, queryRoomID, queryKey}
	user := []string{queryAppID, queryUserID}
	filter := []string{queryAppID + "?", queryRoomID + "?", queryLimit + "?"}
	return map[string]map[string]route{
		"/healthz": {http.MethodGet: {nil, func(*adminCall) (any, error) { return done, nil }}},
		"/apps": {
			http.MethodGet: {nil, func(c *adminCall) (any, error) { return c.sim.Apps(), nil }},
			http.MethodPut: {nil, putApp},
		},
		"/rooms": {
			http.MethodGet:    {[]string{queryAppID, queryID + "?"}, getRooms},
			http.MethodPost:   {[]string{queryAppID}, postRoom},
			http.MethodDelete: {room, deleteRoom},
		},
		"/members": {
			http.MethodPut:    {slices.Concat(member, []string{queryCreate + "?"}), putMember},
			http.MethodDelete: {member, deleteMember},
		},
		"/attributes": {
			http.MethodPut:    {key, putAttribute},
			http.MethodDelete: {key, deleteAttribute},
		},
		"/users": {
			http.MethodGet:    {[]string{queryAppID}, getUsers},
			http.MethodPut:    {user, onUser((*Simulator).RegisterUser)},
			http.MethodDelete: {user, onUser((*Simulator).UnregisterUser)},
		},
		"/calls": {
			http.MethodGet:    {slices.Concat(filter, []string{queryAction + "?"}), getCalls},
			http.MethodDelete: {nil, deleteCalls},
		},
		"/events":    {http.MethodGet: {filter, getEvents}},
		"/callbacks": {http.MethodGet: {filter, getCallbacks}},
		"/faults": {
			http.MethodGet:    {nil, func(c *adminCall) (any, error) { return c.sim.Faults(), nil }},
			http.MethodPost:   {nil, postFault},
			http.MethodDelete: {[]string{queryID + "?"}, deleteFaults},
		},
		"/switches": {
			http.MethodGet: {nil, func(c *adminCall) (any, error) { return c.sim.Switches(), nil }},
			http.MethodPut: {nil, putSwitches},
		},
	}
}

func putApp(c *adminCall) (any, error) {
	var app App
	if err := c.decode(&app); err != nil {
		return nil, err
	}
	if app.AppID == 0 {
		return nil, badRequestError{errors.New("appID is missing")}
	}
	if err := CheckCallbackURL(app.CallbackURL); err != nil {
		return nil, badRequestError{fmt.Errorf("callbackURL: %w", err)}
	}
	if app.ServerSecret == "" && !c.sim.hasApp(app.AppID) {
		return nil, badRequestError{errors.New("serverSecret is missing: the app is new")}
	}
	c.sim.SetApp(app)
	return done, nil
}

func getCalls(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	limit, err := c.number(queryLimit)
	if err != nil {
		return nil, err
	}
	return c.sim.CallsOf(CallFilter{
		AppID: appID, Action: c.query.Get(queryAction), RoomID: c.query.Get(queryRoomID), Limit: limit,
	}), nil
}

func deleteCalls(c *adminCall) (any, error) {
	c.sim.ResetCalls()
	return done, nil
}

func getEvents(c *adminCall) (any, error) {
	filter, err := c.eventFilter()
	if err != nil {
		return nil, err
	}
	return c.sim.Events(filter), nil
}

func getCallbacks(c *adminCall) (any, error) {
	filter, err := c.eventFilter()
	if err != nil {
		return nil, err
	}
	return c.sim.Callbacks(filter), nil
}

func (c *adminCall) eventFilter() (filter EventFilter, err error) {
	if filter.AppID, err = c.appID(); err != nil {
		return filter, err
	}
	filter.RoomID = c.query.Get(queryRoomID)
	filter.Limit, err = c.number(queryLimit)
	return filter, err
}

func postFault(c *adminCall) (any, error) {
	var fault Fault
	if err := c.decode(&fault); err != nil {
		return nil, err
	}
	id, err := c.sim.Inject(fault)
	if err != nil {
		return nil, badRequestError{err}
	}
	return map[string]int{"id": id}, nil
}

func deleteFaults(c *adminCall) (any, error) {
	if !c.query.Has(queryID) {
		c.sim.ClearFaults()
		return done, nil
	}
	id, err := c.number(queryID)
	if err == nil && !c.sim.ClearFault(id) {
		err = fmt.Errorf("%w: %d", errFaultNotFound, id)
	}
	return done, err
}

// putSwitches sets the switches that the body names and leaves the others.
func putSwitches(c *adminCall) (any, error) {
	switches := c.sim.Switches()
	if err := c.decode(&switches); err != nil {
		return nil, err
	}
	if !isHTTPStatus(switches.GatewayErrorStatus) {
		return nil, badRequestError{errors.New("gatewayErrorStatus is not between 200 and 599")}
	}
	c.sim.SetSwitches(switches)
	return switches, nil
}
