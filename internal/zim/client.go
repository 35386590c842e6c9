package zim

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// callTimeout bounds one HTTP call, from sending to the end of the answer. Waiting for a turn comes on top.
	callTimeout = 10 * time.Second

	// maxAnswerBytes bounds what is read of an answer. The largest real one, 20 attributes of 4096 characters, has a quarter.
	maxAnswerBytes = 1 << 20

	// maxConnectionsPerHost leaves room for many calls at once without letting a slow server pile connections up.
	maxConnectionsPerHost = 64

	// maxRequestIDBytes bounds what is kept of ZIM's request id.
	maxRequestIDBytes = 64
)

// Call describes one call that was sent, for metrics and logs.
type Call struct {
	Account  Account
	Action   Action
	Code     Code
	Failure  Failure
	Class    Class
	Duration time.Duration
	// Documented is false for a code that is not in the table.
	Documented bool
}

// Observer learns of every call. It must be safe for concurrent use.
type Observer interface {
	ObserveCall(ctx context.Context, call Call)
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
	// Now tells the time of the signature. Nil: time.Now.
	Now func() time.Time
	// UserAgent names the program and its version. Empty: Go's own.
	UserAgent string
}

// Client calls the ZIM server API in the name of one AppID. It is safe for concurrent use.
type Client struct {
	config   Config
	endpoint url.URL
	account  Account
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
	if config.Now == nil {
		config.Now = time.Now
	}
	address := url.URL{Scheme: endpoint.Scheme, Host: endpoint.Host, Path: "/"}
	return &Client{
		config:   config,
		endpoint: address,
		account:  Account{Realm: realm(endpoint), AppID: config.AppID},
	}, nil
}

// Account returns the account that the client's calls count against.
func (c *Client) Account() Account {
	return c.account
}

// NewHTTPClient returns the HTTP client for ZIM: TLS 1.2 or newer, proxies from the environment, redirects not followed (the
// signed query would go along), and a timeout of 10 s for a call.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			IdleConnTimeout:        90 * time.Second,
			MaxConnsPerHost:        maxConnectionsPerHost,
			MaxIdleConnsPerHost:    maxConnectionsPerHost,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// apiCall is one call before it is signed.
type apiCall struct {
	action Action
	method string
	query  url.Values // Business parameters of a GET.
	body   any        // Business parameters of a POST.
}

// envelope is what every answer has in common.
type envelope struct {
	Code      *Code
	RequestID string `json:"RequestId"`
}

// call sends a call and decodes its answer. A signature that ZIM calls wrong or expired is made anew once: it may have waited
// too long on the way.
func (c *Client) call(ctx context.Context, call apiCall, answer any) error {
	err := c.attempt(ctx, call, answer)
	if ClassOf(err) == ClassAuth {
		err = c.attempt(ctx, call, answer)
	}
	return err
}

// attempt waits for a turn and sends a call once, with a signature of its own.
func (c *Client) attempt(ctx context.Context, call apiCall, answer any) error {
	if c.config.Limiter != nil {
		if err := c.config.Limiter.Wait(ctx); err != nil {
			return &Error{Action: call.action, Class: ClassTransient, Failure: FailureNoTurn, cause: ctx.Err()}
		}
	}
	start := time.Now() // The real one: it measures, it does not sign.
	failure := c.send(ctx, call, answer)
	c.observe(ctx, call.action, failure, time.Since(start))
	if failure == nil || failure.Class == ClassOK {
		return nil
	}
	return failure
}

func (c *Client) observe(ctx context.Context, action Action, failure *Error, duration time.Duration) {
	if c.config.Observer == nil {
		return
	}
	call := Call{Account: c.account, Action: action, Class: ClassOK, Duration: duration, Documented: true}
	if failure != nil {
		call.Code, call.Failure, call.Class = failure.Code, failure.Failure, failure.Class
		call.Documented = Documented(failure.Code)
	}
	c.config.Observer.ObserveCall(ctx, call)
}

// send returns nil for the answer 0, and an Error for everything else, codes that mean success for the action included.
func (c *Client) send(ctx context.Context, call apiCall, answer any) *Error {
	request, err := c.newRequest(ctx, call)
	if err != nil {
		return &Error{Action: call.action, Class: ClassTransient, Failure: FailureConnection}
	}
	response, err := c.config.HTTPClient.Do(request)
	if err != nil {
		return transportError(ctx, call.action, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return transportError(ctx, call.action, err)
	}
	return evaluate(call.action, response.StatusCode, text, answer)
}

// evaluate judges an answer. ZIM's own code counts more than the HTTP status, which its pages do not mention; but there is no
// success without 200.
func evaluate(action Action, status int, text []byte, answer any) *Error {
	var head envelope
	isZIM := len(text) <= maxAnswerBytes && json.Unmarshal(text, &head) == nil && head.Code != nil
	if isZIM && *head.Code == CodeOK && status == http.StatusOK {
		if answer == nil || json.Unmarshal(text, answer) == nil {
			return nil
		}
		isZIM = false
	}
	failure := &Error{Action: action, Class: ClassTransient, HTTPStatus: status, MaybeDone: true}
	switch {
	case status == http.StatusTooManyRequests:
		failure.Class, failure.Failure, failure.MaybeDone = ClassThrottled, FailureHTTPStatus, false
	case isZIM && *head.Code != CodeOK:
		failure.Code, failure.Class, failure.MaybeDone = *head.Code, Classify(action, *head.Code), false
		failure.RequestID = requestID(head.RequestID)
		if answer != nil {
			// A refusal may carry details, such as the keys of attributes. Without them it is still a refusal.
			_ = json.Unmarshal(text, answer)
		}
	case status != http.StatusOK:
		failure.Failure = FailureHTTPStatus
	case len(text) > maxAnswerBytes:
		failure.Failure = FailureTooLarge
	default:
		failure.Failure = FailureNotJSON
	}
	return failure
}

// newRequest signs a call. Its errors are never shown: they would hold the URL.
func (c *Client) newRequest(ctx context.Context, call apiCall) (*http.Request, error) {
	address := c.endpoint
	address.RawQuery = c.signedQuery(call)
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

// signedQuery returns the action, its parameters if it is a GET, and the common parameters.
//
// https://www.zegocloud.com/docs/zim-server/accessing-server-apis
func (c *Client) signedQuery(call apiCall) string {
	nonce, timestamp := newNonce(), c.config.Now().Unix()
	query := url.Values{
		"Action":           {string(call.action)},
		"AppId":            {strconv.FormatUint(uint64(c.config.AppID), 10)},
		"SignatureNonce":   {nonce},
		"Timestamp":        {strconv.FormatInt(timestamp, 10)},
		"SignatureVersion": {signatureVersion},
		"Signature":        {sign(c.config.AppID, nonce, c.config.ServerSecret, timestamp)},
	}
	for name, values := range call.query {
		query[name] = values
	}
	// Encode writes a space as +, which not every server reads as a space.
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

// requestID keeps only what a request id can look like, so that no server can write into the log through it.
func requestID(id string) string {
	if len(id) > maxRequestIDBytes {
		id = id[:maxRequestIDBytes]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '-', r == '_', r == '.':
			return r
		}
		return -1
	}, id)
}
