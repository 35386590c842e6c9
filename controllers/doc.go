// Package controllers reconciles ZimApps and ZimRooms. It is the only package that knows both Kubernetes and ZIM; it
// speaks to ZIM through package zim, and knows no HTTP.
//
// A pass over a ZimRoom goes one way: find the app (resolve.go) and the holder of the room (holder.go), ask whether
// there is a reason to call (due.go), wait for a place (gate.go), bring the room to what is declared (ensure.go,
// attributes.go, replace.go), decide what the answer means (outcome.go), write one status patch (conditions.go), and
// plan the next look (due.go, schedule.go). Deletion goes another (delete.go, handover.go).
package controllers
