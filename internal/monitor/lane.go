package monitor

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

// gap is the shortest time between two looks at the same thing, whatever happens.
const gap = time.Second

// lane schedules one kind of look and keeps the newest observation of each key.
// It belongs to one goroutine; only the looks run beside it.
type lane[K comparable, O any] struct {
	look[K, O]
	interval time.Duration
	slots    int
	hash     func(K) uint64

	// ordered are the keys as they were given to sync.
	ordered []K
	keys    map[K]*entry[K]
	queue   queue[K]
	running map[*entry[K]]task[O]
	newest  map[K]O
	results chan result[K, O]
}

type result[K comparable, O any] struct {
	entry *entry[K]
	value O
}

func newLane[K comparable, O any](l look[K, O], interval time.Duration, slots int, hash func(K) uint64) *lane[K, O] {
	return &lane[K, O]{
		look: l, interval: interval, slots: slots, hash: hash,
		keys: map[K]*entry[K]{}, running: map[*entry[K]]task[O]{}, newest: map[K]O{},
		// Room for every look that can be under way, so that none waits to hand in
		// what it saw, even if nobody reads any more.
		results: make(chan result[K, O], slots),
	}
}

// sync makes the lane look at exactly these keys. New ones are due at once; of
// very many only as many as can run at the same time, and the others at their
// place in the interval. So are those with an observation from before.
func (l *lane[K, O]) sync(keys []K, now time.Time) {
	if len(l.keys) == len(keys) && slices.Equal(l.ordered, keys) {
		return
	}
	l.ordered = keys
	keep := make(map[K]struct{}, len(keys))
	burst := l.slots
	for _, k := range keys {
		keep[k] = struct{}{}
		if _, ok := l.keys[k]; ok {
			continue
		}
		e := &entry[K]{key: k, hash: l.hash(k), pos: -1}
		e.due = slot(e.hash, l.interval, now)
		if _, seen := l.newest[k]; !seen && burst > 0 {
			e.due = now
			burst--
		}
		l.keys[k] = e
		heap.Push(&l.queue, e)
	}
	for k, e := range l.keys {
		if _, ok := keep[k]; !ok {
			e.gone = true
			if e.pos >= 0 {
				heap.Remove(&l.queue, e.pos)
			}
			delete(l.keys, k)
		}
	}
	for k := range l.newest {
		if _, ok := keep[k]; !ok {
			delete(l.newest, k)
		}
	}
}

// hurry makes keys due at once, as many as can run at the same time, and the others a
// moment later, as many each time. One that is being looked at is looked at again,
// because that look may have come too early.
func (l *lane[K, O]) hurry(keys []K, now time.Time) {
	for i, k := range keys {
		e, ok := l.keys[k]
		if !ok {
			continue
		}
		if e.pos < 0 {
			e.again = true
			continue
		}
		due := now.Add(time.Duration(i/l.slots) * gap)
		if soonest := e.began.Add(gap); soonest.After(due) {
			due = soonest
		}
		if due.Before(e.due) {
			e.due = due
			heap.Fix(&l.queue, e.pos)
		}
	}
}

const (
	// A look that is due takes along those that are due within ahead, so that there are
	// up to together of them: for a single one, to wake up the process costs more than
	// the cryptography.
	ahead    = 60 * time.Millisecond
	together = 8
)

// dispatch starts the looks that are due, as far as there are free slots.
func (l *lane[K, O]) dispatch(ctx context.Context, now time.Time) {
	if len(l.queue) == 0 || l.queue[0].due.After(now) {
		return
	}
	for n := 0; len(l.queue) > 0 && len(l.running) < l.slots; n++ {
		next := l.queue[0]
		early := next.due.Sub(now)
		if early > 0 && (n >= together || early > ahead || now.Sub(next.began) < gap) {
			return
		}
		e := heap.Pop(&l.queue).(*entry[K])
		e.began, e.again, e.overdue = now, false, false
		t := l.begin(e.key)
		l.running[e] = t
		go func() {
			l.results <- result[K, O]{e, l.guarded(ctx, t)}
		}()
	}
}

// take keeps what a look brought, and tells whether it was still wanted.
func (l *lane[K, O]) take(r result[K, O], now time.Time) bool {
	e := r.entry
	delete(l.running, e)
	if e.gone {
		return false
	}
	l.keep(e.key, r.value)
	// A slot that is too near is left out: after a look out of turn, the next one
	// in turn would follow at once.
	e.due = slot(e.hash, l.interval, e.began.Add(l.interval/2))
	if l.again != nil {
		if at := l.again(l.newest[e.key]); !at.IsZero() && at.Before(e.due) {
			e.due = at
		}
	}
	if soonest := now.Add(gap); e.again || e.due.Before(soonest) {
		e.due = soonest
	}
	heap.Push(&l.queue, e)
	return true
}

// expire turns looks that are far over their bound into observations that say so,
// and returns how many. Such a look keeps its slot: starting another one could
// pile up goroutines without end.
func (l *lane[K, O]) expire(now time.Time) int {
	n := 0
	for e, t := range l.running {
		if e.overdue || now.Sub(e.began) < 2*l.bound {
			continue
		}
		e.overdue = true
		n++
		if !e.gone {
			l.keep(e.key, t.failed(now, overdueText(l.bound)))
		}
	}
	return n
}

func (l *lane[K, O]) keep(k K, o O) { l.newest[k] = l.settled(k, o) }

// seen returns the newest observations, in the order of the keys.
func (l *lane[K, O]) seen() []O { return inOrder(l.ordered, l.newest) }

// inOrder returns the values that there are, in the order of the keys.
func inOrder[K comparable, O any](keys []K, values map[K]O) []O {
	list := make([]O, 0, len(values))
	for _, k := range keys {
		if o, ok := values[k]; ok {
			list = append(list, o)
		}
	}
	return list
}

// next is when the next look is due, if one is waiting and could start.
func (l *lane[K, O]) next() (time.Time, bool) {
	if len(l.queue) == 0 || len(l.running) >= l.slots {
		return time.Time{}, false
	}
	return l.queue[0].due, true
}

// lag is how long the look that waits longest is over its time.
func (l *lane[K, O]) lag(now time.Time) time.Duration {
	if len(l.queue) == 0 {
		return 0
	}
	return max(0, now.Sub(l.queue[0].due))
}
