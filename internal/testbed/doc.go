// Package testbed runs etcd, the API server, the simulator of ZIM and managers as processes of their own, and looks at
// what they do: calls, ZimRooms, memory. The programs that measure the operator, and those that break things around it,
// share it.
package testbed
