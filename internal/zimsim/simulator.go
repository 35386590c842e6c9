package zimsim

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Simulator holds the apps and everything in them. It is safe for concurrent use. Make one with New.
type Simulator struct {
	opts   Options
	posted chan struct{} // wakes SendCallbacks

	mu          sync.Mutex // guards everything below
	switches    Switches
	apps        map[uint32]*appState
	deaths      deaths // of all apps
	calls       ring[Call]
	events      ring[Event]
	callbacks   ring[Callback]
	serving     bool     // a call of the API is being carried out
	sending     bool     // SendCallbacks runs
	outbox      []parcel // what it is to send
	faults      []*Fault
	lastFaultID int
	requests    uint64 // counts towards RequestId
}

// appState is one app with all it holds. Its fields are guarded by Simulator.mu.
type appState struct {
	config  App // with defaults filled in
	rooms   map[string]*room
	users   map[string]*User
	history map[string]roomHistory
	windows map[string]*window // the calls of the last second; by action, or "" for all
}

// roomHistory is what remains of the rooms of one id.
type roomHistory struct {
	incarnations int
	destroyed    time.Time
}

// New makes a simulator.
func New(opts Options) *Simulator {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Float64
	}
	setDefault(&opts.JournalSize, defaultJournalSize)
	s := &Simulator{
		opts:      opts,
		posted:    make(chan struct{}, 1),
		apps:      make(map[uint32]*appState),
		calls:     ring[Call]{size: opts.JournalSize},
		events:    ring[Event]{size: opts.JournalSize},
		callbacks: ring[Callback]{size: opts.JournalSize},
	}
	s.SetSwitches(opts.Switches)
	for _, app := range opts.Apps {
		s.SetApp(app)
	}
	return s
}

func (s *Simulator) now() time.Time { return s.opts.Now() }

// SetApp adds an app, or replaces the configuration of one and keeps its rooms and users. An empty ServerSecret or
// CallbackSecret keeps the one that the app has.
func (s *Simulator) SetApp(app App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.apps[app.AppID]; old != nil {
		if app.ServerSecret == "" {
			app.ServerSecret = old.config.ServerSecret
		}
		if app.CallbackSecret == "" {
			app.CallbackSecret = old.config.CallbackSecret
		}
		old.config = app.withDefaults()
		return
	}
	s.apps[app.AppID] = &appState{
		config:  app.withDefaults(),
		rooms:   make(map[string]*room),
		users:   make(map[string]*User),
		history: make(map[string]roomHistory),
		windows: make(map[string]*window),
	}
}

// Apps returns the apps, with their defaults filled in and without their secrets, sorted by AppID.
func (s *Simulator) Apps() []App {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]App, 0, len(s.apps))
	for _, app := range s.apps {
		config := app.config
		config.ServerSecret, config.CallbackSecret = "", ""
		list = append(list, config)
	}
	slices.SortFunc(list, func(a, b App) int { return cmp.Compare(a.AppID, b.AppID) })
	return list
}

// SetSwitches replaces the switches. The zero value stands for DefaultSwitches().
func (s *Simulator) SetSwitches(switches Switches) {
	if switches == (Switches{}) {
		switches = DefaultSwitches()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = switches
}

// Switches returns the switches in force.
func (s *Simulator) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}
