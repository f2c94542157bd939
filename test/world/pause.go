package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Pause freezes the server and its children: the system goes on taking packets
// and connections for it, and nothing answers. It returns when the last thread
// stands still. Stop ends a paused server too.
func (p *Process) Pause(t testing.TB) {
	t.Helper()
	group := p.cmd.Process.Pid
	if err := syscall.Kill(-group, syscall.SIGSTOP); err != nil {
		t.Fatalf("pause %s: %v", p.name, err)
	}
	err := Poll(t, readyWithin, func(context.Context) error { return stoodStill(group) })
	if err != nil {
		t.Fatalf("pause %s: %v", p.name, err)
	}
}

// stoodStill returns an error while a thread of the process group runs. A signal
// reaches threads one after the other, after kill(2) has returned.
func stoodStill(group int) error {
	threads, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/stat")
	if err != nil {
		return err
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		// "pid (name) state parent group …", see proc(5); the name may hold anything.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "T" && fields[0] != "Z" {
			return fmt.Errorf("%s is in state %s", path, fields[0])
		}
	}
	return nil
}
