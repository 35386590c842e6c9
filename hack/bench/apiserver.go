package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// apiServer counts the writes that the API server has received, the bench's own excepted.
type apiServer struct {
	url    string
	client *http.Client
	mu     sync.Mutex
	own    writes
}

// writes are counts of writing requests, by "resource verb" or "resource/subresource verb".
type writes map[string]int

// total returns the writes to a resource and its subresources.
func (w writes) total(resource string) int {
	sum := 0
	for key, count := range w {
		name, _, _ := strings.Cut(key, " ")
		if name == resource || strings.HasPrefix(name, resource+"/") {
			sum += count
		}
	}
	return sum
}

// since returns what was added to an earlier count.
func (w writes) since(earlier writes) writes {
	added := writes{}
	for key, count := range w {
		if more := count - earlier[key]; more != 0 {
			added[key] = more
		}
	}
	return added
}

const (
	requestsMetric = "apiserver_request_total"
	zimRooms       = "zimrooms"
	zimApps        = "zimapps"
)

// writes returns the writes up to now that were not the bench's.
func (a *apiServer) writes(ctx context.Context) (writes, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	counted, err := parseWrites(response.Body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return counted.since(a.own), nil
}

// parseWrites reads the writes to ZimRooms and ZimApps from the metrics of an API server.
func parseWrites(metrics io.Reader) (writes, error) {
	relevant, err := onlyMetric(metrics, requestsMetric)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(relevant)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	counted := writes{}
	for _, metric := range families[requestsMetric].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		resource, verb := labels["resource"], labels["verb"]
		if (resource == zimRooms || resource == zimApps) && isWrite(verb) {
			counted[writeKey(resource, labels["subresource"], verb)] += int(metric.GetCounter().GetValue())
		}
	}
	return counted, nil
}

// onlyMetric returns the lines of one metric: an API server has megabytes of others.
func onlyMetric(metrics io.Reader, name string) (*bytes.Buffer, error) {
	lines := &bytes.Buffer{}
	reader := bufio.NewReader(metrics)
	for {
		line, err := reader.ReadBytes('\n')
		if bytes.HasPrefix(line, []byte(name+"{")) || bytes.HasPrefix(line, []byte("# TYPE "+name+" ")) {
			lines.Write(line)
		}
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func isWrite(verb string) bool {
	switch verb {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		return true
	}
	return false
}

func writeKey(resource, subresource, verb string) string {
	if subresource != "" {
		resource += "/" + subresource
	}
	return resource + " " + verb
}

// countOwn counts the bench's own writes.
func (a *apiServer) countOwn(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil || !isWrite(request.Method) {
			return response, err
		}
		// .../zimrooms, .../zimrooms/name or .../zimrooms/name/status
		for _, resource := range []string{zimRooms, zimApps} {
			if _, rest, ok := strings.Cut(request.URL.Path+"/", "/"+resource+"/"); ok {
				_, subresource, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
				a.mu.Lock()
				a.own[writeKey(resource, subresource, request.Method)]++
				a.mu.Unlock()
			}
		}
		return response, nil
	})
}

// roundTripper is an http.RoundTripper made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	return f(request)
}
