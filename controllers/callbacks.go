package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/callback"
	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// callbackInterval is how often a ZimRoom gets a note of a callback at most: one note stands for all callbacks of
	// this time.
	callbackInterval = 10 * time.Second
	// echoDelay is how long after the look that a note led to the operator looks once more, for the callbacks that left
	// no note of their own. Replicas tell a note's age by their own clocks: these may be off by what it exceeds
	// callbackInterval.
	echoDelay = 15 * time.Second
	// callbackTakeover is how old a note may be that a process finds at its start and takes for unseen: longer than it
	// takes to notice that the leader is gone.
	callbackTakeover = time.Minute
	// notesPerSecond and noteBurst bound the writes to Kubernetes that callbacks lead to. ZIM repeats what was refused.
	notesPerSecond, noteBurst = 50, 100
	// accountNotesPerSecond and accountNoteBurst are an account's part: none can take all. ZIM makes 20 rooms a second.
	accountNotesPerSecond, accountNoteBurst = 25, 75
	// noteTimeout bounds the work on one note.
	noteTimeout = 5 * time.Second
	// noteAttempts is how often a note is tried against others who write the same ZimRoom.
	noteAttempts = 3
)

// callbackNotebook implements callback.Notebook with annotations. It works on every replica, so it knows of apps only
// what their status says.
type callbackNotebook struct {
	client.Client
	liveReader client.Reader
	clock      clock.PassiveClock
	secrets    *secretMemory
	limiter    *rate.Limiter

	// flights hold the one callback of each ZimRoom that is being noted: it makes the others needless.
	flights singleflight.Group

	mu sync.Mutex
	// limiters are those of accounts that had notes lately. Needs mu.
	limiters map[zim.Account]*rate.Limiter
	// noted are the notes of the last callbackInterval: the cache may not have them yet. Needs mu.
	noted map[types.UID]time.Time
}

func newCallbackNotebook(options Options) *callbackNotebook {
	return &callbackNotebook{
		Client:     options.Client,
		liveReader: options.LiveReader,
		clock:      options.Clock,
		secrets:    newSecretMemory(quietReader{options.LiveReader}, options.Clock),
		limiter:    rate.NewLimiter(notesPerSecond, noteBurst),
		limiters:   map[zim.Account]*rate.Limiter{},
		noted:      map[types.UID]time.Time{},
	}
}

// Signers implements callback.Notebook. Anyone may write somebody else's AppID into a ZimApp, so only those count whose
// ServerSecret, as it is now, ZIM has accepted for the account that their spec names now.
func (n *callbackNotebook) Signers(ctx context.Context, appID uint32) ([]callback.Signer, error) {
	var apps zimv1alpha1.ZimAppList
	ofAppID := client.MatchingFields{appIDIndex: strconv.FormatUint(uint64(appID), 10)}
	if err := n.List(ctx, &apps, ofAppID, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ZimApps: %w", err)
	}
	var signers []callback.Signer
	for i := range apps.Items {
		app := &apps.Items[i]
		account, err := zim.AccountAt(endpointOf(app), appID)
		if err != nil || app.Status.ObservedGeneration != app.Generation {
			continue
		}
		secrets, err := n.secretsOf(ctx, app)
		if err != nil {
			return nil, err
		}
		signers = append(signers, callback.Signer{
			Account: callback.Account{Realm: account.Realm, AppID: account.AppID}, Secrets: secrets,
		})
	}
	return signers, nil
}

// secretsOf returns the secrets with which ZIM may sign an app's callbacks: the CallbackSecret, or the ServerSecret,
// depending on which page of the vendor one believes. None, unless ZIM has accepted the ServerSecret that is there.
func (n *callbackNotebook) secretsOf(ctx context.Context, app *zimv1alpha1.ZimApp) ([]string, error) {
	server, err := n.secrets.read(ctx, app.Namespace, app.Spec.ServerSecretRef)
	if err != nil || server.text == "" || server.version != app.Status.AcceptedSecretVersion {
		return nil, err
	}
	own := app.Spec.CallbackSecretRef
	if own == nil {
		return []string{server.text}, nil
	}
	hook, err := n.secrets.read(ctx, app.Namespace, zimv1alpha1.SecretKeyReference{Name: own.Name, Key: own.Key})
	if err != nil || hook.text == "" {
		return []string{server.text}, err
	}
	return []string{server.text, hook.text}, nil
}

// Note implements callback.Notebook.
func (n *callbackNotebook) Note(ctx context.Context, hint callback.Hint) (callback.Outcome, error) {
	rooms, err := n.roomsOf(ctx, hint)
	if err != nil {
		return callback.Failed, err
	}
	// There can be several: a hint has two readings, and during a hand-over two ZimRooms are confirmed.
	result := callback.NotOurs
	for i := range rooms {
		outcome, noteErr := callback.Ignored, error(nil)
		if hint.Event == callback.RoomDestroyed || isWaitingToBeReplaced(&rooms[i]) {
			outcome, noteErr = n.note(ctx, &rooms[i])
		}
		result, err = result.Or(outcome), errors.Join(err, noteErr)
	}
	return result, err
}

// roomsOf returns the ZimRooms that have the room of a hint.
func (n *callbackNotebook) roomsOf(ctx context.Context, hint callback.Hint) ([]zimv1alpha1.ZimRoom, error) {
	account := zim.Account{Realm: hint.Account.Realm, AppID: hint.Account.AppID}
	var found []zimv1alpha1.ZimRoom
	for _, id := range hint.RoomIDs {
		var rooms zimv1alpha1.ZimRoomList
		if err := n.List(ctx, &rooms, client.MatchingFields{roomIDIndex: id}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing ZimRooms: %w", err)
		}
		for i := range rooms.Items {
			if home, confirmed := homeOf(&rooms.Items[i]); confirmed && home == account {
				found = append(found, rooms.Items[i])
			}
		}
	}
	return found, nil
}

// note writes the annotation, unless there is one that is young enough. Callbacks about one room that come meanwhile
// wait for the outcome: nobody else waits for it.
func (n *callbackNotebook) note(ctx context.Context, room *zimv1alpha1.ZimRoom) (callback.Outcome, error) {
	isFirst := false
	outcome, err, _ := n.flights.Do(string(room.UID), func() (any, error) {
		isFirst = true
		// Others wait too, so it does not end with the request that happened to be the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
		defer cancel()
		return n.noteOnce(ctx, room)
	})
	if outcome == callback.Noted && !isFirst {
		return callback.Coalesced, nil
	}
	return outcome.(callback.Outcome), err //nolint:forcetypeassert // It is that of noteOnce.
}

// noteOnce is note for one callback of a room at a time.
func (n *callbackNotebook) noteOnce(ctx context.Context, room *zimv1alpha1.ZimRoom) (callback.Outcome, error) {
	now := n.clock.Now()
	if n.hasNoted(room, now) {
		return callback.Coalesced, nil
	}
	for range noteAttempts {
		outcome, err := n.writeNote(ctx, room, now)
		if !apierrors.IsConflict(err) {
			return outcome, err
		}
		if room, err = n.liveRoom(ctx, room); err != nil {
			return callback.Failed, err
		}
		if room == nil {
			return callback.NotOurs, nil
		}
	}
	return callback.Failed, errors.New("noting a callback: others write the ZimRoom all the time")
}

// writeNote patches with an optimistic lock: another replica may note a callback for the room at this moment.
func (n *callbackNotebook) writeNote(
	ctx context.Context, room *zimv1alpha1.ZimRoom, now time.Time,
) (callback.Outcome, error) {
	noted, err := time.Parse(time.RFC3339Nano, room.Annotations[zimv1alpha1.CallbackReceivedAtAnnotation])
	switch {
	case !room.DeletionTimestamp.IsZero() || room.Spec.Suspend:
		return callback.Ignored, nil
	case err == nil && now.Sub(noted).Abs() < callbackInterval:
		return callback.Coalesced, nil
	case !n.mayWrite(room, now):
		return callback.Refused, nil
	}
	changed := room.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[zimv1alpha1.CallbackReceivedAtAnnotation] = now.UTC().Format(time.RFC3339Nano)
	err = n.Patch(ctx, changed, client.MergeFromWithOptions(room, client.MergeFromWithOptimisticLock{}))
	switch {
	case apierrors.IsNotFound(err):
		return callback.NotOurs, nil
	case err != nil:
		return callback.Failed, fmt.Errorf("noting a callback: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noted[room.UID] = now
	return callback.Noted, nil
}

// mayWrite tells whether a note about a room of its account may be written now.
func (n *callbackNotebook) mayWrite(room *zimv1alpha1.ZimRoom, now time.Time) bool {
	account, _ := homeOf(room)
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.limiters, func(_ zim.Account, l *rate.Limiter) bool { return l.TokensAt(now) >= accountNoteBurst })
	if n.limiters[account] == nil {
		n.limiters[account] = rate.NewLimiter(accountNotesPerSecond, accountNoteBurst)
	}
	return n.limiters[account].AllowN(now, 1) && n.limiter.AllowN(now, 1)
}

// hasNoted tells whether this replica has written a note that is young enough.
func (n *callbackNotebook) hasNoted(room *zimv1alpha1.ZimRoom, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.noted, func(_ types.UID, at time.Time) bool { return now.Sub(at).Abs() >= callbackInterval })
	_, noted := n.noted[room.UID]
	return noted
}

// liveRoom reads a ZimRoom past the cache; nil if it is gone. It lists, which the operator may do anyway.
func (n *callbackNotebook) liveRoom(ctx context.Context, room *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, error) {
	var rooms zimv1alpha1.ZimRoomList
	if err := n.liveReader.List(ctx, &rooms, client.InNamespace(room.Namespace), byName(room.Name)); err != nil {
		return nil, fmt.Errorf("reading a ZimRoom: %w", err)
	}
	if len(rooms.Items) == 0 || rooms.Items[0].UID != room.UID {
		return nil, nil //nolint:nilnil // Gone.
	}
	return &rooms.Items[0], nil
}

// readCallback tells whether a callback asks for a look that was not made yet. A room that dies right after its
// creation is not looked at at once, or it would be created again and again.
func (r *ZimRoomReconciler) readCallback(p *pass, now time.Time) bool {
	note := p.room.Annotations[zimv1alpha1.CallbackReceivedAtAnnotation]
	live := p.room.Status.Room
	if note == p.memory.callback || note == "" || live == nil || p.missing {
		return false
	}
	if live.CreatedTime != nil && now.Sub(live.CreatedTime.Time) < youngDeath {
		p.memory.callback = note
		if live.DestroyDelay.Duration >= shortestPredictedDelay { // Shorter ones are left to their slots.
			p.memory.lookAgain(now)
		}
		return false
	}
	return true
}

// callbackSeenBefore returns the note that a ZimRoom carries when the process sees it first, if its callback was dealt
// with before; else an empty text.
func (r *ZimRoomReconciler) callbackSeenBefore(room *zimv1alpha1.ZimRoom) string {
	note := room.Annotations[zimv1alpha1.CallbackReceivedAtAnnotation]
	if at, err := time.Parse(time.RFC3339Nano, note); err == nil && r.started.Sub(at) < callbackTakeover {
		return ""
	}
	return note
}

// emptyLook is when a room may be found dead that was empty, but not gone, when a callback came; zero if it is known
// not to have died of that. The vendor does not say which of the two room_destroy tells.
func (r *ZimRoomReconciler) emptyLook(p *pass, now time.Time) time.Time {
	live := p.room.Status.Room
	noted, err := time.Parse(time.RFC3339Nano, p.room.Annotations[zimv1alpha1.CallbackReceivedAtAnnotation])
	if err != nil || (live.CreatedTime != nil && noted.Sub(live.CreatedTime.Time) < youngDeath) {
		return time.Time{} // Of an earlier life, or so young that deathLook sees to it.
	}
	// A room that is never verified is looked at after callbacks all the same.
	interval := max(r.declaredInterval(p.room), callbackTakeover)
	return nextDeathLook(now, noted, p.memory.lastAnswer, live.DestroyDelay.Duration, interval)
}

// lookAfterCallback notes that a look is made now, with the callback that the ZimRoom shows.
func (m *roomMemory) lookAfterCallback(room *zimv1alpha1.ZimRoom, now time.Time) {
	note := room.Annotations[zimv1alpha1.CallbackReceivedAtAnnotation]
	switch {
	case note != m.callback:
		m.callback, m.echo = note, now.Add(echoDelay)
	case isPast(m.echo, now):
		m.echo = time.Time{}
	}
}

// lookAgain plans a look for callbacks that leave no note because there is a young one, which leads to no look itself.
func (m *roomMemory) lookAgain(now time.Time) {
	m.echo = now.Add(echoDelay)
	if !m.nextLook.IsZero() { // Else the next look is still to be planned, with this.
		m.nextLook = earliest(m.nextLook, m.echo)
	}
}
