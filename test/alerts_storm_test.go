package test

import (
	"context"
	"strings"
	"testing"
	"time"
)

// startHundred starts the program on 100 hosts that are all well, with an ordinary patience.
func startHundred(t *testing.T, seed uint64, oneDoor bool) *lane {
	t.Helper()
	l := startLane(t, laneSpec{seed: seed, hosts: 100, processes: 1, calm: true, oneDoor: oneDoor})
	if err := l.speaker.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// told returns the first lines of all that Slack has taken, once there are n. The webhook
// has taken as many.
func (l *lane) told(t *testing.T, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	messages, err := l.slack.Wait(ctx, n)
	if err != nil {
		t.Error(err)
	}
	var all []string
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return all
}

// only expects exactly these beginnings, in order.
func only(t *testing.T, told []string, want ...string) {
	t.Helper()
	for i, text := range told {
		if i >= len(want) || !strings.HasPrefix(text, want[i]) {
			t.Errorf("message %d: %s", i, text)
		}
	}
	if len(told) != len(want) {
		t.Errorf("%d messages, want %d", len(told), len(want))
	}
}

// TestOwnNetworkDownIsOneAlert: our own network is down, with 100 targets; the way to Slack
// is another one. What is told afterwards, of one host, shows that nothing was between.
func TestOwnNetworkDownIsOneAlert(t *testing.T) {
	t.Parallel()
	l := startHundred(t, 400, false)
	mend := l.net.Cut(t)
	only(t, l.told(t, 1), "[unknown] nothing that was asked has answered")
	mend()
	only(t, l.told(t, 2), "[unknown] nothing that was asked has answered", "[resolved] driftprobe had no network from")
	door := l.doors[l.hosts[7]]
	if err := door.shut(); err != nil {
		t.Fatal(err)
	}
	l.told(t, 3)
	if err := door.open(); err != nil {
		t.Fatal(err)
	}
	told := l.told(t, 4)
	only(t, told, "[unknown]", "[resolved] driftprobe had no network from", "[critical]", "[resolved]")
	for _, text := range told[min(len(told), 2):] {
		if !strings.Contains(text, l.hosts[7]) {
			t.Errorf("not of the host that failed: %s", text)
		}
	}
	for _, text := range told {
		t.Log(text)
	}
}

// TestOneBalancerLostIsOneIncident: what 100 names point at is gone, and comes back.
func TestOneBalancerLostIsOneIncident(t *testing.T) {
	t.Parallel()
	l := startHundred(t, 401, true)
	door := l.doors[l.hosts[0]]
	for range 2 { // the second time shows that nothing was left to say of the first
		if err := door.shut(); err != nil {
			t.Fatal(err)
		}
		l.told(t, l.slack.Messages.Len()+1)
		if err := door.open(); err != nil {
			t.Fatal(err)
		}
		l.told(t, l.slack.Messages.Len()+1)
	}
	told := l.told(t, 4)
	only(t, told, "[critical]", "[resolved]", "[critical]", "[resolved]")
	for _, text := range told {
		if !strings.Contains(text, "100 hostnames") {
			t.Errorf("not one incident of all: %s", text)
		}
		t.Log(text)
	}
}
