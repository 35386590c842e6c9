package leadership

import (
	"net/http"

	"k8s.io/client-go/rest"
)

// Guard returns a copy of a configuration whose clients read, but write only while this replica leads: whoever leads
// now knows better. Each request is looked at as it leaves, those too that client-go repeats by itself.
func (l *Lock) Guard(config *rest.Config) *rest.Config {
	guarded := rest.CopyConfig(config)
	guarded.Wrap(func(next http.RoundTripper) http.RoundTripper { return guardedTransport{next: next, lock: l} })
	return guarded
}

type guardedTransport struct {
	next http.RoundTripper
	lock *Lock
}

// RoundTrip implements http.RoundTripper.
func (t guardedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := t.lock.Check(); err != nil && request.Method != http.MethodGet {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	return t.next.RoundTrip(request)
}
