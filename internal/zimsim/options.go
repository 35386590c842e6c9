package zimsim

import "time"

// Options configures a Simulator. The zero value is a simulator without apps, on the real clock, without latency.
type Options struct {
	// Now is the clock of everything the vendor's side decides by time: the age of timestamps, the sliding second,
	// the deaths of rooms. Nil stands for time.Now. It is called with the simulator locked, so it must not call back.
	Now func() time.Time

	// Rand returns numbers in [0, 1) for Fault.Probability and for Jitter. Nil stands for math/rand/v2.Float64.
	// It is called by one goroutine at a time.
	Rand func() float64

	// Apps are the apps that exist from the start; SetApp adds more.
	Apps []App

	// Switches decide what the vendor's pages leave open. The zero value stands for DefaultSwitches().
	Switches Switches

	// Hosts are the host names the API answers to; any other gets 100000000. Empty: every host is right.
	Hosts []string

	// Latency and Jitter delay every answer of the API by Latency ± Jitter of real time, evenly spread. The call itself
	// is carried out on arrival, so a caller that gives up early has still changed the world.
	Latency, Jitter time.Duration

	// JournalSize is how many of the newest calls (and as many events) are kept. 0 stands for 100,000; negative: none.
	JournalSize int
}

// App is one app of the ZEGOCLOUD console: its credentials and what it has bought.
type App struct {
	// AppID and ServerSecret are the app's credentials. The secret goes in and never comes out again.
	AppID        uint32 `json:"appID"`
	ServerSecret string `json:"serverSecret,omitempty"`

	// CallbackURL is where server callbacks go, while SendCallbacks runs. Empty: nowhere.
	CallbackURL string `json:"callbackURL,omitempty"`
	// CallbackSecret signs them. It never comes out again. Empty: the ServerSecret does, as one of the vendor's pages has
	// it.
	CallbackSecret string `json:"callbackSecret,omitempty"`

	// CallsPerSecond is the quota of calls within any sliding second. 0 stands for 20; negative: no limit.
	CallsPerSecond int `json:"callsPerSecond,omitempty"`

	// MaxRooms is how many rooms may exist at one time. 0: no limit.
	MaxRooms int `json:"maxRooms,omitempty"`

	// MaxDestroyDelay is the longest DestroyDelayTime in seconds. 0 stands for 10800.
	MaxDestroyDelay int `json:"maxDestroyDelay,omitempty"`

	// DefaultDestroyDelay is the delay in seconds of a room created without DestroyDelayTime. The create page names no
	// default; the FAQ says that an empty room goes at once: 0.
	DefaultDestroyDelay int `json:"defaultDestroyDelay,omitempty"`

	// MaxRoomIDBytes is the longest RoomId. 0 stands for 32; two pages speak of 128.
	MaxRoomIDBytes int `json:"maxRoomIDBytes,omitempty"`

	// ServiceDisabled makes every call of the app end with 100000017: In-app Chat is not switched on in the console.
	ServiceDisabled bool `json:"serviceDisabled,omitempty"`

	// ClockAhead is by how many seconds the clock that judges the app's timestamps is ahead of Options.Now; negative:
	// behind. Nothing else goes by it.
	ClockAhead int `json:"clockAhead,omitempty"`

	// AttributeLimits bound the attributes of each room.
	AttributeLimits AttributeLimits `json:"attributeLimits,omitzero"`
}

// AttributeLimits bound the attributes of one room. A field that is 0 stands for the default; negative: no limit.
type AttributeLimits struct {
	// Count is how many attributes a room may have. Default 20; a note on the create page says 16, a client page 10.
	Count int `json:"count,omitempty"`
	// KeyBytes is the longest key. Default 16.
	KeyBytes int `json:"keyBytes,omitempty"`
	// ValueBytes is the longest value. Default 1024.
	ValueBytes int `json:"valueBytes,omitempty"`
	// TotalBytes bounds the sum over all attributes of a room. Default 5120.
	TotalBytes int `json:"totalBytes,omitempty"`
}

// The vendor's figures where nothing else was configured.
const (
	defaultCallsPerSecond  = 20
	defaultMaxDestroyDelay = 10800
	defaultMaxRoomIDBytes  = 32
	defaultAttributeCount  = 20
	defaultKeyBytes        = 16
	defaultValueBytes      = 1024
	defaultTotalBytes      = 5120
	defaultJournalSize     = 100_000
)

// withDefaults returns the app with every 0 that stands for a default replaced by it.
func (a App) withDefaults() App {
	setDefault(&a.CallsPerSecond, defaultCallsPerSecond)
	setDefault(&a.MaxDestroyDelay, defaultMaxDestroyDelay)
	setDefault(&a.MaxRoomIDBytes, defaultMaxRoomIDBytes)
	setDefault(&a.AttributeLimits.Count, defaultAttributeCount)
	setDefault(&a.AttributeLimits.KeyBytes, defaultKeyBytes)
	setDefault(&a.AttributeLimits.ValueBytes, defaultValueBytes)
	setDefault(&a.AttributeLimits.TotalBytes, defaultTotalBytes)
	return a
}

func setDefault(n *int, value int) {
	if *n == 0 {
		*n = value
	}
}

// exceeds tells whether n is above a limit, where a negative limit is none.
func exceeds(n, limit int) bool { return limit >= 0 && n > limit }
