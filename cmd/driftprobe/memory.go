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

// openFile is the state file over reloads: generations that name the same path
// share it, so that neither overwrites what the other has saved.
type openFile struct {
	path string
	file *state.File
}

// open opens the state file, or returns the one that is open; nil for no path.
// One that cannot be understood is set aside, and we start with an empty memory:
// to be loud again is better than to be silent.
func (o *openFile) open(path string, log *slog.Logger) (*state.File, error) {
	if path == "" || o.file != nil && o.path == path {
		if path == "" {
			return nil, nil
		}
		return o.file, nil
	}
	f, err := state.Open(path)
	if err != nil {
		return nil, faultf("check state.file: its folder must exist and be writable", "state.file: %v", err)
	}
	if warning := f.Warning(); warning != nil {
		log.Warn("the state is not usable; starting with an empty memory", "err", warning)
	}
	o.path, o.file = path, f
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

// memoryStore keeps the alerts over reloads where there is no state file.
type memoryStore struct {
	mu   sync.Mutex
	data map[string][]byte
}

func newMemoryStore() *memoryStore { return &memoryStore{data: map[string][]byte{}} }

// Load returns what was saved under the name, nil if nothing was.
func (m *memoryStore) Load(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[name], nil
}

// Save keeps data under the name until the program ends.
func (m *memoryStore) Save(name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data[name] = data
	return nil
}
