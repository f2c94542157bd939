package monitor

import (
	"context"
	"sync"
	"time"
)

type answer[K comparable, O any] struct {
	key   K
	value O
}

// gather does one look for each key, at most slots at the same time, and returns
// when all have come back, or are twice over the time that they could need, or
// shortly after ctx ended. Looks that have not come back by then are left behind,
// and their observation says so.
func gather[K comparable, O any](ctx context.Context, l look[K, O], keys []K, slots int, t *tally) map[K]O {
	seen := make(map[K]O, len(keys))
	if len(keys) == 0 {
		return seen
	}
	slots = min(slots, len(keys))
	waves := (len(keys) + slots - 1) / slots
	bound := 2 * l.bound * time.Duration(waves)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	tasks := make(map[K]task[O], len(keys))
	todo := make(chan K, len(keys))
	for _, k := range keys {
		tasks[k] = l.begin(k)
		todo <- k
	}
	close(todo)
	// Room for all, so that a look that comes back too late does not hang.
	answers := make(chan answer[K, O], len(keys))
	var workers sync.WaitGroup
	for range slots {
		workers.Go(func() {
			for k := range todo {
				answers <- answer[K, O]{k, l.unlessEnded(ctx, tasks[k])}
			}
		})
	}
	if collect(ctx, l, answers, seen, len(keys), bound, t) {
		workers.Wait()
		return seen
	}
	for k, tk := range tasks {
		if _, ok := seen[k]; !ok {
			l.log.Error("a look did not come back", "look", tk.name)
			seen[k] = l.settled(k, tk.failed(time.Now(), "it did not end in "+bound.String()))
			t.add()
		}
	}
	return seen
}

// collect takes in n answers, and tells whether all came in time.
func collect[K comparable, O any](ctx context.Context, l look[K, O], answers <-chan answer[K, O], seen map[K]O, n int, bound time.Duration, t *tally) bool {
	limit := time.NewTimer(bound)
	defer limit.Stop()
	ended := ctx.Done()
	for len(seen) < n {
		select {
		case a := <-answers:
			seen[a.key] = l.settled(a.key, a.value)
			t.add()
		case <-ended:
			ended = nil
			limit.Reset(min(bound, grace))
		case <-limit.C:
			return false
		}
	}
	return true
}

// unlessEnded does a look; but what is seen after the end of the context only
// tells of our own end, not of the target.
func (l look[K, O]) unlessEnded(ctx context.Context, t task[O]) O {
	if err := ctx.Err(); err != nil {
		return t.failed(time.Now(), "stopped before it began ("+err.Error()+")")
	}
	o := l.guarded(ctx, t)
	if err := ctx.Err(); err != nil {
		return t.failed(time.Now(), "stopped before it ended ("+err.Error()+")")
	}
	return o
}

func (l look[K, O]) settled(k K, o O) O {
	if l.settle == nil {
		return o
	}
	return l.settle(k, o)
}
