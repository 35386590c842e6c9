package zimsim

import (
	"net/http"
	"strconv"
	"time"
)

// The actions that the simulator knows.
const (
	actionCreateRoom          = "CreateRoom"
	actionDestroyRoom         = "DestroyRoom"
	actionQueryRoomAttribute  = "QueryRoomAttribute"
	actionModifyRoomAttribute = "ModifyRoomAttribute"
	actionQueryRoomUserList   = "QueryRoomUserList"
	actionKickoutRoomUser     = "KickoutRoomUser"
	actionUserRegister        = "UserRegister"
)

// action is one action of the API: how it is called, and what it does once the gateway has let it pass.
type action struct {
	method string
	run    func(*call) answer
}

var actions = map[string]action{
	actionCreateRoom:          {http.MethodPost, createRoom},
	actionDestroyRoom:         {http.MethodGet, destroyRoom},
	actionQueryRoomAttribute:  {http.MethodPost, queryRoomAttribute},
	actionModifyRoomAttribute: {http.MethodPost, modifyRoomAttribute},
	actionQueryRoomUserList:   {http.MethodGet, queryRoomUserList},
	actionKickoutRoomUser:     {http.MethodGet, kickoutRoomUser},
	actionUserRegister:        {http.MethodPost, userRegister},
}

func isAction(name string) bool {
	_, ok := actions[name]
	return ok
}

// answer is the JSON of an answer; an action sets only its own fields.
type answer struct {
	Code         int             `json:"Code"`
	Message      string          `json:"Message"`
	RequestID    string          `json:"RequestId"`
	AttributeSeq *int            `json:"AttributeSeq,omitempty"`
	Attributes   *[]attributeOut `json:"Attributes,omitempty"`
	SuccKeyList  []keySeq        `json:"SuccKeyList,omitempty"`
	ErrKeyList   []keyError      `json:"ErrKeyList,omitempty"`
	Count        *int            `json:"Count,omitempty"`
	NextFlag     *string         `json:"NextFlag,omitempty"`
	UserList     *[]listedUser   `json:"UserList,omitempty"`
	ErrorList    []userError     `json:"ErrorList,omitempty"`
}

// call is one call on its way through an action, with the simulator locked.
type call struct {
	sim      *Simulator
	app      *appState
	req      *request
	now      time.Time
	refusals []Fault
}

// API returns the vendor's API, served at "/".
func (s *Simulator) API() http.Handler { return http.HandlerFunc(s.serveAPI) }

func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	s.deliver(w, r, s.handle(readRequest(r)))
}

// handle decides everything about a call: what it changes, what is answered, and how the answer goes wrong.
func (s *Simulator) handle(req *request) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.bury(now)
	app, code := s.gateway(req, now)
	out := outcome{answer: answer{Code: code}, latency: s.latency()}
	entry := Call{Time: now, Action: clip(req.action), RoomID: clip(req.roomID), FromUserID: clip(req.fromUserID)}
	if code == CodeSuccess {
		s.perform(&call{sim: s, app: app, req: req, now: now}, &out, &entry)
	}
	if out.answer.Message == "" {
		out.answer.Message = messageOf(out.answer.Code)
	}
	s.requests++
	// As long as the vendor's, and like theirs beyond what a float64 can hold.
	out.answer.RequestID = strconv.FormatUint(343649807833778782+s.requests, 10)
	out.status = s.httpStatus(out.answer.Code)
	s.record(entry, app, req, &out)
	return out
}

// perform carries out a call that the gateway has let pass, unless a fault prevents it.
func (s *Simulator) perform(c *call, out *outcome, entry *Call) {
	h := s.hitFaults(c.app.config.AppID, c.req)
	out.fault, c.refusals = h.main, h.refusals
	if h.main.Kind == "" || h.main.carriesOut() {
		s.serving = true
		out.answer = actions[c.req.action].run(c)
		s.serving = false
		entry.CarriedOut = out.answer.Code == CodeSuccess
	}
	if h.main.Kind == FaultCode {
		out.answer = answer{Code: h.main.Code}
	}
	entry.Fault, entry.FaultID = h.main.Kind, h.main.ID
	if h.main.Kind == "" && len(h.refusals) > 0 {
		entry.Fault, entry.FaultID = FaultRefuseKey, h.refusals[0].ID
	}
}

// record writes the call into the journal.
func (s *Simulator) record(entry Call, app *appState, req *request, out *outcome) {
	entry.AppID, _ = parseAppID(req.query.Get(paramAppID))
	entry.Method, entry.UserAgent = clip(req.method), clip(req.userAgent)
	entry.Code, entry.HTTPStatus = out.visible()
	if entry.Code != NoCode {
		entry.RequestID = out.answer.RequestID
	}
	var secret string
	if app != nil {
		secret = app.config.ServerSecret
	}
	entry.Body = journalBody(req, secret)
	s.calls.add(entry)
}

// latency is how much later than decided the next answer goes out.
func (s *Simulator) latency() time.Duration {
	if s.opts.Latency == 0 && s.opts.Jitter == 0 {
		return 0
	}
	return max(0, s.opts.Latency+time.Duration((2*s.opts.Rand()-1)*float64(s.opts.Jitter)))
}
