package main

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"driftprobe/internal/snapshot"
	"driftprobe/internal/state"
)

// historyName is the name under which the history is kept in the state.
const historyName = "history"

// openState opens the state file. One that cannot be understood is set aside, and
// we start with an empty memory: to be loud again is better than to be silent.
func openState(path string, log *slog.Logger) (*state.File, error) {
	f, err := state.Open(path)
	if err != nil {
		return nil, faultf("check state.file: its folder must exist and be writable", "state.file: %v", err)
	}
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
		return snapshot.Snapshot{}, fmt.Errorf("read the history in the state: %w", err)
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
