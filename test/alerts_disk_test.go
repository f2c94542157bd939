package test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk is a file system of its own.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestAFullDiskKeepsNoAlertBack fills the disk of the state, and kills the program: what was
// told cannot be known after that, and is told again; nothing is lost.
func TestAFullDiskKeepsNoAlertBack(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	l := startLane(t, laneSpec{seed: 402, hosts: 1, processes: 1, more: fmt.Sprintf("state: {file: %q}\n", filepath.Join(disk, "state.json"))})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.speaker.start(t.Context()))
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	door := l.doors[l.hosts[0]]
	must(door.shut())
	only(t, l.told(t, 1), "[critical]")
	l.speaker.end(os.Kill)
	must(l.speaker.start(t.Context()))
	only(t, l.told(t, 2), "[critical]", "[critical]")
	must(os.Remove(filler))
	must(door.open())
	only(t, l.told(t, 3), "[critical]", "[critical]", "[resolved]")
	l.speaker.end(os.Interrupt)
	must(l.speaker.start(t.Context()))
	must(door.shut())
	only(t, l.told(t, 4), "[critical]", "[critical]", "[resolved]", "[critical]")
	printed, err := os.ReadFile(l.speaker.log.Name())
	must(err)
	if log := string(printed); !strings.Contains(log, "alerts are told, but not kept over a restart") || !strings.Contains(log, "no space left") {
		t.Error("the log does not say that the disk is full")
	}
}
