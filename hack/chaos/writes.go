package main

import (
	"fmt"
	"math"
	"time"
)

// mostWrites is how often a room may be written while a fault lasts that asks for no more.
const mostWrites = 2

// written finds rooms that were written more often than they may.
func (t *trial) written() []string {
	var lines []string
	for name, count := range t.writes {
		bound := mostWrites
		if t.row.writes != nil {
			bound += t.row.writes(t, name)
		}
		if t.restarts > 0 && t.isHeir(name) {
			bound++ // Who ended in the middle of a hand-over has written to it in vain.
		}
		if count > bound {
			lines = append(lines, fmt.Sprintf("%d writes, not %d, for %s", count, bound, name))
		}
	}
	for name, count := range t.attempts {
		if bound := mostAttempts(t.ended.Sub(t.began)); count > bound {
			lines = append(lines, fmt.Sprintf("%d attempts, not %d, to write %s", count, bound, name))
		}
	}
	return lines
}

// isHeir tells whether a ZimRoom is the one to which a room is handed over.
func (t *trial) isHeir(name string) bool {
	return t.survivors != nil && t.survivors.heir.object.Name == name
}

// writesOfHits allows two writes for each call for the room that a fault hit, and one for each other one of its
// account: what freezes the account is written down for all of its rooms that wait for something.
func (t *trial) writesOfHits(name string) (count int) {
	account := t.appID(name)
	for _, call := range t.calls {
		switch {
		case call.Fault == "" || call.AppID != account:
		case call.RoomID == name:
			count += 2
		default:
			count++
		}
	}
	return count
}

// appID is the account of a ZimRoom; 0 if it is none of the trial's.
func (t *trial) appID(name string) uint32 {
	for _, r := range t.rooms() {
		if r.object.Name == name {
			return r.appID
		}
	}
	return 0
}

// writesOfTries allows one write for each try: it may fail in another way than the one before. Tries come a second
// apart, and then twice as long each time.
func (t *trial) writesOfTries(string) int {
	return 1 + int(math.Log2(1+t.ended.Sub(t.began).Seconds()))
}

// writesOfMeddling allows one for each time that somebody took away what was written.
func (t *trial) writesOfMeddling(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.meddled[name]
}

// writesOfFreeze allows one to say that ZIM refuses the account.
func (*trial) writesOfFreeze(string) int { return 1 }

// writesOfChanges allows two for each change besides the creation, and one for the end. A kill asks for none: what was
// written is not written again.
func (t *trial) writesOfChanges(name string) int {
	for _, r := range t.rooms() {
		if r.object.Name == name {
			return 2*(len(r.asked)-1) + 1
		}
	}
	return 0
}

// mostAttempts bounds how often a room is tried to be written while a fault lasts. Passes that fail at the API server
// are repeated after 100 ms and then twice as long each time; what is refused with 429 or 503, client-go repeats each
// second that these ask for.
func mostAttempts(lasted time.Duration) int {
	passes := 2 + int(math.Log2(1+lasted.Seconds()/0.1))
	return max(mostWrites*passes, mostWrites+int(lasted.Seconds()))
}

// most is the highest of counts; -1 if nothing was counted.
func most(counts map[string]int) int {
	if counts == nil {
		return -1
	}
	highest := 0
	for _, count := range counts {
		highest = max(highest, count)
	}
	return highest
}
