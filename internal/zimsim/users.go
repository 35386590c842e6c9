package zimsim

// userError is a user that UserRegister refused.
type userError struct {
	UserID     string `json:"UserId"`
	SubCode    int    `json:"SubCode"`
	SubMessage string `json:"SubMessage"`
}

const (
	maxUsersPerCall    = 100
	maxUserNameBytes   = 256
	maxUserAvatarBytes = 500
)

// userRegister is UserRegister: every user stands for itself; the call fails only if all of them do, then with the code
// of the first. https://www.zegocloud.com/docs/zim-server/user/batch-register-users
func userRegister(c *call) answer {
	p := c.params()
	items := p.list("UserInfo")
	if len(items) == 0 {
		p.fail("UserInfo")
	}
	users := make([]User, 0, len(items))
	for _, fields := range items {
		item := p.item(fields)
		users = append(users, User{
			ID:     item.text("UserId"),
			Name:   item.text("UserName"),
			Avatar: item.text("UserAvatar"),
		})
		if item.code != CodeSuccess {
			p.fail("UserInfo")
		}
	}
	if p.code != CodeSuccess {
		return p.answer()
	}
	if len(users) > maxUsersPerCall {
		return answer{Code: CodeTooManyUsers}
	}
	var out answer
	for _, user := range users {
		if code := c.register(user); code != CodeSuccess {
			out.ErrorList = append(out.ErrorList, userError{user.ID, code, messageOf(code)})
		}
	}
	if len(out.ErrorList) == len(users) {
		out.Code = out.ErrorList[0].SubCode
	}
	return out
}

// register makes one user known, or returns the code of the refusal.
func (c *call) register(user User) int {
	switch {
	case len(user.ID) > maxUserIDBytes:
		return CodeUserIDTooLong
	case user.ID == "" || !c.sim.switches.allowID(user.ID):
		return CodeParameterError
	case c.app.users[user.ID] != nil:
		return CodeUserExists
	case len(user.Name) > maxUserNameBytes:
		return CodeUserNameTooLong
	case len(user.Avatar) > maxUserAvatarBytes:
		return CodeUserAvatarTooLong
	}
	c.app.users[user.ID] = &user
	return CodeSuccess
}
