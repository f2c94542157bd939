package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

func amtool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "amtool", args...).CombinedOutput()
	if err != nil {
		t.Errorf("amtool %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// awaitAlerts returns the alerts of an Alertmanager, by host, once they are of exactly these
// hosts.
func awaitAlerts(t *testing.T, m *manager, hosts ...string) map[string]world.Alert {
	t.Helper()
	var found map[string]world.Alert
	err := world.PollEvery(t, 100*time.Millisecond, time.Minute, func(ctx context.Context) error {
		all, err := m.Alerts(ctx)
		if err != nil {
			return err
		}
		found = map[string]world.Alert{}
		for _, a := range all {
			found[hostIn.FindString(a.Annotations["hosts"])] = a
		}
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, hosts) || len(all) != len(hosts) {
			return fmt.Errorf("%d alerts of %q, want those of %q", len(all), got, hosts)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestARealAlertmanager tells two instances of what begins and ends; one of them is
// restarted meanwhile, and forgets all.
func TestARealAlertmanager(t *testing.T) {
	t.Parallel()
	a, b := startManager(t, "one"), startManager(t, "two")
	l := startLane(t, laneSpec{seed: 300, hosts: 2, processes: 1, more: fmt.Sprintf("  external_url: https://driftprobe.example/\n  alertmanager: {urls: [%q, %q]}\n", a.URL, b.URL)})
	if err := l.speaker.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	shut := func(host string) {
		if err := l.doors[host].shut(); err != nil {
			t.Fatal(err)
		}
	}
	first, second := l.hosts[0], l.hosts[1]
	began := time.Now()
	shut(first)
	at := awaitAlerts(t, a, first)[first]
	awaitAlerts(t, b, first)
	want := map[string]string{
		"alertname": "driftprobe", "code": at.Labels["code"], "severity": "critical", "incident": at.Labels["incident"], "cluster": "lane-300",
	}
	if !maps.Equal(at.Labels, want) || at.Labels["code"] == "" || at.Labels["incident"] == "" {
		t.Errorf("labels %v", at.Labels)
	}
	if !strings.Contains(at.Annotations["summary"], "hostname") || at.StartsAt.Before(began.Add(-time.Minute)) || at.EndsAt.Before(began.Add(3*time.Minute)) {
		t.Errorf("%+v", at)
	}

	b.Stop(t)
	shut(second)
	later := awaitAlerts(t, a, first, second)[first]
	if !maps.Equal(later.Labels, at.Labels) || !later.StartsAt.Equal(at.StartsAt) || !later.EndsAt.After(at.EndsAt) {
		t.Errorf("told again it is %+v, before %+v", later, at)
	}
	b.Start(t)
	awaitAlerts(t, b, first, second)

	var queried []world.Alert
	text := amtool(t, "--alertmanager.url="+a.URL, "alert", "query", "-o", "json", "alertname=driftprobe", "severity=critical")
	if err := json.Unmarshal([]byte(text), &queried); err != nil || len(queried) != 2 {
		t.Errorf("amtool shows %s (%v)", text, err)
	}

	// After kill -9 they are the same alerts, told on.
	l.speaker.end(os.Kill)
	if err := l.speaker.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := world.PollEvery(t, 100*time.Millisecond, time.Minute, func(ctx context.Context) error {
		all, err := a.Alerts(ctx)
		if err != nil {
			return err
		}
		if len(all) != 2 {
			return fmt.Errorf("%d alerts, want 2", len(all))
		}
		for _, now := range all {
			if hostIn.FindString(now.Annotations["hosts"]) == first && (!maps.Equal(now.Labels, at.Labels) || !now.StartsAt.Equal(at.StartsAt)) {
				t.Errorf("after kill -9 it is %+v", now)
			}
			if !now.EndsAt.After(later.EndsAt) {
				return errors.New("not told on")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, host := range l.hosts {
		if err := l.doors[host].open(); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []*manager{a, b} {
		awaitAlerts(t, m)
		err := world.Poll(t, time.Minute, func(context.Context) error {
			var told []string
			for _, n := range m.arrived(t, "lane-300") {
				told = append(told, n.entry())
			}
			slices.Sort(told)
			if m == b {
				told = slices.Compact(told) // it was restarted, and may say again what fires
			}
			if !slices.Equal(told, []string{first + " firing", first + " resolved", second + " firing", second + " resolved"}) {
				return errors.New(strings.Join(told, ", "))
			}
			return nil
		})
		if err != nil {
			t.Errorf("it told %v", err)
		}
	}
}

// TestAnAlertmanagerThatWasAway misses an end, and a whole incident. When it is back, people are
// told the end; of what began and ended meanwhile it has the alert and says nothing: that is how
// an Alertmanager treats what has ended before it spoke of it.
func TestAnAlertmanagerThatWasAway(t *testing.T) {
	t.Parallel()
	m := startManager(t, "away")
	l := startLane(t, laneSpec{seed: 301, hosts: 2, processes: 1, manager: m})
	if err := l.speaker.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	turn := func(told int, act func() error) {
		t.Helper()
		if err := act(); err != nil {
			t.Fatal(err)
		}
		l.told(t, told)
	}
	first, second := l.hosts[0], l.hosts[1]
	turn(1, l.doors[first].shut)
	awaitAlerts(t, m, first)
	awaitTold(t, m, "lane-301", first+" firing")
	m.Stop(t)
	turn(2, l.doors[first].open)
	turn(3, l.doors[second].shut)
	turn(4, l.doors[second].open)
	m.Start(t)
	m.AwaitReady(t)
	awaitTold(t, m, "lane-301", first+" firing", first+" resolved")
	err := world.Poll(t, time.Minute, func(ctx context.Context) error {
		text, err := m.Metrics(ctx)
		if want := `alertmanager_alerts_received_total{status="resolved",version="v2"} 2`; err == nil && !strings.Contains(text, "\n"+want+"\n") {
			err = errors.New("it was not told both ends")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	awaitAlerts(t, m)
	awaitTold(t, m, "lane-301", first+" firing", first+" resolved")
}

// awaitTold waits until people were told exactly this of a cluster.
func awaitTold(t *testing.T, m *manager, cluster string, want ...string) {
	t.Helper()
	err := world.Poll(t, time.Minute, func(context.Context) error {
		var told []string
		for _, a := range m.arrived(t, cluster) {
			told = append(told, a.entry())
		}
		if !slices.Equal(told, want) {
			return fmt.Errorf("it told %q, want %q", told, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
