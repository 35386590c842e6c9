package zimsim

import (
	"errors"
	"fmt"
)

func getRooms(c *adminCall) (any, error) {
	appID, err := c.existingApp()
	if err != nil {
		return nil, err
	}
	if !c.query.Has(queryID) {
		return c.sim.Rooms(appID), nil
	}
	return c.existingRoom(appID, c.query.Get(queryID))
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
		err = c.sim.DestroyRoom(appID, c.query.Get(queryID))
	}
	return done, err
}

func putMember(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err != nil {
		return nil, err
	}
	enter := c.sim.Enter
	switch c.query.Get(queryCreate) {
	case "true":
		enter = c.sim.EnterOrCreate
	case "", "false":
	default:
		return nil, badRequestError{errors.New("create is neither true nor false")}
	}
	return done, enter(appID, c.query.Get(queryRoomID), c.query.Get(queryUserID))
}

func deleteMember(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err == nil {
		err = c.sim.Leave(appID, c.query.Get(queryRoomID), c.query.Get(queryUserID))
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
		return nil, badRequestError{errors.New("value is missing")}
	}
	return done, c.sim.SetAttribute(appID, c.query.Get(queryRoomID), c.query.Get(queryKey), *in.Value)
}

func deleteAttribute(c *adminCall) (any, error) {
	appID, err := c.appID()
	if err == nil {
		err = c.sim.DeleteAttribute(appID, c.query.Get(queryRoomID), c.query.Get(queryKey))
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
			err = method(c.sim, appID, c.query.Get(queryUserID))
		}
		return done, err
	}
}
