package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// codeMeanings tell what the codes mean that the story can meet.
var codeMeanings = map[int]string{
	zimsim.NoCode: "no answer",
	0:             "done",
	660300001:     "no such room",
	660300005:     "frequency limit",
	660300008:     "nobody is in it",
	660300014:     "the room exists, as it should",
	660500002:     "operator user unknown: it is registered",
}

// meaning tells what an answer means.
func meaning(action string, code int) string {
	if action == "QueryRoomUserList" && code == 0 {
		return "somebody is in it"
	}
	return codeMeanings[code]
}

// showRooms shows the simulator's rooms as a table.
func (d *demo) showRooms(ctx context.Context) error {
	d.request(http.MethodGet, d.simulator.urlOf("/rooms", nil), "")
	rooms, err := d.simulator.rooms(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"ROOM", "NAME", "DELAY", "CREATED", "ATTRIBUTES"}}
	for _, room := range rooms {
		attributes := make([]string, 0, len(room.Attributes))
		for _, key := range slices.Sorted(maps.Keys(room.Attributes)) {
			attributes = append(attributes, key+"="+room.Attributes[key].Value)
		}
		rows = append(rows, []string{
			room.ID, room.Name, room.DestroyDelay.String(), times(room.Incarnation),
			cmp.Or(strings.Join(attributes, ","), "<none>"),
		})
	}
	d.show(table(rows))
	return nil
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// showCreation shows the body of the first CreateRoom for a room.
func (d *demo) showCreation(ctx context.Context, roomID string) error {
	calls, err := d.simulator.calls(ctx, roomID)
	if err != nil {
		return err
	}
	for _, call := range calls {
		if call.Action == "CreateRoom" && call.Code == 0 {
			d.say("For %s it received CreateRoom with:", roomID)
			d.show(call.Body)
			return nil
		}
	}
	return fmt.Errorf("the simulator knows no CreateRoom for %s", roomID)
}

// showCalls shows what the simulator received for a room since a moment.
func (d *demo) showCalls(ctx context.Context, roomID string, since time.Time) error {
	calls, err := d.simulator.calls(ctx, roomID)
	if err != nil {
		return err
	}
	rows := [][]string{{"TIME", "ACTION", "CODE", "MEANING"}}
	for _, call := range calls {
		if call.Time.Before(since) {
			continue
		}
		rows = append(rows, []string{
			call.Time.Local().Format("15:04:05.0"), call.Action, strconv.Itoa(call.Code), meaning(call.Action, call.Code),
		})
	}
	d.show(table(rows))
	return nil
}

// showCallCounts shows how many calls of each action had each code.
func (d *demo) showCallCounts(ctx context.Context) error {
	calls, err := d.simulator.calls(ctx, "")
	if err != nil {
		return err
	}
	type kind struct {
		action string
		code   int
	}
	counts := map[kind]int{}
	for _, call := range calls {
		counts[kind{call.Action, call.Code}]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.action, b.action), cmp.Compare(a.code, b.code))
	})
	rows := [][]string{{"ACTION", "CODE", "CALLS", "MEANING"}}
	for _, k := range kinds {
		rows = append(rows, []string{k.action, strconv.Itoa(k.code), strconv.Itoa(counts[k]), meaning(k.action, k.code)})
	}
	d.show(table(rows))
	return nil
}

// table aligns columns the way kubectl does.
func table(rows [][]string) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // A bytes.Buffer takes everything.
	return b.String()
}
