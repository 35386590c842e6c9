package zim

import (
	"context"
	"errors"
	"net/http"
)

// UserRegister registers a user with ZIM. A user that is registered already is no error.
//
// https://www.zegocloud.com/docs/zim-server/user/batch-register-users
func (c *Client) UserRegister(ctx context.Context, userID string) error {
	type user struct {
		UserID   string `json:"UserId"`
		UserName string `json:"UserName"`
	}
	body := struct {
		UserInfo []user `json:"UserInfo"`
	}{[]user{{UserID: userID, UserName: userID}}}
	var answer struct {
		ErrorList []struct {
			UserID  string `json:"UserId"`
			SubCode Code   `json:"SubCode"`
		}
	}
	err := c.call(ctx, apiCall{action: ActionUserRegister, method: http.MethodPost, body: body}, &answer)

	failed, isError := errors.AsType[*Error](err)
	if isError && failed.Code == CodeOK {
		return err // No answer: nothing is known of the user.
	}
	// What became of the one user stands in ErrorList, whatever Code says; there is nothing in it when all went well.
	for _, user := range answer.ErrorList {
		class := Classify(ActionUserRegister, user.SubCode)
		switch {
		case user.SubCode == CodeOK:
			continue
		case class == ClassOK:
			return nil
		case !isError:
			failed = &Error{Action: ActionUserRegister, HTTPStatus: http.StatusOK}
		}
		failed.Class, failed.Code = class, user.SubCode
		return failed
	}
	return err
}
