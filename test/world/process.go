package world

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// readyWithin bounds every wait for a server; it is generous because machines
// that run tests are busy, and costs nothing when all is well.
const readyWithin = 30 * time.Second

// Process is one server in the foreground.
type Process struct {
	name    string
	command []string
	env     []string
	log     string // path of what it wrote
	cmd     *exec.Cmd
	done    chan struct{} // closed when cmd has been waited for
}

// newProcess is a server that does not run yet. name is unique in the test.
func newProcess(dir, name string, env []string, command ...string) *Process {
	command[0] = executable(command[0])
	return &Process{name: name, command: command, env: env, log: filepath.Join(dir, name+".log")}
}

// startProcess starts a server and arranges its end.
func startProcess(t testing.TB, dir, name string, env []string, command ...string) *Process {
	t.Helper()
	p := newProcess(dir, name, env, command...)
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, p.tail())
		}
	})
	p.Start(t)
	return p
}

// executable finds a program, also where servers lie that users do not start.
func executable(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return filepath.Join("/usr/sbin", name)
	}
	return path
}

// Start runs the server again after Stop. It does not wait until it is ready.
func (p *Process) Start(t testing.TB) {
	t.Helper()
	adoptOrphans(t)
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	// A file and not a pipe: a pipe that a child of the server inherits would
	// keep Wait from returning.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v (the packages these tests need are named in .ci/run)", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		defer close(done)
		// How a server ends says nothing that its log does not say better.
		_ = cmd.Wait()
	}()
}

// Stop ends the server and its children and waits for them. Its sockets are
// closed afterwards: what is sent there is refused. Stopping twice is harmless.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	group := -p.cmd.Process.Pid
	p.cmd = nil
	// A paused server cannot take notice of the end before it goes on.
	_ = syscall.Kill(group, syscall.SIGTERM)
	_ = syscall.Kill(group, syscall.SIGCONT)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		t.Errorf("%s did not end by itself", p.name)
	}
	if err := syscall.Kill(group, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("end %s: %v", p.name, err)
	}
	<-p.done
	for {
		// The children have become ours (see adoptOrphans).
		if _, err := syscall.Wait4(group, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// Kill ends the server and its children without a word to them.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Errorf("kill %s: %v", p.name, err)
	}
	p.Stop(t)
}

// adoptOrphans makes this process the parent of servers' children whose own
// parent has ended, so that Stop can wait for them too.
func adoptOrphans(t testing.TB) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatalf("become the parent of orphans: %v", err)
	}
}

// hangUp sends the signal at which most servers read their files again.
func (p *Process) hangUp(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(p.cmd.Process.Pid, syscall.SIGHUP); err != nil {
		t.Fatalf("reload %s: %v", p.name, err)
	}
}

// ended tells whether the server is gone.
func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail is the end of what the server wrote.
func (p *Process) tail() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	const enough = 4 << 10
	return bytes.TrimSpace(text[max(0, len(text)-enough):])
}

// ready polls until try succeeds, and fails the test at once when the server
// ends before.
func (p *Process) ready(t testing.TB, try func(context.Context) error) {
	t.Helper()
	err := Poll(t, readyWithin, func(ctx context.Context) error {
		if p.ended() {
			return errEnded
		}
		return try(ctx)
	})
	if err != nil {
		t.Fatalf("%s did not get ready: %v\n%s", p.name, err, p.tail())
	}
}

// errEnded ends a Poll early.
var errEnded = errors.New("the server ended")

// Poll calls try every few milliseconds until it succeeds, and returns its last
// error when the time is over.
func Poll(t testing.TB, limit time.Duration, try func(context.Context) error) error {
	t.Helper()
	return PollEvery(t, 20*time.Millisecond, limit, try)
}

// PollEvery is Poll for what costs too much to be tried so often.
func PollEvery(t testing.TB, pause, limit time.Duration, try func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := tryFor(ctx, time.Second, try)
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// tryFor bounds one attempt, so that one lost packet does not use up the limit.
func tryFor(ctx context.Context, limit time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return try(ctx)
}
