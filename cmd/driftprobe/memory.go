package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"driftprobe/internal/snapshot"
	"driftprobe/internal/state"
)

// historyName is the name under which the history is kept in the state.
const historyName = "history"

// openFiles are the state files by path, over reloads: generations that name the
// same path share it, so that neither overwrites what the other has saved.
type openFiles map[string]*state.File

// open opens the state file, or returns the one that is open; nil for no path.
// One that cannot be understood is set aside, and we start with an empty memory:
// to be loud again is better than to be silent.
func (o openFiles) open(path string, log *slog.Logger) (*state.File, error) {
	if path == "" {
		return nil, nil
	}
	if f, ok := o[path]; ok {
		return f, nil
	}
	f, err := state.Open(path)
	if err != nil {
		return nil, faultf("check state.file: its folder must exist and be writable", "state.file: %v", err)
	}
	if warning := f.Warning(); warning != nil {
		log.Warn("the state is not usable; starting with an empty memory", "err", warning)
	}
	o[path] = f
	return f, nil
}

// recall returns the memory of an earlier run as the snapshot to go on from.
func recall(f *state.File) (snapshot.Snapshot, error) {
	s := snapshot.Snapshot{Version: snapshot.Version}
	if f == nil {
		return s, nil
	}
	data, err := f.Load(historyName)
	if err != nil || data == nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s.History); err != nil {
		return s, faultf("move the state file away to start with an empty memory", "state.file: the history in it can't be read: %v", err)
	}
	return s, nil
}

func remember(f *state.File, h snapshot.History) error {
	if f == nil {
		return nil
	}
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return f.Save(historyName, data)
}

// alertStore keeps the alerts in memory over reloads, and in the state file, if
// there is one, over restarts. What is in memory goes first: a full disk, or a
// reload that names another file, must not make us forget what was told.
type alertStore struct {
	mu   sync.Mutex
	data map[string][]byte
	file *state.File
}

// use makes file, which may be nil, the one for what is saved from now on.
func (a *alertStore) use(file *state.File) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file = file
}

// Load returns what was saved under the name, nil if nothing was.
func (a *alertStore) Load(name string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if data, ok := a.data[name]; ok || a.file == nil {
		return data, nil
	}
	return a.file.Load(name)
}

// Save keeps data under the name. After an error it is kept until the program
// ends.
func (a *alertStore) Save(name string, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.data == nil {
		a.data = map[string][]byte{}
	}
	a.data[name] = data
	if a.file == nil {
		return nil
	}
	return a.file.Save(name, data)
}
