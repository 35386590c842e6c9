// Package zimsim simulates the ZIM server API of ZEGOCLOUD: the room actions, with signatures, quotas, members, room
// attributes and rooms that die on time. It is written from the vendor's pages and shares no code with any client, so
// that a client and the simulator cannot agree on a mistake.
//
//	simulator := zimsim.New(zimsim.Options{
//		Apps: []zimsim.App{{AppID: 12345, ServerSecret: "9193cc662a4c0ec135ec71fb57194b38"}},
//	})
//	server := httptest.NewServer(simulator.API())
//
// # The API
//
// [Simulator.API] serves CreateRoom, DestroyRoom, QueryRoomAttribute, ModifyRoomAttribute, QueryRoomUserList,
// KickoutRoomUser and UserRegister at "/". Every answer is HTTP 200 with {Code, Message, RequestId, ...}, good or bad.
// Pages:
//
//   - https://www.zegocloud.com/docs/zim-server/accessing-server-apis
//   - https://www.zegocloud.com/docs/zim-server/return-codes
//   - https://www.zegocloud.com/docs/zim-server/room/create-a-room
//
// A call gets the code of the first check it fails. The vendor does not publish the order; here it is: host
// (100000000), AppId (100000001), Timestamp (100000002, 100000003), Action empty (100000006), SignatureNonce, Signature
// and SignatureVersion (100000008, 100000009, 100000013, 100000014), AppId unknown (100000010), Timestamp more than
// 600 s off (100000004), Signature wrong (100000005), service off (100000017), Action unknown or called with the wrong
// method (100000007), quota (660300005; UserRegister 660700001), body and parameters (100000012, 660000002), operator
// not registered (660500002), and then what the action itself finds.
//
// # Time
//
// The simulator starts no timers, unless [Simulator.SendCallbacks] runs. Every access first buries the rooms whose time
// has come by [Options].Now, so a test with a clock of its own moves the clock and sees the room gone, and the room's
// event carries the moment at which it died. Only callbacks, Options.Latency, FaultLatency and FaultHang take real
// time.
//
// # What the vendor leaves open
//
// Where pages are silent or contradict each other there is a switch: see [Switches] and [DefaultSwitches]. What seemed
// too small for a switch is decided thus:
//
//   - A wrong method is 100000007: an action is documented as a method and a name.
//   - Calls that fail before the quota is looked at (signature, unknown Action) do not count towards it.
//   - Parameter names are case-sensitive; null stands for missing; a number in a string is 660000002, as are a negative
//     DestroyDelayTime and a fraction.
//   - One bad attribute refuses the whole CreateRoom. ModifyRoomAttribute refuses items of the wrong form as a whole
//     (660000002), and items beyond a limit one by one, with SubCode 660000002.
//   - Attributes that go by themselves, with their AutoDelete user or with the last member, count in AttributeSeq.
//   - AttributeSeq begins anew with each incarnation of a room, and an id is free as soon as its room is gone.
//   - DestroyRoom does not wait for DestroyDelayTime.
//   - KickoutRoomUser passes over users who are not in the room, unless none is: 660300002.
//   - A UserRegister in which everything fails has the code of the first failure.
//
// # Server callbacks
//
// While [Simulator.SendCallbacks] runs, apps with a CallbackURL get room_create, room_destroy, room_enter and
// room_exit, signed; what is not answered with 2xx comes again 2, 4, 8, 16 and 32 seconds later. Whether calls of the
// API cause some, and whether room_destroy comes when a room is gone or when it becomes empty, are switches.
//
//   - https://www.zegocloud.com/docs/zim-server/callbacks/room/room-destroyed
//
// # The admin side
//
// The methods of [Simulator] do what client SDKs, the console and bad luck do: rooms with foreign names, members,
// drifting attributes, rooms that vanish, [Simulator.Inject] for faults, [Simulator.Calls] for what was asked and
// [Simulator.Events] for what happened. [Simulator.Admin] serves the same over HTTP, JSON in and out; ids go into the
// query, because they may contain any character. Errors are {"error": "..."} with status 400, 404, 405, 409 or 413.
// Secrets and signatures never come out.
//
//	GET    /healthz
//	GET    /apps
//	PUT    /apps                                   adds or replaces the app in the body, an [App]
//	GET    /rooms?appID=
//	GET    /rooms?appID=&id=
//	POST   /rooms?appID=                           creates the [Room] in the body as a client would
//	DELETE /rooms?appID=&id=
//	PUT    /members?appID=&roomID=&userID=         enters; create=true makes a missing room
//	DELETE /members?appID=&roomID=&userID=         leaves
//	PUT    /attributes?appID=&roomID=&key=         sets the attribute to {"value": "..."}
//	DELETE /attributes?appID=&roomID=&key=
//	GET    /users?appID=
//	PUT    /users?appID=&userID=                   registers
//	DELETE /users?appID=&userID=                   unregisters
//	GET    /calls?appID=&action=&roomID=&limit=    every parameter may be missing; limit: so many of the newest
//	DELETE /calls
//	GET    /events?appID=&roomID=&limit=
//	GET    /callbacks?appID=&roomID=&limit=        the tries to deliver callbacks
//	GET    /faults
//	POST   /faults                                 injects the [Fault] in the body, answers {"id": 1}
//	DELETE /faults                                 all; id=1: that one
//	GET    /switches
//	PUT    /switches                               sets those in the body
package zimsim
