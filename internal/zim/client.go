package zim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Call describes one call that was sent, for metrics and logs.
type Call struct {
	Account Account
	Action  Action
	Code    Code
	Failure Failure
	Class   Class
	// Duration is the time from sending to the end of the answer, Waited that for the turn before.
	Duration, Waited time.Duration
	// RequestID is what ZIM calls the call, for the vendor's support; empty if no answer of ZIM came.
	RequestID string
	// Documented is false for a code that is not in the table.
	Documented bool
}

// Observer learns of every call. It must be safe for concurrent use.
type Observer interface {
	ObserveCall(ctx context.Context, call Call)
}

// Observers are told one after the other.
type Observers []Observer

// ObserveCall implements Observer.
func (o Observers) ObserveCall(ctx context.Context, call Call) {
	for _, observer := range o {
		observer.ObserveCall(ctx, call)
	}
}

// Config is what a Client needs. Unless said otherwise a field is required.
type Config struct {
	// Endpoint is the address of the server API, for example https://zim-api.zego.im.
	Endpoint string
	// AppID of the project.
	AppID uint32
	// ServerSecret of the project, exactly as the console shows it.
	ServerSecret string
	// HTTPClient comes from NewHTTPClient. One is shared by all clients of a process.
	HTTPClient *http.Client
	// Limiter gives the turns; shared by all clients of an account. Nil: calls are sent at once.
	Limiter *Limiter
	// Observer learns of every call. Nil: nobody does.
	Observer Observer
	// MayCall is asked right before each call leaves; its error keeps the call from leaving. Nil: every call may leave.
	MayCall func() error
	// Now tells the time of the signature. Nil: time.Now.
	Now func() time.Time
	// UserAgent names the program and its version. Empty: Go's own.
	UserAgent string
}

// Client calls the ZIM server API in the name of one AppID. It is safe for concurrent use.
type Client struct {
	config   Config // Without the secret.
	endpoint url.URL
	account  Account
	// sign has the secret, out of reach of whoever prints a Client.
	sign func() stamp
	// unpaced: a call is sent at once, and never a second time.
	unpaced bool
}

// NewClient returns a client. It fails when endpoint, AppID or secret can't be used.
func NewClient(config Config) (*Client, error) {
	endpoint, err := ParseEndpoint(config.Endpoint)
	if err != nil {
		return nil, err
	}
	if config.AppID == 0 || config.ServerSecret == "" {
		return nil, errors.New("AppID and server secret are needed")
	}
	if config.HTTPClient == nil {
		return nil, errors.New("an HTTP client is needed: see NewHTTPClient")
	}
	if config.MayCall == nil {
		config.MayCall = func() error { return nil }
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	secret := config.ServerSecret
	config.ServerSecret = ""
	return &Client{
		config:   config,
		endpoint: url.URL{Scheme: endpoint.Scheme, Host: endpoint.Host, Path: "/"},
		account:  Account{Realm: realm(endpoint), AppID: config.AppID},
		sign:     func() stamp { return newStamp(config.AppID, secret, config.Now()) },
	}, nil
}

// Account returns the account that the client's calls count against.
func (c *Client) Account() Account {
	return c.account
}

// apiCall is one call before it is signed.
type apiCall struct {
	action Action
	method string
	query  url.Values // Business parameters of a GET.
	body   any        // Business parameters of a POST.
}

// call sends a call and decodes its answer. A signature that ZIM calls wrong or expired is made anew once: it may
// have waited too long on the way.
func (c *Client) call(ctx context.Context, call apiCall, answer any) error {
	err := c.attempt(ctx, call, answer)
	if ClassOf(err) == ClassAuth && !c.unpaced {
		err = c.attempt(ctx, call, answer)
	}
	return err
}

// attempt waits for a turn and sends a call once, with a signature of its own.
func (c *Client) attempt(ctx context.Context, call apiCall, answer any) error {
	asked := time.Now() // The real one: it measures, it does not sign.
	turn, err := c.waitForTurn(ctx)
	if err == nil {
		err = c.config.MayCall()
	}
	if err != nil {
		return &Error{Action: call.action, Class: ClassTransient, Failure: FailureNoTurn, cause: err}
	}
	sent := time.Now()
	requestID, failure := c.send(c.telling(ctx, turn), call, answer)
	c.observe(ctx, failure, Call{
		Account: c.account, Action: call.action, RequestID: requestID,
		Waited: sent.Sub(asked), Duration: time.Since(sent),
	})
	if failure == nil || failure.Class == ClassOK {
		return nil
	}
	if failure.Class == ClassThrottled && c.config.Limiter != nil {
		c.config.Limiter.Refused(sent)
	}
	return failure
}

// paced is true for calls that wait for a turn.
func (c *Client) paced() bool {
	return c.config.Limiter != nil && !c.unpaced
}

// waitForTurn returns the moment of the turn, and fails with the error of the context.
func (c *Client) waitForTurn(ctx context.Context) (turn time.Time, err error) {
	if !c.paced() {
		return time.Time{}, ctx.Err()
	}
	return c.config.Limiter.wait(ctx)
}

// telling returns a context with which a request tells the limiter when it leaves: once it has a connection.
func (c *Client) telling(ctx context.Context, turn time.Time) context.Context {
	if !c.paced() {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { c.config.Limiter.called(turn) },
	})
}

// observe adds to a call what became of it.
func (c *Client) observe(ctx context.Context, failure *Error, call Call) {
	if c.config.Observer == nil {
		return
	}
	call.Class, call.Documented = ClassOK, true
	if failure != nil {
		call.Code, call.Failure, call.Class = failure.Code, failure.Failure, failure.Class
		call.Documented = Documented(failure.Code)
	}
	c.config.Observer.ObserveCall(ctx, call)
}

// send returns nil for the answer 0, and an Error for everything else, codes that mean success for the action included.
// The request id is that of any answer of ZIM.
func (c *Client) send(ctx context.Context, call apiCall, answer any) (requestID string, failure *Error) {
	defer conceal()
	signed := c.sign()
	var delivered delivery
	request, err := c.newRequest(delivered.follow(ctx), call, signed)
	if err != nil {
		return "", &Error{Action: call.action, Class: ClassTransient, Failure: FailureConnection}
	}
	response, err := c.config.HTTPClient.Do(request)
	if err != nil {
		return "", transportError(ctx, call.action, err, delivered.mayHaveArrived())
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return "", transportError(ctx, call.action, err, true)
	}
	requestID, failure = evaluate(call.action, response.StatusCode, text, answer)
	requestID = cleanRequestID(requestID, signed)
	if failure != nil {
		failure.RequestID = requestID
	}
	return requestID, failure
}

// conceal lets a panic go on without its value, which may hold the signed URL or the secret. Its place is in the stack,
// and what Go's runtime says holds no data.
func conceal() {
	switch value := recover().(type) {
	case nil:
	case runtime.Error:
		panic(value)
	default:
		panic("sending a call to ZIM panicked")
	}
}

// newRequest returns a signed call. Its errors are never shown: they would hold the URL.
func (c *Client) newRequest(ctx context.Context, call apiCall, signed stamp) (*http.Request, error) {
	address := c.endpoint
	address.RawQuery = c.query(call, signed)
	var body io.Reader
	if call.body != nil {
		text, err := json.Marshal(call.body)
		if err != nil {
			return nil, fmt.Errorf("encoding the body: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, call.method, address.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json")
	if c.config.UserAgent != "" {
		request.Header.Set("User-Agent", c.config.UserAgent)
	}
	return request, nil
}

// query returns the action, its parameters if it is a GET, and the common parameters.
//
// https://www.zegocloud.com/docs/zim-server/accessing-server-apis
func (c *Client) query(call apiCall, signed stamp) string {
	query := url.Values{
		"Action":           {string(call.action)},
		"AppId":            {strconv.FormatUint(uint64(c.config.AppID), 10)},
		"SignatureNonce":   {signed.nonce},
		"Timestamp":        {strconv.FormatInt(signed.timestamp, 10)},
		"SignatureVersion": {signatureVersion},
		"Signature":        {signed.signature},
	}
	maps.Copy(query, call.query)
	// Encode writes a space as +, which not every server reads as a space.
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}
