package kube

import (
	"errors"
	"time"
)

// emptyFor is how long empty lists are doubted after a full one. A list that is not
// believed is asked for again, with the reflector's growing pauses: about six times
// in this time.
const emptyFor = 30 * time.Second

var errEmptied = errors.New("the list is empty, and was not before")

// doubt returns an error if a list is not to be believed yet: where there were
// objects that last, and there are none, of which no deletion was told. What is
// deleted while we watch is an event, and believed at once.
func (f *feed[T]) doubt(now time.Time, next map[string]T) error {
	f.mu.Lock()
	if !f.precious || !f.synced || len(f.items) == 0 || len(next) > 0 {
		f.emptied = time.Time{}
		f.mu.Unlock()
		return nil
	}
	if f.emptied.IsZero() {
		f.emptied = now
	}
	believed := now.Sub(f.emptied) >= emptyFor
	if believed {
		f.emptied = time.Time{}
	}
	f.mu.Unlock()
	if believed {
		return nil
	}
	f.fail(now, listing, errEmptied)
	return errEmptied
}
