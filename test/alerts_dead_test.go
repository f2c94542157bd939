package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// rotate replaces a secret as Kubernetes does: in one step.
func (l *lane) rotate(t *testing.T, name, text string) {
	t.Helper()
	at := filepath.Join(filepath.Dir(l.speaker.log.Name()), name)
	if err := errors.Join(os.WriteFile(at+".new", []byte(text), 0o600), os.Rename(at+".new", at)); err != nil {
		t.Fatal(err)
	}
}

// awaitMetrics waits until the page has all the lines.
func (l *lane) awaitMetrics(t *testing.T, lines ...string) {
	t.Helper()
	err := world.Poll(t, time.Minute, func(ctx context.Context) error {
		text, err := l.speaker.get(ctx, "/metrics")
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line+"\n") {
				err = errors.Join(err, fmt.Errorf("there is no %s", line))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestADeadHookIsLoudAndIsMended revokes both hooks. They are replaced while the program runs,
// that of the webhook by another one that is dead too at first.
func TestADeadHookIsLoudAndIsMended(t *testing.T) {
	t.Parallel()
	beats := world.StartHook(t, "")
	l := startLane(t, laneSpec{seed: 403, hosts: 1, processes: 1, more: "  heartbeat: {url_file: beat, every: 1s}\n"})
	l.rotate(t, "beat", beats.URL)
	if err := l.speaker.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone, found := world.StartHook(t, hookKey), world.StartHook(t, hookKey)
	l.slack.SetFault(lab.HTTPStatus(http.StatusNotFound, "no_service"))
	l.hook.SetFault(lab.HTTPStatus(http.StatusForbidden, ""))
	gone.SetFault(lab.HTTPStatus(http.StatusGone, ""))
	door := l.doors[l.hosts[0]]
	if err := door.shut(); err != nil {
		t.Fatal(err)
	}
	const dead, queued = "driftprobe_notification_sink_dead{sink=%q} %d", "driftprobe_notifications_queued{sink=%q} %d"
	for _, sink := range []string{"slack", "webhook/ledger"} {
		l.awaitMetrics(t, fmt.Sprintf(dead, sink, 1), fmt.Sprintf(queued, sink, 1))
	}
	before := len(beats.Taken())
	err := world.Poll(t, time.Minute, func(context.Context) error {
		if n := len(beats.Taken()) - before; n < 12 {
			return fmt.Errorf("%d heartbeats", n)
		}
		return nil
	})
	if n := l.slack.Requests.Len(); err != nil || n != 1 {
		t.Errorf("12 s later the dead hook was asked %d times, want once (%v)", n, err)
	}

	l.rotate(t, "hook", gone.URL+"/sesame-gone")
	l.awaitMetrics(t, `driftprobe_notifications_total{result="failed",sink="webhook/ledger"} 2`)
	l.rotate(t, "hook", found.URL+"/sesame-found")
	other, err := lab.NewSlack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	l.rotate(t, "slack", other.URL())
	for _, sink := range []string{"slack", "webhook/ledger"} {
		l.awaitMetrics(t, fmt.Sprintf(dead, sink, 0), fmt.Sprintf(queued, sink, 0))
	}
	if err := door.open(); err != nil {
		t.Fatal(err)
	}
	l.slack = other
	only(t, l.told(t, 2), "[critical]", "[resolved]")
	err = world.Poll(t, time.Minute, func(context.Context) error {
		var told []string
		for _, d := range found.Taken() {
			a, err := hookArrival(d.At, d.Body)
			told = append(told, a.entry())
			if err != nil {
				return err
			}
		}
		if got := strings.Join(told, ", "); got != l.hosts[0]+" firing, "+l.hosts[0]+" resolved" {
			return errors.New(got)
		}
		return nil
	})
	if err != nil {
		t.Errorf("the webhook that is found was told %v", err)
	}
	printed, err := os.ReadFile(l.speaker.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	log := string(printed)
	for _, answer := range []string{"slack answered 404 no_service", "answered 403", "answered 410"} {
		if n := strings.Count(log, answer); n != 1 {
			t.Errorf("the log says %d times %q, want once", n, answer)
		}
	}
	if strings.Count(log, "level=ERROR msg=\"alert not delivered\"") != 3 || strings.Count(log, "alert delivered after all") != 2 {
		t.Errorf("the log is not loud, or does not say that it works again:\n%s", log)
	}
	for _, secret := range []string{"sesame", "labsecret"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}
