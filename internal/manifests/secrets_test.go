package manifests_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// The marked secrets. No eight letters of them in a row stand in anything else.
const (
	markedServerSecret   = "qzxjkvwqyzzqxvjkwqzyxqjvkzwxqyjz"
	markedCallbackSecret = "wyvqzjxkqwvzyjxqkzvwjyqxzkvqwjyx"
	markedWrongSecret    = "jqkxzvyqwjzkxqvyjwzqkxvjyqzwkxjv"
)

// gossip is a ZIM whose answers repeat what they were asked with, in as many ways as there are; and which remembers what
// must not be found anywhere.
type gossip struct {
	simulator http.Handler

	mu      sync.Mutex
	secrets map[string]bool
}

// ServeHTTP answers rooms by their ids.
func (g *gossip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	for _, name := range []string{"Signature", "SignatureNonce"} {
		g.secrets[r.URL.Query().Get(name)] = true
	}
	g.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch said := r.URL.String(); {
	case bytes.Contains(body, []byte("refused")):
		_, _ = fmt.Fprintf(w, `{"Code":660000002,"Message":%q,"RequestId":%q}`, said, r.URL.Query().Get("Signature"))
	case bytes.Contains(body, []byte("unknown")):
		_, _ = fmt.Fprintf(w, `{"Code":999,"Message":%q,"RequestId":%q}`, said, said)
	case bytes.Contains(body, []byte("page")):
		_, _ = fmt.Fprintf(w, "<html>%s</html>", said)
	case bytes.Contains(body, []byte("redirected")):
		http.Redirect(w, r, "http://127.0.0.1:1"+said, http.StatusTemporaryRedirect)
	case bytes.Contains(body, []byte("cut")):
		panic(http.ErrAbortHandler)
	default:
		g.simulator.ServeHTTP(w, r)
	}
}

// wanted returns all texts that may not be found: parts of secrets, whole signatures and nonces, and other ways to write
// them.
func (g *gossip) wanted() []string {
	const part = 8
	g.mu.Lock()
	defer g.mu.Unlock()
	var texts []string
	for _, secret := range []string{markedServerSecret, markedCallbackSecret, markedWrongSecret} {
		for i := range len(secret) - part + 1 {
			texts = append(texts, secret[i:i+part])
		}
		g.secrets[secret] = true
	}
	for secret := range g.secrets {
		if secret == "" {
			continue
		}
		texts = append(texts, secret, strings.ToUpper(secret), hex.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	return texts
}

// Whatever happens, nothing secret is in the log at any verbosity, in stack traces, metrics, profiles, events or objects.
func TestNothingSecretComesOut(t *testing.T) {
	prepareNamespaces(t)
	ctx := t.Context()
	simulator := zimsim.New(zimsim.Options{Apps: []zimsim.App{{AppID: appID, ServerSecret: markedServerSecret, CallsPerSecond: -1}}})
	zim := &gossip{simulator: simulator.API(), secrets: map[string]bool{}}
	server := httptest.NewServer(zim)
	defer server.Close()
	metricsAddress, pprofAddress, callbackAddress := freeAddress(t), freeAddress(t), freeAddress(t)
	process, log := launch(t, []string{
		"--kubeconfig=" + kubeconfigPath, "--allow-insecure-endpoints", "--leader-elect",
		"--metrics-bind-address=" + metricsAddress, "--metrics-secure=false", "--pprof-bind-address=" + pprofAddress,
		"--callback-bind-address=" + callbackAddress, "--zap-log-level=10", "--zap-devel", "--zap-stacktrace-level=info",
	})
	defer func() { _ = process.Process.Kill() }()

	marked := append(troubles(), markedApps(server.URL)...)
	apply(ctx, t, marked...)
	t.Cleanup(func() { sweep(t, marked) })
	good := room("good", "Room1")
	apply(ctx, t, good)
	eventually(t, "a room", func() bool { return isReady(ctx, t, good) })
	eventually(t, "a wrong secret that was refused", func() bool { return reasonOf(ctx, t, "wrong") == "CredentialsRejected" })
	for _, object := range marked {
		if trouble, ok := object.(*zimv1alpha1.ZimRoom); ok {
			eventually(t, "trouble with "+trouble.Name, func() bool { return len(current(ctx, t, trouble).Status.Conditions) > 1 })
		}
	}
	zim.sendCallbacks(t, "http://"+callbackAddress)
	eventually(t, "a note", func() bool {
		return current(ctx, t, good).Annotations[zimv1alpha1.CallbackReceivedAtAnnotation] != ""
	})

	shown := map[string]string{"objects": allObjects(ctx, t), "metrics": fetch(t, "http://"+metricsAddress+"/metrics")}
	for _, page := range []string{
		"", "cmdline", "goroutine?debug=2", "heap?debug=1", "allocs?debug=1", "block?debug=1", "mutex?debug=1",
		"threadcreate?debug=1", "symbol", "trace?seconds=1", "profile?seconds=1",
	} {
		shown["pprof/"+page] = fetch(t, "http://"+pprofAddress+"/debug/pprof/"+page)
	}
	if err := process.Process.Signal(syscall.SIGQUIT); err != nil { // It dies with the stacks of all goroutines.
		t.Fatal(err)
	}
	_ = process.Wait()
	shown["log"] = log.String()
	for page, proof := range map[string]string{
		"log": "SIGQUIT: quit", "metrics": `zim_operator_callbacks_total{outcome="noted"} 1`, "objects": "RoomCreated",
		"pprof/goroutine?debug=2": "goroutine 1 [", "pprof/heap?debug=1": "heap profile", "pprof/cmdline": "--zap-log-level=10",
		"pprof/profile?seconds=1": "nanoseconds",
	} {
		if !strings.Contains(shown[page], proof) {
			t.Errorf("%s does not show %q: %.2000s", page, proof, shown[page])
		}
	}
	if !strings.Contains(shown["log"], "Called ZIM") || !strings.Contains(shown["log"], "Received a callback") {
		t.Errorf("the log has not all that there is to log:\n%s", shown["log"])
	}
	for page, text := range shown {
		for _, secret := range zim.wanted() {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s shows %q: %q", page, secret, text[max(0, i-200):min(len(text), i+200)])
				break // The others are near.
			}
		}
	}
}

// markedApps are a ZimApp with the right secrets and one with a wrong one, and their Secrets.
func markedApps(endpoint string) []client.Object {
	right, wrong, secrets := app(endpoint), app(endpoint), secret()
	right.Spec.CallbackSecretRef = &zimv1alpha1.CallbackSecretReference{Name: "zim"}
	secrets.StringData = map[string]string{
		"serverSecret": markedServerSecret, "callbackSecret": markedCallbackSecret, "wrong": markedWrongSecret,
	}
	wrong.Name, wrong.Spec.ServerSecretRef.Key = "wrong", "wrong"
	return []client.Object{secrets, right, wrong}
}

// troubles are ZimRooms whose calls go wrong.
func troubles() []client.Object {
	var all []client.Object
	for _, kind := range []string{"refused", "unknown", "page", "redirected", "cut"} {
		all = append(all, room(kind, kind))
	}
	return all
}

// sweep removes everything, finalizers or not.
func sweep(t *testing.T, all []client.Object) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for _, object := range append(all, room("good", "Room1")) {
		_ = apiServer.Delete(ctx, object)
		none := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		if err := apiServer.Patch(ctx, object, none); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "zim-operator.zim.zego.im"}}
	if err := apiServer.Delete(ctx, lease); client.IgnoreNotFound(err) != nil { // Its holder died without a word.
		t.Error(err)
	}
}

// sendCallbacks sends one that is right, and others.
func (g *gossip) sendCallbacks(t *testing.T, address string) {
	t.Helper()
	stamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "8350176"
	parts := []string{markedCallbackSecret, stamp, nonce}
	slices.Sort(parts)
	signature := fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, ""))))
	g.mu.Lock()
	g.secrets[signature] = true
	g.mu.Unlock()
	right := fmt.Sprintf(`{"appid":"%d","event":"room_destroy","room_id":"Room1","nonce":%q,"timestamp":%s,"signature":%q}`,
		appID, nonce, stamp, signature)
	for body, want := range map[string]int{
		right:                         http.StatusOK,
		right + "x":                   http.StatusBadRequest,
		url.QueryEscape(right) + "%z": http.StatusBadRequest,
		strings.Replace(right, signature, markedServerSecret, 1): http.StatusUnauthorized,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != want {
			t.Errorf("%s: %d, want %d (%v)", body, answer.StatusCode, want, err)
		}
	}
}

// reasonOf returns the reason of Ready of a ZimApp.
func reasonOf(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	found := &zimv1alpha1.ZimApp{}
	if err := apiServer.Get(ctx, client.ObjectKey{Namespace: "team-a", Name: name}, found); err != nil {
		t.Fatal(err)
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == zimv1alpha1.ReadyCondition {
			return condition.Reason
		}
	}
	return ""
}

// allObjects returns what the operator writes to Kubernetes, as JSON.
func allObjects(ctx context.Context, t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, list := range []client.ObjectList{
		&zimv1alpha1.ZimAppList{}, &zimv1alpha1.ZimRoomList{}, &eventsv1.EventList{}, &corev1.EventList{},
		&coordinationv1.LeaseList{},
	} {
		if err := apiServer.List(ctx, list); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// fetch reads a page of the manager. A profile comes compressed, whatever was asked for: nothing could be found in it.
func fetch(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && http.DetectContentType(text) == "application/x-gzip" {
		var compressed *gzip.Reader
		if compressed, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(compressed)
		}
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", address, answer.StatusCode, err)
	}
	return string(text)
}
