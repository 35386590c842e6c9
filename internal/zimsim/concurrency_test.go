package zimsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// serve sends a request straight to a handler.
func serve(tb testing.TB, handler http.Handler, method, target, body string) *httptest.ResponseRecorder {
	tb.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(tb.Context(), method, target, strings.NewReader(body)))
	return answer
}

// codeOf sends a signed CreateRoom straight to a handler and returns its code.
func codeOf(tb testing.TB, handler http.Handler, target, roomID string, delay int) int {
	tb.Helper()
	body := fmt.Sprintf(`{"FromUserId":"op","RoomId":%q,"DestroyDelayTime":%d}`, roomID, delay)
	var out struct{ Code int }
	if err := json.Unmarshal(serve(tb, handler, http.MethodPost, target, body).Body.Bytes(), &out); err != nil {
		tb.Error(err)
	}
	return out.Code
}

func TestConcurrentCallsShareOneWorld(t *testing.T) {
	const callers, rooms = 8, 50
	f := newFixture(t, withApp(func(a *zimsim.App) { a.MaxRooms = 30 }))
	api, target := f.API(), "/?"+signed("CreateRoom", start).Encode()
	var mu sync.Mutex
	codes := map[int]int{}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for i := range rooms {
				code := codeOf(t, api, target, strconv.Itoa(i), 60)
				mu.Lock()
				codes[code]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	wantEqual(t, "rooms", len(f.Rooms(appID)), 30)
	wantEqual(t, "created", codes[0], 30)
	wantEqual(t, "all answers", codes[0]+codes[660300014]+codes[660300015], callers*rooms)
	wantEqual(t, "journal", len(f.Calls()), callers*rooms)
}

func TestConcurrentCallsShareOneLimit(t *testing.T) {
	f := newFixture(t, quota)
	api, target := f.API(), "/?"+signed("CreateRoom", start).Encode()
	var mu sync.Mutex
	admitted := 0
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			if codeOf(t, api, target, strconv.Itoa(i), 60) == 0 {
				mu.Lock()
				admitted++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	wantEqual(t, "admitted", admitted, 20)
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	f := newFixture(t)
	api, admin := f.API(), f.Admin()
	create := "/?" + signed("CreateRoom", start).Encode()
	query := "/?" + signed("QueryRoomAttribute", start).Encode()
	modify := "/?" + signed("ModifyRoomAttribute", start).Encode()
	list := "/?" + signed("QueryRoomUserList", start).Encode() + "&RoomId=1"
	var group sync.WaitGroup
	for _, do := range []func(i int){
		func(i int) { codeOf(t, api, create, strconv.Itoa(i%3), i%2) },
		func(int) { serve(t, api, http.MethodPost, query, `{"FromUserId":"op","RoomId":"1"}`) },
		func(int) {
			serve(t, api, http.MethodPost, modify,
				`{"FromUserId":"op","RoomId":"1","Attributes":[{"Action":0,"Key":"k","Value":"v"}]}`)
		},
		func(int) { serve(t, api, http.MethodGet, list, "") },
		func(i int) { _ = f.EnterOrCreate(appID, "1", strconv.Itoa(i%5)) },
		func(i int) { _ = f.Leave(appID, "1", strconv.Itoa(i%5)) },
		func(int) { _ = f.SetAttribute(appID, "1", "k", "w") },
		func(int) { f.clock.advance(time.Millisecond) },
		func(i int) { f.SetApp(zimsim.App{AppID: appID, CallsPerSecond: -1, MaxRooms: i % 4}) },
		func(i int) { _, _ = f.Inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 1, Times: 1 + i%2}) },
		func(int) { f.ClearFaults() },
		func(int) { f.SetSwitches(f.Switches()) },
		func(int) { _, _ = f.Rooms(appID), f.Events(zimsim.EventFilter{}) },
		func(i int) { f.CallsOf(zimsim.CallFilter{Limit: i}) },
		func(int) { f.ResetCalls() },
		func(int) { serve(t, admin, http.MethodGet, "/rooms?appID=12345", "") },
	} {
		group.Go(func() {
			for i := range 100 {
				do(i)
			}
		})
	}
	group.Wait()
}

// BenchmarkCreateAmongManyRooms shows that a call does not get slower with the number of rooms.
func BenchmarkCreateAmongManyRooms(b *testing.B) {
	for _, rooms := range []int{0, 10_000, 100_000} {
		b.Run(strconv.Itoa(rooms), func(b *testing.B) {
			f := newFixture(b)
			for i := range rooms {
				room := zimsim.Room{ID: fmt.Sprintf("old-%d", i), Creator: "u", DestroyDelay: time.Hour}
				f.must(f.CreateRoom(appID, room))
				f.must(f.Leave(appID, room.ID, "u"))
			}
			api, target := f.API(), "/?"+signed("CreateRoom", start).Encode()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				if code := codeOf(b, api, target, strconv.Itoa(i), 60); code != 0 {
					b.Fatal(code)
				}
			}
		})
	}
}
