package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Store keeps the state over restarts. Load returns nil if nothing was saved.
type Store interface {
	Load(name string) ([]byte, error)
	Save(name string, data []byte) error
}

func decode(stored []byte) (State, error) {
	var s State
	if err := json.Unmarshal(stored, &s); err != nil {
		return State{}, err
	}
	if s.Version != Version {
		return State{}, fmt.Errorf("version %d, this program has %d", s.Version, Version)
	}
	return s, nil
}

// changed tells whether more than clocks differ.
func changed(a, b State) bool {
	if len(a.Incidents) != len(b.Incidents) {
		return true
	}
	for n, t := range a.Incidents {
		u := b.Incidents[n]
		if t.Message.Incident.ID != u.Message.Incident.ID || t.Last != u.Last ||
			!t.Message.Draining.Equal(u.Message.Draining) {
			return true
		}
	}
	return false
}

// save writes the newest state, unless another has done so meanwhile. What it holds may be
// sent afterwards, whether that succeeded or not.
func (o *Outbox) save() error {
	o.writing <- struct{}{}
	defer func() { <-o.writing }()
	o.mu.Lock()
	state, revision, written := o.state, o.revision, slices.Collect(maps.Keys(o.unwritten))
	if revision == o.kept {
		defer o.mu.Unlock()
		return o.failure
	}
	o.mu.Unlock()
	err := o.write(state)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.saved = state.At
	if err != nil {
		o.saved = time.Time{} // try again with the next report
	}
	o.kept, o.failure = revision, err
	for _, key := range written {
		delete(o.unwritten, key)
	}
	return err
}

func (o *Outbox) write(state State) error {
	if o.store == nil {
		return nil
	}
	encoded, err := json.Marshal(state)
	if err == nil {
		err = o.store.Save(storeName, encoded)
	}
	if err != nil {
		return fmt.Errorf("save the state of alerts: %w", err)
	}
	return nil
}
