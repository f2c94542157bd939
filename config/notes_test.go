package config

import (
	"testing"
	"time"
)

// What has no effect is told with its place: what is over, and secrets that go nowhere.
func TestNotes(t *testing.T) {
	t.Parallel()
	c, err := Parse("c.yaml", []byte(`targets:
  - {host: a.example, headers: {X-Key: k}, basic_auth: {username: me, password: p}}
  - {host: b.example, headers: {X-Key: k}, addresses: [192.0.2.1]}
  - {host: c.example, bearer_token_file: t, service: ns/name}
  - host: d.example
    maintenance: [{from: 2026-01-01T00:00:00Z, until: 2026-01-02T00:00:00Z}, {from: "22:00", until: "23:00"}]
maintenance: [{from: 2026-01-01T00:00:00Z, until: 2027-01-02T00:00:00Z}]
alerts:
  silences:
    - {code: tls/*, until: 2026-06-01T00:00:00Z}
    - {code: tls/*, until: 2027-06-01T00:00:00Z}
`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	const over = "c.yaml:6:55: targets[3].maintenance[0].until: the window is over since 2026-01-02T00:00:00Z\n" +
		"c.yaml:10:28: alerts.silences[0].until: the silence is over since 2026-06-01T00:00:00Z"
	const nobody = "c.yaml:2:5: targets[0]: its headers, basic_auth will be sent to nobody\n"
	if got := c.Notes(now, false).Error(); got != nobody+over {
		t.Errorf("%s", got)
	}
	if got := c.Notes(now, true).Error(); got != over { // the cluster may know the Service
		t.Errorf("in a cluster:\n%s", got)
	}
	if got := c.Notes(now.Add(-300*24*time.Hour), true); len(got) > 0 {
		t.Errorf("before: %v", got)
	}
}
