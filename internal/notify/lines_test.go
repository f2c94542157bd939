package notify

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

func TestLines(t *testing.T) {
	var out strings.Builder
	l := NewLines("stdout", &out, "prod", "https://driftprobe.example/")
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
	if err := NewLines("stdout", broken{full}, "", "").Send(t.Context(), Message{}); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// Nobody reads for a while: no other sink waits, the end of the program neither, and what was
// not taken is written again.
func TestALineThatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		l, p := NewLines("stdout", write, "", ""), &pipe{name: "a"}
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
