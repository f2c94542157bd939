package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
	"driftprobe/internal/state"
)

// recalled is a history that can be read.
func recalled(t *testing.T, store *state.Store) snapshot.Snapshot {
	t.Helper()
	var log bytes.Buffer
	s := recall(store, slog.New(slog.NewTextHandler(&log, nil)))
	if log.Len() > 0 {
		t.Error(log.String())
	}
	return s
}

// What a newer version has written in the layout of today is told anew, and kept for that
// version; what is beside it is not lost.
func TestValuesThatAreNotUnderstoodAreKeptAside(t *testing.T) {
	const content = `{"version":1,"values":{"history":%,"notify":%}}`
	for rule, c := range map[string]struct{ history, alerts, says string }{
		"a history of another shape":  {`{"records":7}`, `{"version":2}`, "the history is not usable"},
		"no history":                  {`[]`, `{"version":2}`, "the history is not usable"},
		"alerts of a newer version":   {`{}`, `{"version":3}`, "the stored state of alerts is unusable"},
		"alerts of another shape":     {`{}`, `{"version":2,"queue":{"a":1}}`, "the stored state of alerts is unusable"},
		"neither of them is readable": {`"x"`, `"y"`, "the history is not usable"},
	} {
		t.Run(rule, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.json")
			whole := strings.Replace(strings.Replace(content, "%", c.history, 1), "%", c.alerts, 1)
			if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			store := openState(t, path)
			var logged bytes.Buffer
			log := slog.New(slog.NewTextHandler(&logged, nil))
			recall(store, log)
			var a alertStore
			a.use(store)
			if _, err := notify.NewOutbox(notify.Policy{}, &a, log); err != nil {
				t.Fatal(err)
			}
			if text := logged.String(); !strings.Contains(text, c.says) || !strings.Contains(text, path+".corrupt") || !strings.Contains(text, "level=WARN") {
				t.Errorf("it does not say what is unusable, and where it is kept: %s", text)
			}
			save(t, &a, `{"version":2}`)
			if kept, err := os.ReadFile(path + ".corrupt"); err != nil || string(kept) != whole {
				t.Errorf("kept aside: %q, %v", kept, err)
			}
			if got, err := store.Load(historyName); err != nil || string(got) != c.history {
				t.Errorf("beside it is %q, %v", got, err)
			}
		})
	}
}
