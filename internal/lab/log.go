package lab

import (
	"context"
	"fmt"
	"sync"
)

// logLimit bounds what a Log keeps: a fault test may send for minutes.
const logLimit = 20_000

// Log keeps what a part was sent, in the order of arrival. It holds the newest
// 20,000 entries; Len counts all. The zero Log is ready.
type Log[T any] struct {
	mu      sync.Mutex
	entries []T
	total   int
	changed chan struct{}
}

func (l *Log[T]) add(entry T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == logLimit {
		l.entries = append(l.entries[:0], l.entries[logLimit/2:]...)
	}
	l.entries = append(l.entries, entry)
	l.total++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// All returns a copy of the entries kept, oldest first.
func (l *Log[T]) All() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]T(nil), l.entries...)
}

// Len is the number of entries added since the last Reset.
func (l *Log[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Reset forgets everything.
func (l *Log[T]) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.total = nil, 0
}

// Wait returns the entries once at least n were added since the last Reset, or
// an error that says how many there were when ctx ended.
func (l *Log[T]) Wait(ctx context.Context, n int) ([]T, error) {
	for {
		l.mu.Lock()
		if l.total >= n {
			entries := append([]T(nil), l.entries...)
			l.mu.Unlock()
			return entries, nil
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		total, changed := l.total, l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("waited for %d entries, saw %d: %w", n, total, ctx.Err())
		}
	}
}
