package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// The demo plays an outage on loopback: a small world of real servers (DNS tree,
// load balancers, cloud API, Kubernetes API, Slack endpoint), and the program
// itself, driven through its command line, its configuration file and its HTTP
// endpoints. Nothing in the program knows that it is a demo.

const (
	// demoTTL is short, so that the caches drain while one watches. With less than
	// leastTTL they would have drained before anybody looks.
	demoTTL  = 20 * time.Second
	leastTTL = 2 * time.Second
	// demoWait bounds each wait for the program to notice something.
	demoWait = 45 * time.Second
	// unhurried bounds one look: a machine that has just compiled all this may be
	// slow.
	unhurried = 10 * time.Second
)

// play is one performance.
type play struct {
	process
	world  *lab.World
	ttl    time.Duration
	folder string
	web    string
	told   int
}

const demoUsage = `Usage: driftprobe demo [--keep] [--ttl 20s]

Plays an outage on loopback addresses and shows what driftprobe says of it.

  driftprobe demo          all of it, in about a minute
  driftprobe demo --keep   stop at the outage, to look around with dig and curl
`

// demoOptions are the command line of the demo.
type demoOptions struct {
	keep bool
	ttl  time.Duration
}

func (o *demoOptions) flags() *flag.FlagSet {
	fs := newFlags("driftprobe demo")
	fs.BoolVar(&o.keep, "keep", false, "stop at the outage and keep the world running")
	fs.DurationVar(&o.ttl, "ttl", demoTTL, "`DURATION`: TTL of the records, for which caches drain")
	return fs
}

func demo(ctx context.Context, p process, args []string) (int, error) {
	var o demoOptions
	rest, err := parse(o.flags(), args)
	if err != nil {
		return exitUsage, err
	}
	if len(rest) > 0 {
		return exitUsage, faultf("driftprobe demo [--keep] [--ttl 20s]", "demo: unknown argument %q", strings.Join(rest, " "))
	}
	if o.ttl < leastTTL || o.ttl > time.Hour || o.ttl%time.Second != 0 {
		return exitUsage, faultf("give whole seconds, 2s to 1h", "demo: --ttl %s is no TTL for the demo", o.ttl)
	}
	// A closed terminal ends the demo; elsewhere that signal means reload.
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer cancel()
	folder, err := os.MkdirTemp("", "driftprobe-demo-")
	if err != nil {
		return exitUsage, fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(folder)
	world, err := lab.NewWorld(ctx, lab.WorldSpec{TTL: o.ttl, Hosts: demoHosts(), Forgetful: true})
	if err != nil {
		return exitUsage, faultf("the demo needs addresses of 127.0.0.0/8; where only 127.0.0.1 exists (macOS), add those that the error names", "%v", err)
	}
	defer func() { _ = world.Close() }() // what does not close ends with the process
	d := &play{process: p, world: world, ttl: o.ttl, folder: folder}
	if err := d.configure(); err != nil {
		return exitUsage, err
	}
	ended := make(chan int, 1)
	d.startWatching(ctx, ended)
	err = d.acts(ctx, o.keep)
	cancel()
	<-ended
	if errors.Is(err, context.Canceled) && o.keep {
		err = nil
	}
	return exitClean, err
}

// demoHosts are served by two records: the zone's own, and its wildcard.
func demoHosts() []string {
	return []string{
		"shop.example", "api.shop.example", "www.shop.example", "auth.shop.example", "admin.shop.example",
		"app.shop.example", "assets.shop.example", "billing.shop.example", "blog.shop.example", "docs.shop.example",
		"events.shop.example", "images.shop.example", "orders.shop.example", "search.shop.example",
	}
}

// acts are the outage, from all well to all clear.
func (d *play) acts(ctx context.Context, keep bool) error {
	d.say("A shop on Kubernetes, one Traefik in front, %d hostnames, records with a TTL of %d s.", len(d.world.Hosts), int(d.ttl.Seconds()))
	fmt.Fprintf(d.stdout, "   driftprobe runs in the background (http://%s) and will tell Slack.\n", d.web)
	if err := d.await(ctx, "the first report", d.ready); err != nil {
		return err
	}
	if err := d.lost(ctx); err != nil {
		return err
	}
	d.say("Now someone deletes Traefik and creates it again, to be sure. The cloud gives it a new load balancer.")
	for _, event := range []func(context.Context) error{d.world.DeleteTraefik, d.world.CreateTraefik} {
		if err := event(ctx); err != nil {
			return err
		}
	}
	if err := d.slack(ctx); err != nil {
		return err
	}
	if err := d.once(ctx, "Pods, Services and logs are green, and nobody reaches the shop. Why?", exitFound); err != nil {
		return err
	}
	if keep {
		return d.explore(ctx)
	}
	d.say("The records are corrected, as it says: A %s.", d.world.LBAddr())
	if err := d.world.FixRecords(d.world.LBAddr()); err != nil {
		return err
	}
	if err := d.await(ctx, "the program to see it", d.incidentIs(finding.Draining)); err != nil {
		return err
	}
	if err := d.once(ctx, "Right everywhere at the source, but caches still hold the old answer:", exitClean); err != nil {
		return err
	}
	if err := d.countDown(ctx); err != nil {
		return err
	}
	if err := d.slack(ctx); err != nil {
		return err
	}
	return d.once(ctx, "All clear.", exitClean)
}

// configure writes what a user would write.
func (d *play) configure() error {
	w := d.world
	// Several looks must fit into the time in which the caches drain. An alert waits
	// for two, so that what is true for a moment only is not told.
	const pace = time.Second
	files := map[string]string{
		"ca.pem": string(w.CAPEM()), "kubeconfig": string(w.Kubeconfig()), "do-token": w.DOToken(), "slack-url": w.SlackURL(),
	}
	for _, job := range []struct {
		name string
		look time.Duration
	}{{"watch", pace}, {"once", max(pace, unhurried)}} {
		files[job.name+".yaml"] = fmt.Sprintf(`interval: %[1]s
timeout: %[1]s
dns:
  interval: %[1]s
  timeout: %[1]s
  root_servers: [%[2]s]
  port: %[3]d
  resolvers: ["%[4]s"]
tls: {ca_file: ca.pem}
probe: {allow_addresses: [127.0.0.0/8]}
kubernetes: {kubeconfig: kubeconfig, https_port: %[5]d}
digitalocean: {token_file: do-token, api_url: "%[6]s"}
alerts:
  cluster_name: demo
  pending: {critical: %[8]s, warning: %[8]s}
  resolve_after: %[9]s
  slack: {webhook_url_file: slack-url}
state: {file: %[7]s.json}
`, job.look, w.Root().Addr(), w.DNSPort(), w.ResolverAddr(), w.HTTPSPort, w.DOURL(), job.name, 2*pace, pace)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(d.folder, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the demo's files: %w", err)
		}
	}
	addr, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	d.web = fmt.Sprintf("127.0.0.1:%d", addr)
	return err
}

// startWatching runs the long-running program beside the play.
func (d *play) startWatching(ctx context.Context, ended chan<- int) {
	quiet := d.process
	log := &bytes.Buffer{}
	quiet.stdout, quiet.stderr = log, log
	quiet.env = func(string) string { return "" }
	go func() {
		code := run(ctx, quiet, []string{"--config", filepath.Join(d.folder, "watch.yaml"), "--web.listen-address", d.web})
		if code != exitClean {
			fmt.Fprintf(d.stderr, "the program in the background ended with %d:\n%s", code, log)
		}
		ended <- code
	}()
}

// once runs the one-shot diagnosis and holds its exit code against what the act
// is about.
func (d *play) once(ctx context.Context, title string, want int) error {
	file := filepath.Join(d.folder, "once.yaml")
	d.say("%s", title)
	fmt.Fprintf(d.stdout, "$ driftprobe --once --config %s\n", file)
	code := run(ctx, d.process, []string{"--once", "--config", file})
	fmt.Fprintf(d.stdout, "(exit code %d)\n", code)
	if code != want {
		return faultf("please report this as a bug, with the output above", "the demo expected exit code %d, not %d", want, code)
	}
	return ctx.Err()
}

func (d *play) say(format string, args ...any) {
	fmt.Fprintf(d.stdout, "\n── "+format+"\n", args...)
}

// slack waits for the next message and shows it as a person reads it.
func (d *play) slack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	messages, err := d.world.Slack.Wait(ctx, d.told+1)
	if err != nil {
		return faultf("please report this as a bug", "Slack was told nothing within %s: %v", demoWait, err)
	}
	d.show(messages[d.told])
	return nil
}

func (d *play) show(m lab.SlackMessage) {
	d.say("Slack, %s:", m.At.UTC().Format("15:04:05"))
	fmt.Fprint(d.stdout, slackText(m.Body))
	d.told++
}

// slackText is the text of a Slack payload without its layout.
func slackText(body []byte) string {
	var payload struct {
		Text        string `json:"text"`
		Attachments []struct {
			Blocks []struct {
				Text     struct{ Text string } `json:"text"`
				Elements []struct{ Text string }
			} `json:"blocks"`
		} `json:"attachments"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return string(body)
	}
	lines := []string{payload.Text}
	for _, a := range payload.Attachments {
		for _, b := range a.Blocks {
			lines = append(lines, b.Text.Text)
			for _, e := range b.Elements {
				lines = append(lines, e.Text)
			}
		}
	}
	plain := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(strings.Join(lines, "\n"))
	return "  │ " + strings.ReplaceAll(strings.TrimSpace(plain), "\n", "\n  │ ") + "\n"
}
