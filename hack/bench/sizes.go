package main

import (
	"strings"
	"time"
)

// sizes say how large everything is.
type sizes struct {
	// repeats is how often a row is run, unless it needs fewer.
	repeats int
	create  []createSize
	// competitor and writes are numbers of rooms.
	competitor, writes int
	noQuota            turnsSize
	verified           verifiedSize
	restart            restartSize
	memory             memorySize
	deaths             deathsSize
	destroyed          destroyedSize
	outage             outageSize
}

type createSize struct{ rooms, repeats int }

type turnsSize struct {
	rooms int // In all turns together.
	turns int
}

type verifiedSize struct {
	rooms    int
	interval time.Duration // Asks for more than the quota gives.
	window   time.Duration // In which nothing may be written, and then again in which rooms come and go.
	changes  int           // Rooms that come, and as many that go.
}

type restartSize struct {
	rooms  int
	window time.Duration
}

type memorySize struct {
	rooms int
	rest  time.Duration
}

type deathsSize struct {
	rooms  int
	delay  time.Duration
	window time.Duration
}

type destroyedSize struct {
	rooms    int
	interval time.Duration
}

type outageSize struct {
	rooms       int
	interval    time.Duration
	down, after time.Duration
}

var fullSizes = sizes{
	repeats:    3,
	create:     []createSize{{100, 5}, {1000, 3}, {10000, 1}},
	competitor: 1000,
	noQuota:    turnsSize{rooms: 5000, turns: 10},
	writes:     100,
	verified:   verifiedSize{rooms: 5000, interval: 30 * time.Second, window: time.Minute, changes: 60},
	restart:    restartSize{rooms: 5000, window: time.Minute},
	memory:     memorySize{rooms: 10000, rest: 30 * time.Second},
	deaths:     deathsSize{rooms: 30, delay: 10 * time.Second, window: time.Minute},
	destroyed:  destroyedSize{rooms: 30, interval: 10 * time.Second},
	outage:     outageSize{rooms: 10000, interval: time.Minute, down: 3 * time.Minute, after: time.Minute},
}

// quickSizes show whether everything works, and about how well.
var quickSizes = sizes{
	repeats:    1,
	create:     []createSize{{40, 1}},
	competitor: 30,
	noQuota:    turnsSize{rooms: 200, turns: 1},
	writes:     10,
	verified:   verifiedSize{rooms: 200, interval: time.Second, window: 3 * time.Second, changes: 10},
	restart:    restartSize{rooms: 200, window: 3 * time.Second},
	memory:     memorySize{rooms: 300, rest: time.Second},
	deaths:     deathsSize{rooms: 5, delay: 5 * time.Second, window: 4 * time.Second},
	destroyed:  destroyedSize{rooms: 5, interval: time.Second},
	outage:     outageSize{rooms: 50, interval: 2 * time.Second, down: 2 * time.Second, after: 3 * time.Second},
}

// createRow names the group of rows that differ in the number of rooms only.
const createRow = "create"

// fixedRows are the rows besides those of createRow.
var fixedRows = []row{
	{name: "competitor", run: (*bench).measureCompetitor, repeats: 2},
	{name: "no-quota", run: (*bench).measureNoQuota, repeats: 5},
	{name: "writes", run: (*bench).measureWrites},
	{name: "verified", run: (*bench).measureVerified, repeats: 2},
	{name: "restart", run: (*bench).measureRestart, repeats: 2},
	{name: "memory", run: (*bench).measureMemory, repeats: 2},
	{name: "idle-deaths", run: (*bench).measureDeaths, repeats: 2},
	{name: "destroyed", run: (*bench).measureDestroyed, repeats: 2},
	{name: "callbacks", run: (*bench).measureCallbacks, repeats: 2},
	{name: "failover", run: (*bench).measureFailover},
	{name: "outage", run: (*bench).measureOutage, repeats: 1},
}

func rowNames() []string {
	names := []string{createRow}
	for _, row := range fixedRows {
		names = append(names, row.name)
	}
	return names
}

// isRow tells whether a row, or a group of rows, has the name.
func isRow(name string) bool {
	group, _, _ := strings.Cut(name, "/")
	for _, known := range rowNames() {
		if known == group && (group == name || group == createRow) {
			return true
		}
	}
	return false
}
