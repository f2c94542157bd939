package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"driftprobe/internal/state"
)

func openState(t *testing.T, path string) *state.File {
	t.Helper()
	f, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func save(t *testing.T, a *alertStore, value string) {
	t.Helper()
	if err := a.Save("notify", []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, what string, s interface{ Load(string) ([]byte, error) }, want string) {
	t.Helper()
	got, err := s.Load("notify")
	if err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", what, got, err, want)
	}
}

func TestAlertsAreTakenUpFromTheFileAtTheStart(t *testing.T) {
	file := openState(t, filepath.Join(t.TempDir(), "state.json"))
	if err := file.Save("notify", []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	var a alertStore
	holds(t, "without a file", &a, "")
	a.use(file)
	holds(t, "with a file", &a, "1")
}

// An incident that was told must end as one that was told, whatever a reload does
// to state.file.
func TestAlertsOutliveAReloadThatNamesAnotherFile(t *testing.T) {
	folder := t.TempDir()
	first, second := openState(t, filepath.Join(folder, "a")), openState(t, filepath.Join(folder, "b"))
	if err := second.Save("notify", []byte(`"old"`)); err != nil {
		t.Fatal(err)
	}
	var a alertStore
	a.use(first)
	save(t, &a, `1`)
	a.use(second)
	holds(t, "after the reload", &a, "1")
	save(t, &a, `2`)
	holds(t, "the new file", second, "2")
	holds(t, "the old file", first, "1")
	a.use(nil)
	save(t, &a, `3`)
	holds(t, "without a file", &a, "3")
	a.use(first)
	holds(t, "with a file again", &a, "3")
}

// state.File goes back to the former value when it cannot write; after a reload
// that would tell everything again.
func TestAlertsOutliveAReloadWhenTheDiskIsFull(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var a alertStore
	a.use(openState(t, filepath.Join(folder, "state.json")))
	save(t, &a, `1`)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if a.Save("notify", []byte(`2`)) == nil {
		t.Error("a file that cannot be written is no error")
	}
	holds(t, "after the failure", &a, "2")
}

func TestGenerationsShareAStateFileByItsPath(t *testing.T) {
	folder, files, log := t.TempDir(), openFiles{}, slog.New(slog.DiscardHandler)
	open := func(name string) *state.File {
		f, err := files.open(filepath.Join(folder, name), log)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, other := open("a"), open("b")
	if first == other || open("a") != first || open("b") != other {
		t.Error("a path is opened twice, or two paths once")
	}
	if f, err := files.open("", log); f != nil || err != nil {
		t.Errorf("no path: %v, %v", f, err)
	}
}

func TestJudgeBoundsWhatItReads(t *testing.T) {
	many := func(n int) []byte { return bytes.Repeat([]byte("0,"), n) }
	valid, err := json.Marshal(map[string]any{"snapshot": map[string]any{"version": 1}})
	if err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct {
		data []byte
		says string
	}{
		"an honest document":                        {valid, ""},
		"values that would take far more than they": {many(maxValues + 1), "more than"},
		"no more values than allowed":               {many(maxValues), "invalid character"},
	} {
		t.Run(rule, func(t *testing.T) {
			_, _, err := readSnapshot(bytes.NewReader(c.data), "it")
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
