package zimsim

import (
	"time"
	"unicode/utf8"
)

// maxRoomName is the longest RoomName, in bytes. https://www.zegocloud.com/docs/zim-server/room/create-a-room
const maxRoomName = 64

// createRoom is CreateRoom. https://www.zegocloud.com/docs/zim-server/room/create-a-room
func createRoom(c *call) answer {
	p := c.params()
	r := &room{
		id:           p.roomID(),
		creator:      p.operator(true),
		name:         p.roomName(),
		destroyDelay: p.destroyDelay(),
	}
	p.createAttributes(r)
	if p.code != CodeSuccess {
		return p.answer()
	}
	if !c.isOperator(r.creator) {
		return answer{Code: c.sim.switches.UnregisteredOperator}
	}
	if code := c.mayCreate(r.id); code != CodeSuccess {
		return answer{Code: code}
	}
	seq := r.attributeSeq
	c.sim.addRoom(c.app, r, c.now)
	c.sim.startTimerAtCreation(r, c.now)
	return answer{AttributeSeq: &seq}
}

// mayCreate returns CodeSuccess if the room can come into existence.
func (c *call) mayCreate(id string) int {
	full := c.app.config.MaxRooms > 0 && len(c.app.rooms) >= c.app.config.MaxRooms
	if full && c.sim.switches.QuotaBeforeExistence {
		return CodeTooManyRooms
	}
	if c.app.rooms[id] != nil || c.isStillTaken(id) {
		return CodeRoomExists
	}
	if full {
		return CodeTooManyRooms
	}
	return CodeSuccess
}

// isStillTaken tells whether the id of a room that has ended is not free yet.
func (c *call) isStillTaken(id string) bool {
	reuse := time.Duration(c.sim.switches.RoomIDReuseSeconds) * time.Second
	destroyed := c.app.history[id].destroyed
	return !destroyed.IsZero() && c.now.Sub(destroyed) < reuse
}

// roomName reads RoomName.
func (p *params) roomName() string {
	name := p.text("RoomName")
	length := len(name)
	if p.call.sim.switches.RoomNameInCharacters {
		length = utf8.RuneCountInString(name)
	}
	if length > maxRoomName {
		p.fail("RoomName")
	}
	return name
}

// destroyDelay reads DestroyDelayTime. What the vendor does with a negative number or a fraction is not documented;
// both are refused here.
func (p *params) destroyDelay() time.Duration {
	const name = "DestroyDelayTime"
	config := p.call.app.config
	if !p.has(name) {
		return time.Duration(config.DefaultDestroyDelay) * time.Second
	}
	seconds := p.integer(name)
	if exceeds(seconds, config.MaxDestroyDelay) && p.call.sim.switches.CapDestroyDelay {
		seconds = config.MaxDestroyDelay
	}
	if seconds < 0 || exceeds(seconds, config.MaxDestroyDelay) {
		p.fail(name)
	}
	return time.Duration(seconds) * time.Second
}

// createAttributes reads the Attributes of CreateRoom into the room. One bad attribute refuses the whole call: the page
// has no list of refused keys. Of two with the same key the later one holds, and both count.
func (p *params) createAttributes(r *room) {
	for _, fields := range p.list("Attributes") {
		item := p.item(fields)
		key, value := item.requiredText("Key"), item.text("Value")
		autoDelete := item.flag("AutoDelete")
		if !item.has("Value") || item.code != CodeSuccess || !p.call.fits(r, key, value) {
			p.fail("Attributes")
			return
		}
		r.setAttribute(key, Attribute{Value: value, AutoDelete: autoDelete}, p.text("FromUserId"), true)
	}
}

// destroyRoom is DestroyRoom; it does not wait for the room's DestroyDelayTime.
// https://www.zegocloud.com/docs/zim-server/room/destroy-the-room
func destroyRoom(c *call) answer {
	p := c.params()
	id, operator := p.roomID(), p.operator(false)
	if p.code != CodeSuccess {
		return p.answer()
	}
	if operator != "" && !c.isOperator(operator) {
		return answer{Code: c.sim.switches.UnregisteredOperator}
	}
	r := c.app.rooms[id]
	if r == nil {
		return answer{Code: CodeRoomNotExist}
	}
	c.sim.destroy(r, c.now, operator, ReasonDestroyed)
	return answer{}
}
