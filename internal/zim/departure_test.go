package zim_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// slowConnections carries each call after a time of its own, which stands for a handshake or a process without a
// processor, and notes when they leave.
type slowConnections struct {
	mu     sync.Mutex
	random *rand.Rand
	slow   time.Duration
	gone   turns
}

func (c *slowConnections) RoundTrip(request *http.Request) (*http.Response, error) {
	c.mu.Lock()
	delay := time.Duration(c.random.Int64N(int64(c.slow)))
	c.mu.Unlock()
	time.Sleep(delay)
	if trace := httptrace.ContextClientTrace(request.Context()); trace != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	c.gone.note()
	answer := httptest.NewRecorder()
	_, _ = answer.WriteString(success)
	return answer.Result(), nil
}

// However long calls take until they have a connection, no second has more of them than allowed.
func TestCallsKeepTheirDistanceFromWhenOthersLeft(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				perSecond := []int{1, 2, 20, 100}[seed%4]
				connections := &slowConnections{random: rand.New(rand.NewPCG(seed, 0)), slow: 900 * time.Millisecond}
				client, err := zim.NewClient(zim.Config{
					Endpoint: "https://zim-api.zego.im", AppID: appID, ServerSecret: secret,
					HTTPClient: &http.Client{Transport: connections}, Limiter: zim.NewLimiter(perSecond),
				})
				if err != nil {
					t.Fatal(err)
				}
				var callers sync.WaitGroup
				for range 50 {
					callers.Go(func() {
						for range 10 {
							if err := client.DestroyRoom(t.Context(), "Room1"); err != nil {
								t.Error(err)
							}
						}
					})
				}
				callers.Wait()
				within(t, connections.gone.sorted(), perSecond)
			})
		})
	}
}
