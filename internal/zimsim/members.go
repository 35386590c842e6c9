package zimsim

import (
	"slices"
	"strconv"
)

// listedUser is a member in the answer of QueryRoomUserList.
type listedUser struct {
	UserID   string `json:"UserId"`
	UserName string `json:"UserName"`
}

const (
	maxPage    = 500 // members a page of QueryRoomUserList has at most
	maxKickout = 50  // users a call of KickoutRoomUser removes at most
)

// page is one page of a room's members.
type page struct {
	descending   bool
	index, limit int
}

// queryRoomUserList is QueryRoomUserList, also the cheapest way to ask whether a room exists.
// https://www.zegocloud.com/docs/zim-server/room/obtain-information-about-users-in-a-room
func queryRoomUserList(c *call) answer {
	p := c.params()
	id, page := p.roomID(), p.page()
	if p.code != CodeSuccess {
		return p.answer()
	}
	r := c.app.rooms[id]
	if r == nil {
		return answer{Code: CodeRoomNotExist}
	}
	if len(r.members) == 0 && c.sim.switches.UserListOfEmptyRoom != CodeSuccess {
		return answer{Code: c.sim.switches.UserListOfEmptyRoom}
	}
	return c.listMembers(r, page)
}

// page reads the parameters of paging. NextFlag is the number of the page, as in the vendor's example; a limit of 0,
// which would never get anywhere, is taken as none.
func (p *params) page() page {
	page := page{descending: p.flag("Mode"), index: p.integer("NextFlag"), limit: p.integer("Limit")}
	if page.index < 0 {
		p.fail("NextFlag")
	}
	if page.limit < 0 {
		p.fail("Limit")
	}
	if page.limit == 0 || page.limit > maxPage {
		page.limit = maxPage
	}
	return page
}

func (c *call) listMembers(r *room, page page) answer {
	members := slices.Clone(r.members)
	if page.descending {
		slices.Reverse(members)
	}
	count := len(members)
	start := min(page.index*page.limit, count)
	end := min(start+page.limit, count)
	next := "0"
	switch {
	case end < count:
		next = strconv.Itoa(page.index + 1)
	case c.sim.switches.LastPageFlagEmpty:
		next = ""
	}
	list := make([]listedUser, 0, end-start)
	for _, id := range members[start:end] {
		user := listedUser{UserID: id}
		if known := c.app.users[id]; known != nil {
			user.UserName = known.Name
		}
		list = append(list, user)
	}
	return answer{Count: &count, NextFlag: &next, UserList: &list}
}

// kickoutRoomUser is KickoutRoomUser. Users who are not in the room are passed over, unless none of them is.
// https://www.zegocloud.com/docs/zim-server/room/remove-user-from-the-room
func kickoutRoomUser(c *call) answer {
	p := c.params()
	id, operator := p.roomID(), p.operator(false)
	users := c.req.query["UserId[]"]
	if len(users) == 0 {
		p.fail("UserId[]")
	}
	if p.code != CodeSuccess {
		return p.answer()
	}
	if len(users) > maxKickout {
		return answer{Code: CodeTooManyUsers}
	}
	if operator != "" && !c.isOperator(operator) {
		return answer{Code: c.sim.switches.UnregisteredOperator}
	}
	r := c.app.rooms[id]
	if r == nil {
		return answer{Code: CodeRoomNotExist}
	}
	removed := 0
	for _, user := range users {
		if c.sim.leave(r, user, operator, ReasonKickout, c.now) {
			removed++
		}
	}
	if removed == 0 {
		return answer{Code: CodeUserNotInRoom}
	}
	return answer{}
}
