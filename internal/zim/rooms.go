package zim

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Attribute of a room.
type Attribute struct {
	Key   string
	Value string
	// AutoDelete lets ZIM remove the attribute when the operator user, having entered the room, leaves it.
	AutoDelete bool
}

// CreateRoomRequest are the parameters of CreateRoom.
type CreateRoomRequest struct {
	// FromUserID is the operator: a registered user. It does not enter the room.
	FromUserID string
	// RoomID has 1 to 32 characters of the vendor's set.
	RoomID string
	// RoomName has at most 64 bytes; may be empty.
	RoomName string
	// DestroyDelay is how long ZIM keeps the room when nobody is in it; whole seconds, at most 3 hours. It is always sent:
	// ZIM's default destroys an empty room at once.
	DestroyDelay time.Duration
	// Attributes are at most 20.
	Attributes []Attribute
}

type createRoomBody struct {
	FromUserID   string          `json:"FromUserId"`
	RoomID       string          `json:"RoomId"`
	RoomName     string          `json:"RoomName,omitempty"`
	DestroyDelay int64           `json:"DestroyDelayTime"`
	Attributes   []attributeBody `json:"Attributes,omitempty"`
}

type attributeBody struct {
	Key        string `json:"Key"`
	Value      string `json:"Value"`
	AutoDelete int    `json:"AutoDelete"`
}

// CreateRoomResponse is the answer 0 of CreateRoom.
type CreateRoomResponse struct {
	// AttributeSeq is the number of attribute changes in the room's life: that of the attributes it was created with.
	AttributeSeq int `json:"AttributeSeq"`
}

// CreateRoom creates a room. A room that exists already is an Error of ClassRoomExists.
//
// https://www.zegocloud.com/docs/zim-server/room/create-a-room
func (c *Client) CreateRoom(ctx context.Context, request CreateRoomRequest) (CreateRoomResponse, error) {
	body := createRoomBody{
		FromUserID:   request.FromUserID,
		RoomID:       request.RoomID,
		RoomName:     request.RoomName,
		DestroyDelay: int64(request.DestroyDelay / time.Second),
	}
	for _, attribute := range request.Attributes {
		body.Attributes = append(body.Attributes, attributeBody{
			Key: attribute.Key, Value: attribute.Value, AutoDelete: flag(attribute.AutoDelete),
		})
	}
	var response CreateRoomResponse
	err := c.call(ctx, apiCall{action: ActionCreateRoom, method: http.MethodPost, body: body}, &response)
	return response, err
}

// DestroyRoom destroys a room at once, whoever is in it. A room that does not exist is no error.
//
// https://www.zegocloud.com/docs/zim-server/room/destroy-the-room
func (c *Client) DestroyRoom(ctx context.Context, roomID string) error {
	query := url.Values{"RoomId": {roomID}}
	return c.call(ctx, apiCall{action: ActionDestroyRoom, method: http.MethodGet, query: query}, nil)
}

// RoomAttributes are the attributes of a room, as QueryRoomAttribute answers them.
type RoomAttributes struct {
	// Seq counts the attribute changes of the room's life. One that is lower than before means that the room is another
	// one.
	Seq int
	// Attributes of the room, all of them.
	Attributes []Attribute
}

// QueryRoomAttribute returns all attributes of a room.
//
// https://www.zegocloud.com/docs/zim-server/room/query-room-attributes
func (c *Client) QueryRoomAttribute(ctx context.Context, fromUserID, roomID string) (RoomAttributes, error) {
	body := struct {
		FromUserID string `json:"FromUserId"`
		RoomID     string `json:"RoomId"`
	}{fromUserID, roomID}
	var answer struct {
		AttributeSeq int
		Attributes   []attributeBody
	}
	err := c.call(ctx, apiCall{action: ActionQueryRoomAttribute, method: http.MethodPost, body: body}, &answer)
	if err != nil {
		return RoomAttributes{}, err
	}
	result := RoomAttributes{Seq: answer.AttributeSeq}
	for _, attribute := range answer.Attributes {
		result.Attributes = append(result.Attributes, Attribute{
			Key: attribute.Key, Value: attribute.Value, AutoDelete: attribute.AutoDelete == 1,
		})
	}
	return result, nil
}

// ModifyRoomAttributeRequest are the parameters of ModifyRoomAttribute.
type ModifyRoomAttributeRequest struct {
	// FromUserID is the operator: a registered user.
	FromUserID string
	// RoomID of the room.
	RoomID string
	// Set are the attributes to create or overwrite.
	Set []Attribute
	// Delete are the keys to remove.
	Delete []string
}

// ModifyRoomAttributeResponse tells how far a change came. ZIM changes attributes one by one, not all or none.
type ModifyRoomAttributeResponse struct {
	// Seq counts the attribute changes of the room's life.
	Seq int
	// Rejected are the keys that ZIM did not change, with its code for each. They may come with an answer of success.
	Rejected []RejectedAttribute
}

// RejectedAttribute is an attribute that ZIM did not change.
type RejectedAttribute struct {
	Key     string `json:"Key"`
	SubCode Code   `json:"SubCode"`
}

// Values of an item's Action in ModifyRoomAttribute.
const (
	attributeSet    = 0
	attributeDelete = 1
)

type modifyAttributeBody struct {
	Action     int    `json:"Action"`
	Key        string `json:"Key"`
	Value      string `json:"Value"`
	AutoDelete int    `json:"AutoDelete"`
}

// ModifyRoomAttribute sets and deletes attributes of a room. The answer holds the rejected keys even when there is an
// error.
//
// https://www.zegocloud.com/docs/zim-server/room/update-room-attributes
func (c *Client) ModifyRoomAttribute(
	ctx context.Context, request ModifyRoomAttributeRequest,
) (ModifyRoomAttributeResponse, error) {
	body := struct {
		FromUserID string                `json:"FromUserId"`
		RoomID     string                `json:"RoomId"`
		Attributes []modifyAttributeBody `json:"Attributes"`
	}{FromUserID: request.FromUserID, RoomID: request.RoomID}
	for _, attribute := range request.Set {
		body.Attributes = append(body.Attributes, modifyAttributeBody{
			Action: attributeSet, Key: attribute.Key, Value: attribute.Value, AutoDelete: flag(attribute.AutoDelete),
		})
	}
	for _, key := range request.Delete {
		body.Attributes = append(body.Attributes, modifyAttributeBody{Action: attributeDelete, Key: key})
	}
	var answer struct {
		AttributeSeq int
		ErrKeyList   []RejectedAttribute
	}
	err := c.call(ctx, apiCall{action: ActionModifyRoomAttribute, method: http.MethodPost, body: body}, &answer)
	return ModifyRoomAttributeResponse{Seq: answer.AttributeSeq, Rejected: answer.ErrKeyList}, err
}

// userList is an answer of QueryRoomUserList.
type userList struct {
	Count    *int
	UserList []json.RawMessage
}

// isComplete implements completer: without a count nobody may take the room for empty.
func (l *userList) isComplete() bool {
	return l.Count != nil && *l.Count >= len(l.UserList)
}

// QueryRoomUserList returns how many members a room has. A room that exists but is empty has 0; one that does not
// exist is an Error of ClassRoomMissing.
//
// https://www.zegocloud.com/docs/zim-server/room/obtain-information-about-users-in-a-room
func (c *Client) QueryRoomUserList(ctx context.Context, roomID string) (int, error) {
	// One user is the shortest answer: only the count matters.
	query := url.Values{"RoomId": {roomID}, "Limit": {"1"}}
	var answer userList
	err := c.call(ctx, apiCall{action: ActionQueryRoomUserList, method: http.MethodGet, query: query}, &answer)
	if err != nil || !answer.isComplete() { // The code that says "empty" comes without a count.
		return 0, err
	}
	return *answer.Count, nil
}

// flag writes a switch as ZIM does.
func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}
