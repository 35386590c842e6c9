package zimsim

import (
	"crypto/md5" //nolint:gosec // The vendor's signature is MD5.
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signatureTolerance is how far a timestamp may be from the vendor's clock.
// https://www.zegocloud.com/docs/zim-server/accessing-server-apis
const signatureTolerance = 600 * time.Second

// signatureVersion is the only one there is.
const signatureVersion = "2.0"

var hexNonce = regexp.MustCompile(`^[0-9a-fA-F]{16}$`)

// gateway runs the checks that come before any action, and returns the app and the code of the first check that failed.
// The vendor does not publish their order; this one goes from what can be seen without knowing the app, over who calls,
// to what the app may do, so that nobody without the secret learns anything about an app but that it exists.
func (s *Simulator) gateway(req *request, now time.Time) (*appState, int) {
	appID, timestamp, code := s.checkForm(req)
	app := s.apps[appID]
	if code != CodeSuccess {
		return app, code
	}
	return app, s.checkCaller(app, req, timestamp, now)
}

// checkForm checks what needs no knowledge of the app.
func (s *Simulator) checkForm(req *request) (appID uint32, timestamp int64, code int) {
	if !s.isHost(req.host) {
		return 0, 0, CodeWrongHost
	}
	appID, ok := parseAppID(req.query.Get(paramAppID))
	if !ok {
		return 0, 0, CodeAppIDFormat
	}
	text := req.query.Get(paramTimestamp)
	if text == "" {
		return appID, 0, CodeTimestampEmpty
	}
	timestamp, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(timestamp, 10) != text {
		return appID, 0, CodeTimestampFormat
	}
	return appID, timestamp, s.checkRest(req)
}

// checkRest checks the common parameters besides AppId and Timestamp.
func (s *Simulator) checkRest(req *request) int {
	switch {
	case req.action == "":
		return CodeActionEmpty
	case req.query.Get(paramNonce) == "":
		return CodeNonceEmpty
	case req.query.Get(paramSignature) == "":
		return CodeSignatureEmpty
	case req.query.Get(paramSignatureVersion) == "":
		return CodeSignatureVersionEmpty
	case req.query.Get(paramSignatureVersion) != signatureVersion:
		return CodeSignatureVersionUnsupported
	case s.switches.RequireHexNonce && !hexNonce.MatchString(req.query.Get(paramNonce)):
		return CodeInputParameter
	}
	return CodeSuccess
}

// checkCaller checks who calls, and whether the app may.
func (s *Simulator) checkCaller(app *appState, req *request, timestamp int64, now time.Time) int {
	if app == nil {
		return s.switches.UnknownApp
	}
	tolerance := int64(signatureTolerance / time.Second)
	if age := now.Unix() + int64(app.config.ClockAhead) - timestamp; age > tolerance || age < -tolerance {
		return CodeSignatureExpired
	}
	want := sign(app.config.AppID, req.query.Get(paramNonce), app.config.ServerSecret, timestamp)
	if subtle.ConstantTimeCompare([]byte(want), []byte(req.query.Get(paramSignature))) != 1 {
		return CodeSignatureWrong
	}
	if app.config.ServiceDisabled {
		return CodeServiceDisabled
	}
	action, ok := actions[req.action]
	if !ok || action.method != req.method {
		// No code is documented for a wrong method. An action is documented as a method and a name, so with another
		// method it is none.
		return CodeActionNotSupported
	}
	w := app.windowFor(req.action, s.switches.LimitPerAction)
	if !w.admit(now, app.config.CallsPerSecond, s.switches.CountRefusedCalls) {
		return s.overLimitCode(req.action)
	}
	return CodeSuccess
}

// overLimitCode is what a call above the quota gets: UserRegister has a code of its own.
func (s *Simulator) overLimitCode(action string) int {
	switch action {
	case actionUserRegister:
		return CodeRegisterLimit
	case actionQueryRoomUserList:
		return s.switches.UserListOverLimit
	}
	return CodeAppLimit
}

// sign computes the signature that a call must carry.
// https://www.zegocloud.com/docs/zim-server/accessing-server-apis
func sign(appID uint32, nonce, secret string, timestamp int64) string {
	text := strconv.FormatUint(uint64(appID), 10) + nonce + secret + strconv.FormatInt(timestamp, 10)
	sum := md5.Sum([]byte(text)) //nolint:gosec // The vendor's signature is MD5.
	return hex.EncodeToString(sum[:])
}

// parseAppID reads a uint32 in plain decimal: no sign, no leading zeros, because the text is part of the signature.
func parseAppID(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && strconv.FormatUint(n, 10) == text
}

// isHost tells whether the API answers to the host name of a request.
func (s *Simulator) isHost(host string) bool {
	if len(s.opts.Hosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return slices.ContainsFunc(s.opts.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// httpStatus is the status of an ordinary answer.
func (s *Simulator) httpStatus(code int) int {
	if isGatewayCode(code) && s.switches.GatewayErrorStatus != 0 {
		return s.switches.GatewayErrorStatus
	}
	return http.StatusOK
}
