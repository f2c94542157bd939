package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	own, err := lab.RandomNet() // on 127.0.0.1 anybody may take the port before it does
	if err != nil {
		t.Fatal(err)
	}
	port, err := lab.FreePort(own.Addr(1))
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
	at := netip.AddrPortFrom(own.Addr(1), port).String()
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
	text, err := a.get(ctx, "/api/v2/alerts")
	if err != nil {
		return nil, err
	}
	var all []Alert
	err = json.Unmarshal(text, &all)
	return all, err
}

// Metrics are those of its own.
func (a *Alertmanager) Metrics(ctx context.Context) (string, error) {
	text, err := a.get(ctx, "/metrics")
	return string(text), err
}

func (a *Alertmanager) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("alertmanager: %s", resp.Status)
	}
	return text, err
}
