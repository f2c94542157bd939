package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// place is where alerts arrive.
type place struct {
	name    string
	arrived func() []arrival
}

// listen starts the places, and returns what the configuration says of Alertmanager.
func (l *lane) listen(t *testing.T, spec laneSpec, dir string) string {
	t.Helper()
	slack, err := lab.NewSlack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slack.Close() })
	hook := world.StartHook(t, hookKey)
	for name, text := range map[string]string{"slack": slack.URL(), "hook": hook.URL + hookPath, "key": hookKey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.slack, l.hook = slack, hook
	l.places = []place{
		{"Slack", func() []arrival {
			var all []arrival
			for _, m := range slack.Messages.All() {
				all = append(all, slackArrival(m.At, m.Text))
			}
			return all
		}},
		{"webhook", func() []arrival {
			var all []arrival
			for _, d := range hook.Taken() {
				a, err := hookArrival(d.At, d.Body)
				if err != nil {
					t.Errorf("the webhook got %s: %v", d.Body, err)
				}
				all = append(all, a)
			}
			return all
		}},
	}
	if spec.manager == nil {
		return ""
	}
	l.relay = world.StartRelay(t, spec.manager.URL)
	name := fmt.Sprintf("lane-%d", spec.seed)
	l.places = append(l.places, place{"Alertmanager", func() []arrival { return spec.manager.arrived(t, name) }})
	return fmt.Sprintf("  alertmanager: {urls: [%q]}\n", l.relay.URL)
}

// manager is a real Alertmanager, and what it tells.
type manager struct {
	*world.Alertmanager
	tells *world.Hook
}

// startManager starts one under a name that is unique in the test.
func startManager(t *testing.T, name string) *manager {
	t.Helper()
	tells := world.StartHook(t, "")
	return &manager{world.StartAlertmanager(t, name, tells.URL), tells}
}

// arrived is what it has told of one lane's cluster.
func (m *manager) arrived(t *testing.T, cluster string) []arrival {
	t.Helper()
	var all []arrival
	for _, d := range m.tells.Taken() {
		var told struct {
			Alerts []struct {
				Status              string
				Labels, Annotations map[string]string
			}
		}
		if err := json.Unmarshal(d.Body, &told); err != nil {
			t.Errorf("Alertmanager told %s: %v", d.Body, err)
		}
		for _, a := range told.Alerts {
			if a.Labels["cluster"] == cluster {
				all = append(all, arrival{d.At, hostIn.FindString(a.Annotations["hosts"]), a.Status == "resolved", a.Status + " " + a.Labels["incident"]})
			}
		}
	}
	return all
}
