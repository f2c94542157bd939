package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
)

// Prometheus is a real one that scrapes each second.
type Prometheus struct {
	*Process
	url string
}

// StartPrometheus scrapes a target ("127.0.0.1:9798") under a job's name, with a file of
// rules.
func StartPrometheus(t testing.TB, job, target, rules string) *Prometheus {
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
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs: [{job_name: %s, static_configs: [{targets: [%q]}]}]\n", rules, job, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(own.Addr(1), port).String()
	return &Prometheus{
		Process: startProcess(t, dir, "prometheus", nil, "prometheus", "--config.file="+config,
			"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=warn"),
		url: "http://" + at,
	}
}

// Sample is one series of an answer.
type Sample struct {
	Labels map[string]string `json:"metric"`
}

// Query asks for an expression now.
func (p *Prometheus) Query(ctx context.Context, expr string) ([]Sample, error) {
	var answer struct {
		Result []Sample `json:"result"`
	}
	err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expr), &answer)
	return answer.Result, err
}

// Rule is one alert as Prometheus sees it.
type Rule struct {
	Name, State, Health, LastError string
}

// Rules are those that it has loaded.
func (p *Prometheus) Rules(ctx context.Context) ([]Rule, error) {
	var answer struct{ Groups []struct{ Rules []Rule } }
	err := p.get(ctx, "/api/v1/rules", &answer)
	var all []Rule
	for _, g := range answer.Groups {
		all = append(all, g.Rules...)
	}
	return all, err
}

func (p *Prometheus) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("prometheus: %s", strings.TrimSpace(answer.Error))
	}
	return json.Unmarshal(answer.Data, into)
}
