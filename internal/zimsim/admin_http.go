package zimsim

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// route is one method of one path of the admin side.
type route struct {
	params []string // the query parameters it knows; those ending in "?" may be missing
	run    func(*adminCall) (any, error)
}

// adminCall is one call of the admin side.
type adminCall struct {
	sim   *Simulator
	query url.Values
	body  []byte
}

// badRequestError is an error of the caller's.
type badRequestError struct{ error }

// Unwrap returns what is wrong.
func (e badRequestError) Unwrap() error { return e.error }

// maxAdminBody bounds what one call can make the admin side read.
const maxAdminBody = 4 << 20

// Admin returns the admin side over HTTP: JSON in and out, ids in the query, because they may contain any character.
// It asks nobody who they are; serve it where only the right people reach it.
func (s *Simulator) Admin() http.Handler {
	routes := adminRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods, ok := routes[r.URL.Path]
		if !ok {
			known := strings.Join(slices.Sorted(maps.Keys(routes)), " ")
			writeError(w, http.StatusNotFound, "no such path; there are "+known)
			return
		}
		route, ok := methods[r.Method]
		if !ok {
			allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
			w.Header().Set("Allow", allow)
			writeError(w, http.StatusMethodNotAllowed, "method not allowed; there are "+allow)
			return
		}
		s.serveAdmin(w, r, route)
	})
}

func (s *Simulator) serveAdmin(w http.ResponseWriter, r *http.Request, route route) {
	c := &adminCall{sim: s, query: r.URL.Query()}
	err := c.checkParams(route.params)
	if err == nil {
		c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	}
	var result any
	if err == nil {
		result, err = route.run(c)
	}
	if err != nil {
		writeError(w, statusOf(err), err.Error())
		return
	}
	writeResult(w, http.StatusOK, result)
}

// checkParams refuses parameters that are missing or unknown: a mistyped filter must not widen what a call does.
func (c *adminCall) checkParams(known []string) error {
	for name := range c.query {
		if !slices.Contains(known, name) && !slices.Contains(known, name+"?") {
			return badRequestError{fmt.Errorf("unknown query parameter %q", name)}
		}
	}
	for _, name := range known {
		if !strings.HasSuffix(name, "?") && c.query.Get(name) == "" {
			return badRequestError{fmt.Errorf("query parameter %q is missing", name)}
		}
	}
	return nil
}

// appID returns the AppID; 0 if the parameter is missing.
func (c *adminCall) appID() (uint32, error) {
	text := c.query.Get(queryAppID)
	if text == "" {
		return 0, nil
	}
	appID, ok := parseAppID(text)
	if !ok {
		return 0, badRequestError{fmt.Errorf("appID %q is not a uint32 in decimal", text)}
	}
	return appID, nil
}

// existingApp returns the AppID of an app that exists.
func (c *adminCall) existingApp() (uint32, error) {
	appID, err := c.appID()
	if err == nil && !c.sim.hasApp(appID) {
		err = fmt.Errorf("%w: %d", ErrUnknownApp, appID)
	}
	return appID, err
}

func (s *Simulator) hasApp(appID uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[appID] != nil
}

// number returns a whole number from 0; 0 if the parameter is missing.
func (c *adminCall) number(name string) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, badRequestError{fmt.Errorf("%s %q is not a whole number from 0", name, text)}
	}
	return n, nil
}

// decode reads the JSON body.
func (c *adminCall) decode(target any) error {
	if len(c.body) == 0 {
		return badRequestError{errors.New("a JSON body is missing")}
	}
	if err := unmarshalStrictly(c.body, target); err != nil {
		return badRequestError{fmt.Errorf("reading the body: %w", err)}
	}
	return nil
}

// statusOf maps an error of the admin side to its HTTP status.
func statusOf(err error) int {
	var bad badRequestError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrRoomExists):
		return http.StatusConflict
	case errors.As(err, &bad), errors.Is(err, ErrEmptyID):
		return http.StatusBadRequest
	}
	for _, missing := range []error{
		ErrUnknownApp, ErrRoomNotFound, ErrNotInRoom, ErrAttributeNotFound, ErrUserNotFound, errFaultNotFound,
	} {
		if errors.Is(err, missing) {
			return http.StatusNotFound
		}
	}
	return http.StatusInternalServerError
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeResult(w, status, map[string]string{"error": message})
}

func writeResult(w http.ResponseWriter, status int, result any) {
	writeJSON(w, status, encode(result))
}
