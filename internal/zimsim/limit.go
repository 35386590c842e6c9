package zimsim

import "time"

// window remembers when the calls of the last second came. Every action is limited to 20 calls a second by default;
// a sliding second is the strictest reading: no two calls 20 apart are ever less than a second apart.
// https://www.zegocloud.com/docs/zim-server/room/create-a-room
type window struct {
	times []time.Time // ascending
}

// admit tells whether a call at this moment stays within the limit. Refused calls count only if asked to.
func (w *window) admit(now time.Time, limit int, countRefused bool) bool {
	if limit < 0 {
		w.times = nil
		return true
	}
	old := 0
	for old < len(w.times) && now.Sub(w.times[old]) >= time.Second {
		old++
	}
	w.times = w.times[old:]
	admitted := len(w.times) < limit
	if admitted || countRefused {
		w.times = append(w.times, now)
	}
	return admitted
}

// windowFor returns the window that a call of the action counts in.
func (a *appState) windowFor(action string, perAction bool) *window {
	if !perAction {
		action = ""
	}
	w := a.windows[action]
	if w == nil {
		w = &window{}
		a.windows[action] = w
	}
	return w
}
