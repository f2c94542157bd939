package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"driftprobe/finding"
)

// Store keeps the state over restarts. Load returns nil if nothing was saved. SetAside has
// what cannot be used kept when the next Save replaces it, and tells where.
type Store interface {
	Load(name string) ([]byte, error)
	Save(name string, data []byte) error
	SetAside() string
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

// largeState is the size, in bytes, from which on a State is stored with short messages: that
// is what a place of 1 MiB has room for, compressed. What waits is sent whole, unless the
// program ends before.
const largeState = 2 << 20

// brief leaves in each message what a person needs first.
func brief(s State) State {
	s.Incidents, s.Queue = slices.Clone(s.Incidents), slices.Clone(s.Queue)
	for n := range s.Incidents {
		s.Incidents[n].Message.Incident = inBrief(s.Incidents[n].Message.Incident)
	}
	for n := range s.Queue {
		s.Queue[n].Message.Incident = inBrief(s.Queue[n].Message.Incident)
	}
	return s
}

func inBrief(i finding.Incident) finding.Incident {
	const few, line, command = 2, 120, 400
	i.Cause, i.Recovery = finding.Printable(i.Cause, line), finding.Printable(i.Recovery, line)
	i.Evidence = slices.Clone(i.Evidence[:min(len(i.Evidence), few)])
	for n, note := range i.Evidence {
		i.Evidence[n] = finding.Note{Label: finding.Printable(note.Label, line), Text: finding.Printable(note.Text, line)}
	}
	steps := i.Fix
	i.Fix = nil
	for _, s := range steps {
		if len(s.Command) <= command && len(i.Fix) < few { // half a command does something else
			s.Text = finding.Printable(s.Text, line)
			i.Fix = append(i.Fix, s)
		}
	}
	return i
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
	if err == nil && len(encoded) > largeState {
		encoded, err = json.Marshal(brief(state))
	}
	if err == nil {
		err = o.store.Save(storeName, encoded)
	}
	if err != nil {
		return fmt.Errorf("save the state of alerts: %w", err)
	}
	return nil
}
