package controllers

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// roomMemory is what the operator remembers of a ZimRoom between passes and does not need after a restart.
type roomMemory struct {
	uid types.UID
	// tried is what the last pass that called ZIM, or wanted to, was about. A pass about the same waits for nextLook.
	tried attempt
	// nextLook is when the next call is due; zero if none is planned.
	nextLook time.Time
	// due is the look that nobody asked for and that has had no answer yet; nil if none is planned.
	due atomic.Pointer[dueLook]
	// coolUntil is when ZIM may be asked about this room again, whatever happens: it has a frequency limit of its own, or
	// what was asked could not be written down.
	coolUntil time.Time
	// refusals are how often in a row Kubernetes refused what has to come before a call.
	refusals int
	// unwrittenTimes is how often in a row a status could not be written.
	unwrittenTimes int
	// account is where the room lives or is to live, demand what it asks of it.
	account zim.Account
	demand  demand
	// interval is that with which nextLook was planned: it may be longer than declared. shortened is when it last became
	// shorter before nextLook had come.
	interval  time.Duration
	shortened time.Time
	// lastAnswer is when ZIM last answered all that a pass asked.
	lastAnswer time.Time
	// failures in a row, reset by a pass that leaves nothing to try again before the next slot.
	failures int
	// callback is the note of a server callback that the last look has seen. echo is when to look once more, for the
	// callbacks that came soon after it and left no note of their own; zero if never.
	callback string
	echo     time.Time
	// attributeSeq is the count of attribute changes last seen in the live room.
	attributeSeq int
	// replacement is under way: the operator has sent DestroyRoom to create the room anew, and it is not back; nil if not.
	replacement *replacement
	// destroyTried: DestroyRoom has been sent because the ZimRoom is being deleted. gone: it has succeeded, and only the
	// finalizer is left.
	destroyTried, gone bool
	// lostCreate is a CreateRoom that may have been carried out although its answer got lost.
	lostCreate *lostCreate
	// unwritten is what CreateRoom made and status does not say, because it could not be written; nil if nothing.
	unwritten *creation
	// written is the object as the operator last wrote it, until the cache has caught up. Events of the cache drop it.
	written atomic.Pointer[zimv1alpha1.ZimRoom]
}

// dueLook is when a look at a room of an account is due. Unlike nextLook it stays as it is while the look fails.
type dueLook struct {
	account zim.Account
	at      time.Time
}

// noteDue makes nextLook the look that is due; none if that is zero.
func (m *roomMemory) noteDue() {
	if m.nextLook.IsZero() {
		m.due.Store(nil)
		return
	}
	m.due.Store(&dueLook{account: m.account, at: m.nextLook})
}

// attempt is what can make a pass try again before its backoff is over.
type attempt struct {
	generation  int64
	requestedAt string
	appRevision string
}

// replacement is what is known between DestroyRoom and CreateRoom.
type replacement struct {
	// certain: ZIM answered 0; otherwise the answer got lost.
	certain bool
	// returns counts how often ZIM has said since that the room exists.
	returns int
	// recreations is what status.room counted before.
	recreations int32
}

// lostCreate is a CreateRoom that had no answer.
type lostCreate struct {
	request zim.CreateRoomRequest
	time    time.Time
}

// creation is a room that this operator's CreateRoom made, as status is to tell of it.
type creation struct {
	room   zimv1alpha1.RoomStatus
	appRef *zimv1alpha1.ResolvedAppReference
	news   news
}

// news are findings about a created room that deserve an event.
type news struct {
	// recreated: it was missing. destroyed: it was too young to have died of emptiness. replaced: the operator has
	// destroyed the one before.
	recreated, destroyed, replaced bool
}

// keepUnwritten notes that the status could not be written: the next pass is due soon, and must know what this one
// created, and that others did. It has to ask ZIM again, so it waits longer each time.
func (m *roomMemory) keepUnwritten(p *pass, now time.Time) {
	m.unwritten = nil
	if p.created {
		m.unwritten = &creation{room: *p.room.Status.Room.DeepCopy(), appRef: p.room.Status.AppRef, news: p.news}
	}
	if p.replacedByOthers {
		m.attributeSeq = math.MaxInt // Whatever is counted next is less: others have created the room.
	}
	m.unwrittenTimes++
	m.tried, m.nextLook = attempt{}, now
	m.cool(now.Add(unwrittenBackoff.delay(m.unwrittenTimes)))
}

// noteRefusal notes that Kubernetes refused what has to come before a call. The controller's own backoff would begin
// anew with each pass that does no more than to stand in line.
func (m *roomMemory) noteRefusal(now time.Time) {
	m.refusals++
	m.cool(now.Add(kubernetesRetry.delay(m.refusals)))
}

func (m *roomMemory) cool(until time.Time) {
	if until.After(m.coolUntil) {
		m.coolUntil = until
	}
}

// memories holds a roomMemory for each ZimRoom. It is safe for concurrent use; a roomMemory itself belongs to the one
// pass that the controller runs for its object at a time.
type memories struct {
	mu    sync.Mutex
	rooms map[types.NamespacedName]*roomMemory
}

func newMemories() *memories {
	return &memories{rooms: map[types.NamespacedName]*roomMemory{}}
}

// of returns the memory of a ZimRoom, and whether it is a new one. One that was deleted and applied again under the
// same name begins with a new one.
func (m *memories) of(name types.NamespacedName, uid types.UID) (memory *roomMemory, isNew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	memory = m.rooms[name]
	isNew = memory == nil || memory.uid != uid
	if isNew {
		fresh := &roomMemory{uid: uid}
		if memory != nil {
			fresh.demand = memory.demand // Until the first pass says what this one asks for.
		}
		memory = fresh
		m.rooms[name] = memory
	}
	return memory, isNew
}

// forget drops what is known of a ZimRoom that is gone, and returns what it asked of its account.
func (m *memories) forget(name types.NamespacedName) (asked demand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if memory := m.rooms[name]; memory != nil {
		asked = memory.demand
	}
	delete(m.rooms, name)
	return asked
}

// get returns the memory of a ZimRoom; nil if there is none.
func (m *memories) get(name types.NamespacedName) *roomMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rooms[name]
}

// oldestDue returns for how long the look of each account is due that is due for longest.
func (m *memories) oldestDue(now time.Time) map[zim.Account]time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldest := map[zim.Account]time.Duration{}
	for _, memory := range m.rooms {
		if look := memory.due.Load(); look != nil {
			oldest[look.account] = max(oldest[look.account], now.Sub(look.at))
		}
	}
	return oldest
}

// lastWritten returns a ZimRoom as the operator last wrote it; nil if the cache has that, or something newer. It is to
// be asked before the cache is: the cache may catch up in between.
func (m *memories) lastWritten(name types.NamespacedName) *zimv1alpha1.ZimRoom {
	if memory := m.get(name); memory != nil {
		return memory.written.Load()
	}
	return nil
}

// newest returns the cached object, or the one that the operator wrote if the cache did not have it yet. Without this
// the pass that the operator's own first write wakes would not see the confirmed room, and take it for somebody else's.
func newest(cached, written *zimv1alpha1.ZimRoom) *zimv1alpha1.ZimRoom {
	if written == nil || written.UID != cached.UID || isAsNew(cached, written) {
		return cached
	}
	return written
}

// isAsNew compares versions of an object. Ones that cannot be compared are taken for new.
func isAsNew(cached, written *zimv1alpha1.ZimRoom) bool {
	order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, written.ResourceVersion)
	return err != nil || order >= 0
}

// dropWritten forgets what the operator wrote if the cache has it, or something newer. Else every room would be kept
// twice.
func (m *roomMemory) dropWritten(cached *zimv1alpha1.ZimRoom) {
	if written := m.written.Load(); written != nil && isAsNew(cached, written) {
		m.written.CompareAndSwap(written, nil)
	}
}
