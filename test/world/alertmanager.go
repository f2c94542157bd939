package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"driftprobe/internal/lab"
)

// Alertmanager is a real one that has no cluster, and tells a webhook of each alert at once.
type Alertmanager struct {
	*Process
	URL string
}

// Alert is one that it has, as its API shows it.
type Alert struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
	Status              struct{ State string }
}

// StartAlertmanager starts one under a name that is unique in the test; receiver is a URL.
func StartAlertmanager(t testing.TB, name, receiver string) *Alertmanager {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	port, err := lab.FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	text := fmt.Sprintf(`route: {receiver: there, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 24h}
receivers: [{name: there, webhook_configs: [{url: %q, send_resolved: true}]}]
`, receiver)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(loopback, port).String()
	a := &Alertmanager{
		Process: startProcess(t, dir, name, nil, "prometheus-alertmanager", "--config.file="+config,
			"--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--cluster.listen-address=", "--log.level=warn"),
		URL: "http://" + at,
	}
	a.AwaitReady(t)
	return a
}

// AwaitReady waits until it takes alerts.
func (a *Alertmanager) AwaitReady(t testing.TB) {
	t.Helper()
	err := Poll(t, readyWithin, func(ctx context.Context) error {
		_, err := a.Alerts(ctx)
		return err
	})
	if err != nil {
		t.Fatalf("start Alertmanager: %v", err)
	}
}

// Alerts are those that have not ended.
func (a *Alertmanager) Alerts(ctx context.Context) ([]Alert, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/api/v2/alerts", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("alertmanager: %s", resp.Status)
	}
	var all []Alert
	err = json.NewDecoder(resp.Body).Decode(&all)
	return all, err
}
