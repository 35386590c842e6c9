package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

var silent = log.New(io.Discard, "", 0)

// refusal is an answer that the API server is made to give.
type refusal struct {
	status     int
	reason     metav1.StatusReason
	everything bool // Reading too, and the lease.
}

// kubeFront stands between one replica and the API server. It refuses on command, and counts.
type kubeFront struct {
	server *httptest.Server

	mu      sync.Mutex
	refuses *refusal
	refused int
	// watches is how many were begun.
	watches int
	// renewed is when the replica last wrote the lease.
	renewed time.Time
	// writes are those of ZimRooms that were carried out, attempts all of them, by name.
	writes, attempts map[string]int
	// lastWrite is when somebody last tried to write a ZimRoom or a ZimApp.
	lastWrite time.Time
}

func newKubeFront(config *rest.Config) (*kubeFront, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	f := &kubeFront{writes: map[string]int{}, attempts: map[string]int{}}
	forward := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: f.count,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       silent,
	}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.noteAttempt(r)
		if !f.refuse(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	f.server.Config.ErrorLog = silent
	f.server.EnableHTTP2 = true
	f.server.StartTLS()
	return f, nil
}

func (f *kubeFront) address() string { return f.server.Listener.Addr().String() }

// kubeconfig is that of the replica, which reaches the front through an address before it.
func (f *kubeFront) kubeconfig(address string) ([]byte, error) {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	return json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": ourselves,
		"contexts": []any{map[string]any{"name": ourselves, "context": map[string]any{"cluster": ourselves}}},
		"clusters": []any{map[string]any{"name": ourselves, "cluster": map[string]any{
			"server": "https://" + address, "certificate-authority-data": authority,
		}}},
	})
}

// setRefusal makes requests fail; nil: no more.
func (f *kubeFront) setRefusal(refuses *refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuses = refuses
}

// refuse answers a request that is to fail.
func (f *kubeFront) refuse(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	refuses := f.refuses
	hit := refuses != nil && (refuses.everything || isOperatorsWrite(r))
	if hit {
		f.refused++
	}
	f.mu.Unlock()
	if !hit {
		return false
	}
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: int32(refuses.status), Reason: refuses.reason, Message: "made to fail", //nolint:gosec // Three digits.
	}
	w.Header().Set("Content-Type", "application/json")
	if refuses.status == http.StatusTooManyRequests || refuses.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(refuses.status)
	_ = json.NewEncoder(w).Encode(status) //nolint:errchkjson // The client may be gone; the type is known.
	return true
}

// isOperatorsWrite tells writes of ZimRooms, ZimApps and events from reading, and from the election.
func isOperatorsWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/leases")
}

// writtenRoom is the name of the ZimRoom that a request writes; empty if it writes none.
func writtenRoom(r *http.Request) string {
	if r.Method == http.MethodGet {
		return ""
	}
	_, object, _ := strings.Cut(r.URL.Path, "/zimrooms/")
	name, _, _ := strings.Cut(object, "/")
	return name
}

// noteAttempt notes what arrives, whatever becomes of it.
func (f *kubeFront) noteAttempt(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Query().Get("watch") != "" {
		f.watches++
	}
	if name := writtenRoom(r); name != "" {
		f.attempts[name]++
	}
	if isOperatorsWrite(r) && strings.Contains(r.URL.Path, "/"+zimv1alpha1.GroupVersion.Group+"/") {
		f.lastWrite = time.Now()
	}
}

// count notes what was carried out.
func (f *kubeFront) count(response *http.Response) error {
	r := response.Request
	if r.Method == http.MethodGet || response.StatusCode >= http.StatusBadRequest {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(r.URL.Path, "/leases") {
		f.renewed = time.Now()
	}
	if name := writtenRoom(r); name != "" {
		f.writes[name]++
	}
	return nil
}

// forget begins a new count.
func (f *kubeFront) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.attempts, f.refused, f.watches = map[string]int{}, map[string]int{}, 0, 0
}

// counts returns the writes by ZimRoom, carried out and tried, and how many requests were refused and watches begun.
func (f *kubeFront) counts() (writes, attempts map[string]int, refused, watches int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.writes), maps.Clone(f.attempts), f.refused, f.watches
}

// lastAttempt is when the replica last tried to write a ZimRoom or a ZimApp.
func (f *kubeFront) lastAttempt() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastWrite
}

// lastRenewal is when the replica last wrote the lease.
func (f *kubeFront) lastRenewal() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.renewed
}
