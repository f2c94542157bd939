package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

func TestLines(t *testing.T) {
	var out strings.Builder
	l := NewLines("stdout", NewOutput(&out), "prod", "https://driftprobe.example/")
	hostile := "a \x1b[31m\nline"
	for _, key := range []string{"x@1", "x@2"} {
		if err := l.Send(t.Context(), Message{Key: key, Kind: Firing, Incident: finding.Incident{Cause: hostile}}); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.SplitAfter(out.String(), "\n")
	var h Hook
	if err := json.Unmarshal([]byte(lines[1]), &h); err != nil || len(lines) != 3 || h.Key != "x@2" || h.Cluster != "prod" || h.Incident.Cause != hostile {
		t.Errorf("%d lines, the second %+v (%v)", len(lines)-1, h, err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("a terminal would obey it")
	}
	full := errors.New("disk full")
	if err := NewLines("stdout", NewOutput(broken{full}), "", "").Send(t.Context(), Message{}); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
}

// A disk that is full takes a part of a line. What is written next begins on a line of its
// own, whoever writes it: the configuration may have been loaded again.
func TestATornLine(t *testing.T) {
	disk := &disk{}
	out := NewOutput(disk)
	message := func(key string) Message { return Message{Key: key, Kind: Firing} }
	for _, disk.room = range []int{40, 0, 1} {
		if err := NewLines("stdout", out, "", "").Send(t.Context(), message("x@1")); !errors.Is(err, errFull) {
			t.Fatalf("%v, want %v", err, errFull)
		}
	}
	disk.room = 1 << 20
	for _, key := range []string{"x@1", "x@2"} {
		if err := NewLines("stdout", out, "", "").Send(t.Context(), message(key)); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(disk.String(), "\n")
	if len(lines) != 4 || lines[3] != "" {
		t.Fatalf("%q, want the torn line and two more", lines)
	}
	for n, key := range []string{"x@1", "x@2"} {
		var h Hook
		if err := json.Unmarshal([]byte(lines[n+1]), &h); err != nil || h.Key != key {
			t.Errorf("%q: %v", lines[n+1], err)
		}
	}
}

// disk takes as many bytes as it has room for.
type disk struct {
	strings.Builder
	room int
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(b []byte) (int, error) {
	n, _ := d.Builder.Write(b[:min(len(b), d.room)])
	if d.room -= n; n < len(b) {
		return n, errFull
	}
	return n, nil
}

// While nobody reads one write waits, however often the configuration is loaded again.
func TestOnlyOneWriteWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int32
		read := make(chan struct{})
		out := NewOutput(writer(func(b []byte) (int, error) { writes.Add(1); <-read; return len(b), nil }))
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := NewLines("stdout", out, "", "").Send(ctx, Message{}); err == nil {
				t.Error("the line has arrived at nobody")
			}
			cancel()
		}
		if n := writes.Load(); n != 1 {
			t.Errorf("%d writes wait", n)
		}
		close(read)
	})
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// Nobody reads for a while: no other sink waits, the end of the program neither, and what was
// not taken is written again.
func TestALineThatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		l, p := NewLines("stdout", NewOutput(write), "", ""), &pipe{name: "a"}
		o := newOutbox(t, nil, l, p)
		observe(t, o, "x")
		run(t, o, 5*time.Minute)
		wantArrived(t, p, "firing x")
		if d := o.Deliveries()[0]; d.Queued != 1 || d.Failed < 2 {
			t.Errorf("%+v", d)
		}
		var got int
		go func() {
			b := make([]byte, 1<<16)
			for {
				if _, err := read.Read(b); err != nil {
					return
				}
				got++
			}
		}()
		run(t, o, 5*time.Minute)
		if d := o.Deliveries()[0]; d.Queued != 0 || d.Sent != 1 {
			t.Errorf("%+v", d)
		}
		_ = read.Close()
		synctest.Wait()
		if got != 2 {
			t.Errorf("%d lines, want the one that hung and the one that is known to be taken", got)
		}
	})
}
