package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// open expects a file without a fault.
func open(t *testing.T, path string) *Store {
	t.Helper()
	f, warning, err := Open(path)
	if err != nil || warning != nil {
		t.Fatal(err, warning)
	}
	return f
}

func save(t *testing.T, f *Store, name, value string) {
	t.Helper()
	if err := f.Save(name, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, f *Store, name, want string) {
	t.Helper()
	got, err := f.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("Load(%q) = %q, want %q", name, got, want)
	}
}

func TestValuesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f := open(t, path)
	if got, err := f.Load("history"); got != nil || err != nil {
		t.Fatalf("Load of nothing = %q, %v, want nil, nil", got, err)
	}
	save(t, f, "history", `{"a":"<b> & c"}`)
	save(t, f, "alerts", `[1]`)
	save(t, f, "alerts", `[1,2]`)
	wantValue(t, f, "alerts", `[1,2]`)

	again := open(t, path)
	wantValue(t, again, "history", `{"a":"<b> & c"}`)
	wantValue(t, again, "alerts", `[1,2]`)

	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", stat.Mode().Perm())
	}
}

func TestAnUnusableFileStartsEmptyAndIsKeptAside(t *testing.T) {
	cases := []struct{ rule, content, says string }{
		{"not JSON", "garbage", "damaged"},
		{"empty", "", "damaged"},
		{"truncated", `{"version":1,"values":{"a":`, "damaged"},
		{"trailing bytes", `{"version":1,"values":{}}}`, "damaged"},
		{"no version", `{"values":{"a":1}}`, "damaged"},
		{"values of another shape", `{"version":1,"values":[]}`, "damaged"},
		{"a newer version, in a layout of its own", `{"version":7,"values":[1]}`, "newer version (layout 7"},
		{"too large", strings.Repeat(" ", MaxSize+1), "larger than"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.json")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			f, warning, err := Open(path)
			if err != nil || warning == nil || !strings.Contains(warning.Error(), c.says) || !strings.Contains(warning.Error(), path) {
				t.Fatalf("warning %v, %v; want one that names the file and says %q", warning, err, c.says)
			}
			wantValue(t, f, "a", "")
			if got, err := os.ReadFile(path); err != nil || string(got) != c.content {
				t.Fatalf("Open touched the file: %v", err)
			}
			save(t, f, "a", "1")
			if got, err := os.ReadFile(path + ".corrupt"); err != nil || string(got) != c.content {
				t.Errorf("the old content was not kept aside: %v", err)
			}
			wantValue(t, open(t, path), "a", "1")
		})
	}
}

func TestACrashBeforeTheRenameLeavesTheOldContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	before := open(t, path)
	save(t, before, "a", "1")
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", []byte(`{"version":1,"val`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	wantValue(t, f, "a", "1")
	save(t, f, "a", "2")
	wantValue(t, open(t, path), "a", "2")
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}

func TestAFailedSaveKeepsTheFormerValue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(dir, "state.json"))
	save(t, f, "a", "1")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "new"} {
		if err := f.Save(name, []byte("2")); err == nil {
			t.Fatal("Save into a folder that is gone succeeded")
		}
	}
	wantValue(t, f, "a", "1")
	wantValue(t, f, "new", "")
}

func TestAFailedRenameLeavesNoTemporaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f := open(t, path)
	// A folder in the file's place makes the rename fail, for root too.
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Save("a", []byte("1")); err == nil {
		t.Fatal("Save over a folder succeeded")
	}
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	save(t, f, "a", "2") // it is well again by itself
	wantValue(t, open(t, path), "a", "2")
}

// Whoever may write in the folder cannot have us write elsewhere.
func TestLinksAreReplacedAndNotFollowed(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "state.json"), filepath.Join(dir, "victim")
	f := open(t, path)
	save(t, f, "a", "1")
	for _, err := range []error{
		os.WriteFile(victim, []byte("theirs"), 0o600), os.Remove(path), os.Symlink(victim, path), os.Symlink(victim, path+".tmp"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	save(t, f, "a", "2")
	if got, err := os.ReadFile(victim); err != nil || string(got) != "theirs" {
		t.Errorf("the victim holds %q, %v", got, err)
	}
	if about, err := os.Lstat(path); err != nil || !about.Mode().IsRegular() {
		t.Errorf("the state is %v, %v", about.Mode(), err)
	}
	wantValue(t, open(t, path), "a", "2")
}

func TestOpenRefusesAPlaceThatCannotHoldAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ rule, path string }{
		{"the path is a pipe, whose writer never comes", pipe},
		{"the folder does not exist", filepath.Join(dir, "none", "state.json")},
		{"the folder is a file", filepath.Join(file, "state.json")},
		{"the path is a folder", dir},
		// Nobody can create files here, root neither.
		{"the folder is read-only", "/proc/self/fdinfo/state.json"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if f, _, err := Open(c.path); err == nil || f != nil {
				t.Errorf("Open = %v, %v, want an error", f, err)
			}
		})
	}
}

func TestSaveRefusesWhatItCouldNotReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f := open(t, path)
	if err := f.Save("a", []byte("{")); err == nil {
		t.Error("a value that is not JSON was saved")
	}
	huge := append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, MaxSize)...), '"')
	if err := f.Save("a", huge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a value over MaxSize: %v, want %v", err, ErrTooLarge)
	}
	save(t, f, "b", "1")
	again := open(t, path)
	wantValue(t, again, "a", "")
	wantValue(t, again, "b", "1")
}

func TestLoadedBytesAreACopy(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "state.json"))
	save(t, f, "a", "[1]")
	got, _ := f.Load("a")
	got[1] = '9'
	wantValue(t, f, "a", "[1]")
}

func TestConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f := open(t, path)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprint("n", i)
			if err := f.Save(name, []byte(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
			if _, err := f.Load(name); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var l layout
	if err := json.Unmarshal(content, &l); err != nil || len(l.Values) != 8 {
		t.Errorf("%d values, %v; want 8", len(l.Values), err)
	}
}

// Two programs on one file: the first writes, the other reads, and neither overwrites
// what the other has saved.
func TestOneProcessWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	first := open(t, path)
	save(t, first, "a", "1")
	second := open(t, path)
	wantValue(t, second, "a", "1")
	if err := second.Save("a", []byte("2")); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("the second Save: %v, want %v", err, ErrTaken)
	}
	wantValue(t, second, "a", "1")
	save(t, first, "b", "3")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	save(t, second, "c", "4")
	wantValue(t, second, "b", "3")
	wantValue(t, open(t, path), "b", "3")
	if err := first.Save("b", []byte("5")); !errors.Is(err, ErrTaken) {
		t.Errorf("Save after Close: %v, want %v", err, ErrTaken)
	}
}

func TestALockThatSomebodyRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	first := open(t, path)
	save(t, first, "a", "1")
	remove := func() {
		t.Helper()
		if err := os.Remove(path + ".lock"); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	save(t, first, "a", "2") // nobody else wants it
	remove()
	second := open(t, path)
	save(t, second, "b", "3")
	if err := first.Save("a", []byte("4")); !errors.Is(err, ErrTaken) {
		t.Errorf("Save beside the new holder: %v, want %v", err, ErrTaken)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	save(t, first, "a", "5")
	wantValue(t, first, "b", "3")
}
