package zimsim

import (
	"errors"
	"fmt"
	"net/http"
)

var errFaultNotFound = errors.New("no such fault")

// done is the answer of what has nothing to say.
var done = map[string]string{"status": "ok"}

// adminRoutes are the paths of the admin side; doc.go describes them.
func adminRoutes() map[string]map[string]route {
	inRoom := []string{"appID", "roomID"}
	member := append(inRoom[:2:2], "userID")
	key := append(inRoom[:2:2], "key")
	user := []string{"appID", "userID"}
	calls := []string{"appID?", "action?", "roomID?", "limit?"}
	return map[string]map[string]route{
		"/healthz": {http.MethodGet: {nil, func(*adminCall) (any, error) { return done, nil }}},
		"/apps": {
			http.MethodGet: {nil, func(c *adminCall) (any, error) { return c.sim.Apps(), nil }},
			http.MethodPut: {nil, putApp},
		},
		"/rooms": {
			http.MethodGet:    {[]string{"appID", "id?"}, getRooms},
			http.MethodPost:   {[]string{"appID"}, postRoom},
			http.MethodDelete: {[]string{"appID", "id"}, deleteRoom},
		},
		"/members": {
			http.MethodPut:    {append(member[:3:3], "create?"), putMember},
			http.MethodDelete: {member, deleteMember},
		},
		"/attributes": {
			http.MethodPut:    {key, putAttribute},
			http.MethodDelete: {key, deleteAttribute},
		},
		"/users": {
			http.MethodGet:    {[]string{"appID"}, getUsers},
			http.MethodPut:    {user, onUser((*Simulator).RegisterUser)},
			http.MethodDelete: {user, onUser((*Simulator).UnregisterUser)},
		},
		"/calls": {
			http.MethodGet:    {calls, getCalls},
			http.MethodDelete: {nil, deleteCalls},
		},
		"/events": {http.MethodGet: {[]string{"appID?", "roomID?", "limit?"}, getEvents}},
		"/faults": {
			http.MethodGet:    {nil, func(c *adminCall) (any, error) { return c.sim.Faults(), nil }},
			http.MethodPost:   {nil, postFault},
			http.MethodDelete: {[]string{"id?"}, deleteFaults},
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
		return nil, badRequest{errors.New("appID is missing")}
	}
	if app.ServerSecret == "" && !c.sim.hasApp(app.AppID) {
		return nil, badRequest{errors.New("serverSecret is missing: the app is new")}
	}
	c.sim.SetApp(app)
	return done, nil
}

func getRooms(c *adminCall) (any, error) {
	appID, err := c.existingApp()
	if err != nil {
		return nil, err
	}
	if !c.query.Has("id") {
		return c.sim.Rooms(appID), nil
	}
	return c.existingRoom(appID, c.query.Get("id"))
}

// existingRoom returns a room as it is now.
func (c *adminCall) existingRoom(appID uint32, roomID string) (any, error) {
	found, ok := c.sim.Room(appID, roomID)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrRoomNotFound, roomID)
	}
	return found, nil
}

func postRoom(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	var template Room
	if err := c.decode(&template); err != nil {
		return nil, err
	}
	if err := c.sim.CreateRoom(appID, template); err != nil {
		return nil, err
	}
	return c.existingRoom(appID, template.ID)
}

func deleteRoom(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err == nil {
		err = c.sim.DestroyRoom(appID, c.query.Get("id"))
	}
	return done, err
}

func putMember(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	enter := c.sim.Enter
	switch c.query.Get("create") {
	case "true":
		enter = c.sim.EnterOrCreate
	case "", "false":
	default:
		return nil, badRequest{errors.New("create is neither true nor false")}
	}
	return done, enter(appID, c.query.Get("roomID"), c.query.Get("userID"))
}

func deleteMember(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err == nil {
		err = c.sim.Leave(appID, c.query.Get("roomID"), c.query.Get("userID"))
	}
	return done, err
}

func putAttribute(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	var in struct {
		Value *string `json:"value"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Value == nil {
		return nil, badRequest{errors.New("value is missing")}
	}
	return done, c.sim.SetAttribute(appID, c.query.Get("roomID"), c.query.Get("key"), *in.Value)
}

func deleteAttribute(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err == nil {
		err = c.sim.DeleteAttribute(appID, c.query.Get("roomID"), c.query.Get("key"))
	}
	return done, err
}

func getUsers(c *adminCall) (any, error) {
	appID, err := c.existingApp()
	if err != nil {
		return nil, err
	}
	return c.sim.Users(appID), nil
}

// onUser runs a method on the user that the query names.
func onUser(method func(*Simulator, uint32, string) error) func(*adminCall) (any, error) {
	return func(c *adminCall) (any, error) {
		appID, err := c.appID()
		if err == nil {
			err = method(c.sim, appID, c.query.Get("userID"))
		}
		return done, err
	}
}

func getCalls(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit")
	if err != nil {
		return nil, err
	}
	return c.sim.CallsOf(CallFilter{
		AppID: appID, Action: c.query.Get("action"), RoomID: c.query.Get("roomID"), Limit: limit,
	}), nil
}

func deleteCalls(c *adminCall) (any, error) {
	c.sim.ResetCalls()
	return done, nil
}

func getEvents(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit")
	if err != nil {
		return nil, err
	}
	roomID := c.query.Get("roomID")
	list := []Event{}
	for _, e := range c.sim.Events() {
		if (appID == 0 || appID == e.AppID) && (roomID == "" || roomID == e.RoomID) {
			list = append(list, e)
		}
	}
	return newest(list, limit), nil
}

func postFault(c *adminCall) (any, error) {
	var fault Fault
	if err := c.decode(&fault); err != nil {
		return nil, err
	}
	id, err := c.sim.Inject(fault)
	if err != nil {
		return nil, badRequest{err}
	}
	return map[string]int{"id": id}, nil
}

func deleteFaults(c *adminCall) (any, error) {
	if !c.query.Has("id") {
		c.sim.ClearFaults()
		return done, nil
	}
	id, err := c.number("id")
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
	if switches.GatewayErrorStatus < http.StatusOK || switches.GatewayErrorStatus > 599 {
		return nil, badRequest{errors.New("gatewayErrorStatus is not between 200 and 599")}
	}
	c.sim.SetSwitches(switches)
	return switches, nil
}
