package zimsim

import (
	"slices"
	"strings"
)

// attributeOut is an attribute in the answer of QueryRoomAttribute.
type attributeOut struct {
	Key        string `json:"Key"`
	Value      string `json:"Value"`
	Seq        int    `json:"Seq"`
	AutoDelete int    `json:"AutoDelete"`
}

// keySeq is a key that ModifyRoomAttribute changed.
type keySeq struct {
	Key string `json:"Key"`
	Seq int    `json:"Seq"`
}

// keyError is a key that ModifyRoomAttribute refused.
type keyError struct {
	Key     string `json:"Key"`
	SubCode int    `json:"SubCode"`
}

// The values of a change's Action.
const (
	changeSet    = 0
	changeDelete = 1
)

// change is one item of a ModifyRoomAttribute.
type change struct {
	key, value  string
	remove      bool
	autoDelete  bool
	stopOnError bool
}

// attributeCall reads what QueryRoomAttribute and ModifyRoomAttribute begin with and finds the room. Without a room the
// returned answer is final.
func (c *call) attributeCall(p *params, codeOnMissing int) (r *room, operator string, final answer) {
	id, operator := p.roomID(), p.operator(true)
	if p.code != CodeSuccess {
		return nil, "", p.answer()
	}
	if !c.isOperator(operator) {
		return nil, "", answer{Code: c.sim.switches.UnregisteredOperator}
	}
	r = c.app.rooms[id]
	if r == nil {
		return nil, "", noAttributes(codeOnMissing)
	}
	if code := c.sim.switches.AttributeCallsOnEmptyRoom; code != CodeSuccess && len(r.members) == 0 {
		return nil, "", answer{Code: code}
	}
	return r, operator, answer{}
}

// noAttributes is the answer about a room that does not exist.
func noAttributes(code int) answer {
	if code != CodeSuccess {
		return answer{Code: code}
	}
	seq := 0
	return answer{AttributeSeq: &seq, Attributes: &[]attributeOut{}}
}

// queryRoomAttribute is QueryRoomAttribute. https://www.zegocloud.com/docs/zim-server/room/query-room-attributes
func queryRoomAttribute(c *call) answer {
	r, _, final := c.attributeCall(c.params(), c.sim.switches.QueryAttributeOnMissingRoom)
	if r == nil {
		return final
	}
	list := make([]attributeOut, 0, len(r.attributes))
	for key, a := range r.attributes {
		out := attributeOut{Key: key, Value: a.Value, Seq: a.Seq}
		if a.AutoDelete {
			out.AutoDelete = 1
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b attributeOut) int { return strings.Compare(a.Key, b.Key) })
	seq := r.attributeSeq // A copy: the answer is encoded after the lock is released.
	return answer{AttributeSeq: &seq, Attributes: &list}
}

// modifyRoomAttribute is ModifyRoomAttribute: a list of changes, carried out one by one, each of which may fail.
// https://www.zegocloud.com/docs/zim-server/room/update-room-attributes
func modifyRoomAttribute(c *call) answer {
	p := c.params()
	changes := p.changes()
	r, operator, final := c.attributeCall(p, c.sim.switches.ModifyAttributeOnMissingRoom)
	if r == nil {
		return final
	}
	var out answer
	stopAtAny := c.sim.switches.StopOnErrorForWholeRequest &&
		slices.ContainsFunc(changes, func(ch change) bool { return ch.stopOnError })
	for _, ch := range changes {
		seq, subCode := c.apply(r, ch, operator)
		if subCode == CodeSuccess {
			out.SuccKeyList = append(out.SuccKeyList, keySeq{ch.key, seq})
			continue
		}
		out.ErrKeyList = append(out.ErrKeyList, keyError{ch.key, subCode})
		if ch.stopOnError || stopAtAny {
			break
		}
	}
	if len(out.ErrKeyList) > 0 {
		out.Code = c.refusedKeysCode()
	}
	seq := r.attributeSeq
	out.AttributeSeq = &seq
	return out
}

// changes reads the Attributes of ModifyRoomAttribute. An item of the wrong form refuses the whole call.
func (p *params) changes() []change {
	items := p.list("Attributes")
	if len(items) == 0 {
		p.fail("Attributes")
	}
	list := make([]change, 0, len(items))
	for _, fields := range items {
		item := p.item(fields)
		action := item.integer("Action")
		ch := change{
			key:         item.requiredText("Key"),
			value:       item.text("Value"),
			remove:      action == changeDelete,
			autoDelete:  item.flag("AutoDelete"),
			stopOnError: item.flag("StopOnError"),
		}
		if !item.has("Action") || action != changeSet && action != changeDelete || item.code != CodeSuccess {
			p.fail("Attributes")
			return nil
		}
		list = append(list, ch)
	}
	return list
}

// apply carries out one change and returns the attribute's new Seq, or the SubCode of a refusal. No page lists
// SubCodes; the only business code on the page of ModifyRoomAttribute that fits is 660000002.
func (c *call) apply(r *room, ch change, operator string) (seq, subCode int) {
	for _, fault := range c.refusals {
		if fault.Key == ch.key {
			return 0, fault.SubCode
		}
	}
	if ch.remove {
		if !r.deleteAttribute(ch.key) && c.sim.switches.DeleteAbsentKeyFails {
			return 0, CodeParameterError
		}
		return r.attributeSeq, CodeSuccess
	}
	if !c.fits(r, ch.key, ch.value) {
		return 0, CodeParameterError
	}
	value := Attribute{Value: ch.value, AutoDelete: ch.autoDelete}
	return r.setAttribute(ch.key, value, operator, c.sim.switches.UnchangedSetCounts), CodeSuccess
}

// refusedKeysCode is the Code of an answer with an ErrKeyList.
func (c *call) refusedKeysCode() int {
	for _, fault := range c.refusals {
		if fault.Code != CodeSuccess {
			return fault.Code
		}
	}
	return c.sim.switches.RefusedKeysCode
}

// fits tells whether the room would stay within the app's limits with the attribute set.
// https://www.zegocloud.com/docs/zim-android/guides/room/room-properties
func (c *call) fits(r *room, key, value string) bool {
	limits := c.app.config.AttributeLimits
	count, total := 1, c.size(key, value)
	for other, a := range r.attributes {
		if other != key {
			count++
			total += c.size(other, a.Value)
		}
	}
	return !exceeds(len(key), limits.KeyBytes) &&
		!exceeds(len(value), limits.ValueBytes) &&
		!exceeds(count, limits.Count) &&
		!exceeds(total, limits.TotalBytes) &&
		(value != "" || !c.sim.switches.RefuseEmptyValue)
}

// size is what an attribute counts towards the total.
func (c *call) size(key, value string) int {
	if c.sim.switches.TotalOfValuesOnly {
		return len(value)
	}
	return len(key) + len(value)
}
