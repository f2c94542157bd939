package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"driftprobe/test/world"
)

// TestTheAllClearSurvivesAKill ends the program without notice between the last look
// at wrong records and the first look at right ones. What the next run says of the
// caches is compared with what unbound then does.
func TestTheAllClearSurvivesAKill(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	world.SetNegativeTTL(w.Shop, 18)
	w.Balancer(t, w.New, w.CA.Issue(t, "*.shop.example"))
	// api changes; so does the end of www, behind an alias that expires before it and
	// stays; img is switched to another end; new does not exist at first.
	shop := func(addr netip.Addr, end string, more ...string) []string {
		return append(more, "api 20 IN A "+addr.String(), "www 8 IN CNAME lb.edge.example.", "img 14 IN CNAME "+end+".edge.example.")
	}
	edge := func(addr netip.Addr) []string {
		return []string{"lb 22 IN A " + addr.String(), "old 60 IN A " + w.Old.String(), "right 60 IN A " + w.New.String()}
	}
	world.Serve(t, w.Shop, shop(w.Old, "old")...)
	world.Serve(t, w.Edge, edge(w.Old)...)
	hosts := []string{"api.shop.example", "img.shop.example", "new.shop.example", "www.shop.example"}

	p := watch(t, w, hosts)
	p.await(t, "every host to be found wrong", func(r report) bool {
		return len(r.all("dns/stale-record")) == 3 && len(r.all("dns/no-record")) == 1
	})
	p.awaitState(t, hosts)
	p.kill(t)

	primed := time.Now()
	for _, host := range hosts {
		held, err := world.Ask(t.Context(), w.Resolver.Addr, host)
		if denied := host == "new.shop.example"; denied != (err != nil) || !denied && !slices.Equal(held.Addresses, []netip.Addr{w.Old}) {
			t.Fatalf("unbound says %v of %s: %v", held.Addresses, host, err)
		}
	}
	var change sync.WaitGroup
	for _, a := range w.Shop {
		change.Go(func() { a.Serve(t, shop(w.New, "right", "new 20 IN A "+w.New.String())...) })
	}
	for _, a := range w.Edge {
		change.Go(func() { a.Serve(t, edge(w.New)...) })
	}
	change.Wait()
	p.start(t)
	// Each host's own first word counts: on a busy machine the last may come when the
	// first has drained.
	computed, held, told := map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}
	r := p.await(t, "every host to drain", func(r report) bool {
		for _, f := range r.all("dns/draining") {
			if host := f.Subject.Host; computed[host].IsZero() {
				computed[host], told[host] = f.ClearBy, r.At
			}
		}
		for _, f := range r.all("dns/cached-stale") {
			if host := f.Subject.Host; held[host].IsZero() {
				held[host] = f.ClearBy
			}
		}
		return len(computed) == len(hosts) && len(held) == len(hosts)
	})
	r.none(t, "dns/stale-record", "dns/no-record", "dns/missing-record")
	for host, real := range awaitRight(t, w, hosts) {
		ignorant := told[host].Sub(primed) // nobody looked in between
		t.Logf("%s: computed %+.1f s, measured %+.1f s beside unbound, after %.1f s without a look", host, computed[host].Sub(real).Seconds(), held[host].Sub(real).Seconds(), ignorant.Seconds())
		within(t, "the computed end of "+host, computed[host], real, real.Add(ignorant))
		within(t, "the measured end of "+host, held[host], real, real)
	}
	p.await(t, "the all-clear", func(r report) bool { return len(r.Incidents) == 0 })
}

// awaitRight returns when unbound was first seen to give the new address of each host.
func awaitRight(t *testing.T, w *world.World, hosts []string) map[string]time.Time {
	t.Helper()
	right := map[string]time.Time{}
	err := world.Poll(t, time.Minute, func(ctx context.Context) error {
		for _, host := range hosts {
			answer, err := world.Ask(ctx, w.Resolver.Addr, host)
			if right[host].IsZero() && err == nil && slices.Equal(answer.Addresses, []netip.Addr{w.New}) {
				right[host] = answer.At
			}
		}
		if len(right) < len(hosts) {
			return fmt.Errorf("only %v are right", right)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("wait for unbound: %v", err)
	}
	return right
}

// watcher is driftprobe as a service, looking every second.
type watcher struct {
	args, env  []string
	url, state string
	cmd        *exec.Cmd
	log        bytes.Buffer
	pause      time.Duration // from one look at its page to the next, at least
}

// watch starts driftprobe on hosts that should all be at the new address.
func watch(t *testing.T, w *world.World, hosts []string) *watcher {
	t.Helper()
	var targets strings.Builder
	for _, h := range hosts {
		fmt.Fprintf(&targets, "  - {host: %s, addresses: [%q]}\n", h, w.New)
	}
	return serve(t, w.Net, fmt.Sprintf(`interval: 1s
timeout: 1s
dns: {root_servers: [%s], resolvers: [%s], timeout: 1s}
tls: {ca_file: %q}
probe: {allow_addresses: [127.0.0.0/8]}
kubernetes: {enabled: false}
targets:
%s`, w.Root, w.Resolver.Addr, w.CA.RootFile, targets.String()))
}

// serve starts driftprobe as a service with a configuration, to which a state file
// is added.
func serve(t *testing.T, n world.Net, text string) *watcher {
	t.Helper()
	return serveAt(t, n.Addr(40), text)
}

// serveAt has its page at an address, for tests that start several, and perhaps more
// arguments. A place of the state in the configuration stands.
func serveAt(t *testing.T, page netip.Addr, text string, more ...string) *watcher {
	t.Helper()
	dir := t.TempDir()
	p := &watcher{state: filepath.Join(dir, "state.json"), url: fmt.Sprintf("http://%s:9798", page)}
	config := filepath.Join(dir, "driftprobe.yaml")
	if !strings.Contains(text, "\nstate:") {
		text = fmt.Sprintf("state: {file: %q}\n%s", p.state, text)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.args = append([]string{"--config", config, "--web.listen-address", page.String() + ":9798"}, more...)
	t.Cleanup(func() {
		p.kill(t)
		if t.Failed() {
			t.Logf("driftprobe wrote:\n%s", p.log.String())
		}
	})
	p.start(t)
	return p
}

func (p *watcher) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(binary, p.args...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, p.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill is kill -9.
func (p *watcher) kill(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = p.cmd.Wait() // it ends by the signal
	p.cmd = nil
}

// document is what the page /api/v1/snapshot gives: the part that tests read.
type document struct {
	Report   report
	Snapshot struct {
		Inventory    stock
		Observations struct{ Clouds []struct{ At time.Time } }
	}
}

// await returns the first report that fits.
func (p *watcher) await(t *testing.T, what string, fits func(report) bool) report {
	t.Helper()
	return p.awaitDocument(t, what, 40*time.Second, func(d document) bool { return fits(d.Report) }).Report
}

// awaitDocument returns the first document that fits.
func (p *watcher) awaitDocument(t *testing.T, what string, limit time.Duration, fits func(document) bool) document {
	t.Helper()
	var seen document
	err := world.PollEvery(t, max(p.pause, 20*time.Millisecond), limit, func(ctx context.Context) error {
		text, err := p.get(ctx, "/api/v1/snapshot")
		if err != nil {
			return err
		}
		seen = document{}
		if err := json.Unmarshal(text, &seen); err != nil {
			return err
		}
		if !fits(seen) {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("wait for %s: %v\n%s", what, err, indent(seen))
	}
	return seen
}

func (p *watcher) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return body, err
}

// awaitState returns when the state file holds something of every host.
func (p *watcher) awaitState(t *testing.T, hosts []string) {
	t.Helper()
	err := world.Poll(t, 20*time.Second, func(context.Context) error {
		text, err := os.ReadFile(p.state)
		for _, h := range hosts {
			if err == nil && !bytes.Contains(text, []byte(h)) {
				err = errors.New("it does not hold " + h)
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("wait for the state file: %v", err)
	}
}
