package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// lane is a small world of hosts, each at an address of its own, the program that
// watches it, and the place where its alerts arrive. Several run side by side, because
// a sink is sent one message a second.
type lane struct {
	net     world.Net
	slack   *lab.Slack
	hook    *world.Hook
	relay   *world.Hook // to an Alertmanager; nil: none
	places  []place
	hosts   []string
	doors   map[string]*door
	speaker *speaker
	heirs   []*speaker
	ledger  *ledger
	rng     *rand.Rand
}

// door is where a host listens. It is shut for an incident.
type door struct {
	at netip.AddrPort
	ln net.Listener
}

func (d *door) open() error {
	ln, err := net.Listen("tcp", d.at.String())
	if err != nil {
		return err
	}
	d.ln = ln
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close() // it was asked only whether it is there
		}
	}()
	return nil
}

func (d *door) shut() error { return d.ln.Close() }

// speaker is one process of the program.
type speaker struct {
	args []string
	url  string
	log  *os.File
	cmd  *exec.Cmd
}

// start returns when the program has looked at everything once.
func (p *speaker) start(ctx context.Context) error {
	p.cmd = exec.Command(binary, p.args...)
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(p.log.Name())}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	limit := time.Now().Add(time.Minute)
	for {
		err := p.ready(ctx)
		if err == nil || ctx.Err() != nil || time.Now().After(limit) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (p *speaker) ready(ctx context.Context) error {
	_, err := p.get(ctx, "/-/ready")
	return err
}

// get returns a page.
func (p *speaker) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(body), err
}

// end sends a signal and waits.
func (p *speaker) end(s os.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s) // it may have ended
	_ = p.cmd.Wait()            // by the signal
	p.cmd = nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// laneSpec says what a lane is made of.
type laneSpec struct {
	seed      uint64
	hosts     int
	more      string // added to the configuration, after its sections of alerts
	processes int
	manager   *manager // nil: none
	calm      bool     // an incident is told when it was there for a while; otherwise at once
	oneDoor   bool     // all hosts are at one address
}

// speed says how often is looked, and how soon told. A door that is shut refuses at once. The
// long timeouts are for machines that are so busy that one that is open seems silent.
func (s laneSpec) speed() (looks, dns, alerts string) {
	if s.calm {
		return "interval: 2s\ntimeout: 2s\n", "interval: 4s, timeout: 2s", "  pending: {critical: 12s, warning: 12s}\n  resolve_after: 5s\n"
	}
	return "interval: 5s\ntimeout: 5s\n", "interval: 30s, timeout: 5s", "  pending: {critical: 0s, warning: 0s}\n  resolve_after: 0s\n"
}

// What no log may show.
const hookKey, hookPath = "sesame-key", "/sesame-hook"

// startLane prepares hosts, processes, and where their alerts arrive; nothing of the program
// runs yet.
func startLane(t *testing.T, spec laneSpec) *lane {
	t.Helper()
	l := &lane{doors: map[string]*door{}, rng: rand.New(rand.NewPCG(spec.seed, 6)), ledger: &ledger{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n := world.Claim(t)
	dir := t.TempDir()
	managers := l.listen(t, spec, dir)
	l.net = n
	tree, targets := l.populate(t, n, spec)
	more, state := spec.more, "state: {file: state.json}\n"
	if strings.Contains(more, "state:") {
		state = ""
	}
	looks, dns, alerts := spec.speed()
	text := fmt.Sprintf(`%sprobe: {allow_addresses: [127.0.0.0/8]}
dns: {%s, root_servers: [%s], port: %d, resolvers: []}
alerts:
%s  repeat: 0s
  cluster_name: lane-%d
  slack: {webhook_url_file: slack}
  webhooks: [{name: ledger, url_file: hook, key_file: key}]
%s%s%stargets:
%s`, looks, dns, tree.Roots()[0], tree.Port(), alerts, spec.seed, managers, more, state, targets)
	if !strings.Contains(more, "kubernetes:") {
		text = "kubernetes: {enabled: false}\n" + text
	}
	must(os.WriteFile(filepath.Join(dir, "driftprobe.yaml"), []byte(text), 0o600))
	for i := range spec.processes {
		p := &speaker{}
		page := n.Addr(byte(240 + i))
		port, err := lab.FreePort(page)
		must(err)
		at := netip.AddrPortFrom(page, port).String()
		p.args = []string{"--config", filepath.Join(dir, "driftprobe.yaml"), "--web.listen-address", at, "--log.level", "debug"}
		p.url = "http://" + at
		p.log, err = os.Create(filepath.Join(dir, fmt.Sprintf("log-%d", i)))
		must(err)
		t.Cleanup(func() {
			p.end(os.Kill)
			if written, err := os.ReadFile(p.log.Name()); err == nil && t.Failed() {
				t.Logf("the last that %s wrote:\n%s", filepath.Base(p.log.Name()), written[max(0, len(written)-4000):])
			}
		})
		l.heirs = append(l.heirs, p)
	}
	l.speaker = l.heirs[0]
	return l
}

// openDoors opens one at each address, on one port; or the same for all.
func openDoors(t *testing.T, at []netip.Addr, same bool) []*door {
	t.Helper()
	var err error
	for range 5 { // a port that was free can be taken until it is opened
		var port uint16
		if port, err = lab.FreePort(at...); err != nil {
			break
		}
		var doors []*door
		for i, a := range at {
			if same && i > 0 {
				doors = append(doors, doors[0])
				continue
			}
			d := &door{at: netip.AddrPortFrom(a, port)}
			if err = d.open(); err != nil {
				break
			}
			t.Cleanup(func() { _ = d.ln.Close() }) // it may be shut
			doors = append(doors, d)
		}
		if err == nil {
			return doors
		}
		for _, d := range doors {
			_ = d.shut() // they are tried elsewhere
		}
	}
	t.Fatal(err)
	return nil
}

// populate makes the hosts, their zone and their doors, and returns the targets as YAML.
func (l *lane) populate(t *testing.T, n world.Net, spec laneSpec) (*lab.DNSTree, string) {
	t.Helper()
	var at []netip.Addr
	var records, targets strings.Builder
	for i := range spec.hosts {
		if spec.oneDoor {
			i = 0
		}
		at = append(at, n.Addr(byte(10+i)))
	}
	doors := openDoors(t, at, spec.oneDoor)
	for i, a := range at {
		host := fmt.Sprintf("h%03d.soak.example", i)
		l.hosts = append(l.hosts, host)
		l.doors[host] = doors[i]
		fmt.Fprintf(&records, "%s 60 IN A %s\n", strings.TrimSuffix(host, ".soak.example"), a)
		fmt.Fprintf(&targets, "  - {url: \"tcp://%s:%d\", addresses: [%s]}\n", host, doors[i].at.Port(), a)
	}
	tree, err := lab.NewDNSTree(lab.TreeSpec{
		Roots: []netip.Addr{n.Addr(1)},
		Zones: []lab.ZoneSpec{
			{Name: "example.", Servers: []lab.NameServer{{Name: "ns.example.", Addr: n.Addr(2)}}},
			{Name: "soak.example.", Servers: []lab.NameServer{{Name: "ns1.soak.example.", Addr: n.Addr(3)}, {Name: "ns2.soak.example.", Addr: n.Addr(4)}}, Text: records.String()},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree, targets.String()
}

// course is what a lane goes through: each host fails once, at most abreast together,
// and interrupt is called between.
type course struct {
	abreast   int
	held      time.Duration // how long a host fails while the program can see it
	interrupt func(ctx context.Context, up time.Duration) error
}

// run goes the whole course, and waits until all is told.
func (l *lane) run(ctx context.Context, c course) error {
	for _, p := range l.heirs {
		if err := p.start(ctx); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	seen := map[string]time.Duration{} // of the hosts that fail now
	waiting := slices.Clone(l.hosts)
	last, began := time.Now(), time.Now()
	for len(waiting)+len(seen) > 0 {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		now := time.Now()
		for host := range seen {
			if seen[host] += now.Sub(last); seen[host] < c.held {
				continue
			}
			delete(seen, host)
			if err := l.doors[host].open(); err != nil {
				return err
			}
			l.ledger.mended(host)
		}
		if len(waiting) > 0 && len(seen) < c.abreast && l.rng.IntN(6) == 0 {
			host := waiting[0]
			waiting, seen[host] = waiting[1:], 0
			if err := l.doors[host].shut(); err != nil {
				return err
			}
			l.ledger.broken(host)
		}
		if c.interrupt != nil {
			if err := c.interrupt(ctx, now.Sub(began)); err != nil {
				return err
			}
		}
		// What an interruption took is no time in which it could be seen.
		last = time.Now()
	}
	return l.settle(ctx)
}

// settle waits until every incident has its all-clear in every place.
func (l *lane) settle(ctx context.Context) error {
	for {
		var missing []string
		for _, p := range l.places {
			if left := l.ledger.missing(p.arrived()); len(left) > 0 {
				missing = append(missing, p.name+": "+strings.Join(left, ", "))
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("not told: %s", strings.Join(missing, "; "))
		}
	}
}
