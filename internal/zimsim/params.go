package zimsim

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// idCharacters may stand in ids besides digits and ASCII letters: the set of the original pages. Later pages lost some
// of it to a rendering mistake. https://www.zegocloud.com/docs/zim-server/room/create-a-room
const idCharacters = "!#$%&()+-:;<=.>?@[]^_ {}|~"

// maxUserIDBytes is the longest UserId. https://www.zegocloud.com/docs/zim-server/user/batch-register-users
const maxUserIDBytes = 32

// params reads the business parameters of a call, from the query of a GET or the body of a POST, and remembers the
// first one that is missing or wrong.
type params struct {
	call  *call
	query url.Values // nil: read body
	body  fields
	code  int
	wrong string
}

func (c *call) params() *params {
	p := &params{call: c, body: c.req.fields}
	switch {
	case c.req.method != http.MethodPost:
		p.query = c.req.query
	case c.req.bodyErr != nil:
		p.code = CodeBodyUnreadable
	case c.req.fields == nil:
		p.fail("body")
	}
	return p
}

// item reads one object inside the body.
func (p *params) item(body fields) *params { return &params{call: p.call, body: body} }

// fail remembers that a parameter is wrong, unless one was before.
func (p *params) fail(name string) {
	if p.code == CodeSuccess {
		p.code, p.wrong = CodeParameterError, name
	}
}

// answer is what a call with a wrong parameter gets.
func (p *params) answer() answer {
	a := answer{Code: p.code}
	if p.wrong != "" {
		a.Message = messageOf(p.code) + ": " + p.wrong
	}
	return a
}

// has tells whether a parameter is there. In a query an empty one is as good as none.
func (p *params) has(name string) bool {
	if p.query != nil {
		return p.query.Get(name) != ""
	}
	return p.body.has(name)
}

// text returns a string parameter that may be missing.
func (p *params) text(name string) string {
	if p.query != nil {
		return p.query.Get(name)
	}
	if !p.body.has(name) {
		return ""
	}
	text, ok := p.body.text(name)
	if !ok {
		p.fail(name)
	}
	return text
}

// requiredText returns a string parameter that must be there and not empty.
func (p *params) requiredText(name string) string {
	text := p.text(name)
	if text == "" {
		p.fail(name)
	}
	return text
}

// integer returns a whole number that may be missing, then 0.
func (p *params) integer(name string) int {
	if !p.has(name) {
		return 0
	}
	text := p.query.Get(name)
	if p.query == nil {
		text = string(p.body[name])
	}
	// As a float, because 60.0 and 6e1 are JSON for the whole number 60.
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		p.fail(name)
		return 0
	}
	return int(number)
}

// flag returns a parameter that must be 0 or 1, and may be missing, then 0.
func (p *params) flag(name string) bool {
	n := p.integer(name)
	if n != 0 && n != 1 {
		p.fail(name)
	}
	return n == 1
}

// list returns an array of objects that may be missing.
func (p *params) list(name string) []fields {
	if !p.body.has(name) {
		return nil
	}
	var items []fields
	if json.Unmarshal(p.body[name], &items) != nil {
		p.fail(name)
	}
	return items
}

// roomID returns the RoomId.
func (p *params) roomID() string {
	id := p.requiredText("RoomId")
	if exceeds(len(id), p.call.app.config.MaxRoomIDBytes) || !p.call.sim.switches.allowID(id) {
		p.fail("RoomId")
	}
	return id
}

// operator returns the FromUserId; whether the user is registered is checked after all parameters.
func (p *params) operator(required bool) string {
	id := p.text("FromUserId")
	if required && id == "" || len(id) > maxUserIDBytes || !p.call.sim.switches.allowID(id) {
		p.fail("FromUserId")
	}
	return id
}

// allowID tells whether an id has only allowed characters.
func (s *Switches) allowID(id string) bool {
	return strings.IndexFunc(id, func(c rune) bool { return !s.allowIDCharacter(c) }) < 0
}

func (s *Switches) allowIDCharacter(c rune) bool {
	switch {
	case strings.ContainsRune(s.RefusedIDCharacters, c):
		return false
	case c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		return true
	}
	return strings.ContainsRune(idCharacters, c) || strings.ContainsRune(s.ExtraIDCharacters, c)
}

// isOperator tells whether a user may act in FromUserId.
func (c *call) isOperator(userID string) bool {
	user := c.app.users[userID]
	return user != nil && (user.LoggedIn || !c.sim.switches.OperatorMustHaveLoggedIn)
}
