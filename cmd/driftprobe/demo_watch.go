package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"driftprobe/finding"
)

// await polls until the condition holds.
func (d *play) await(ctx context.Context, what string, done func(context.Context) bool) error {
	limit := time.NewTimer(demoWait)
	defer limit.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return faultf("please report this as a bug", "the demo waited %s for %s in vain", demoWait, what)
		case <-tick.C:
		}
	}
	return nil
}

func (d *play) ready(ctx context.Context) bool {
	resp, err := d.get(ctx, "/-/ready")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (d *play) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.web+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}

// incidents asks the running program what it knows.
func (d *play) incidents(ctx context.Context) []finding.Incident {
	var doc struct {
		Report finding.Report `json:"report"`
	}
	d.read(ctx, &doc)
	return doc.Report.Incidents
}

// read asks the running program for its document, and tells whether it gave it.
func (d *play) read(ctx context.Context, into any) bool {
	resp, err := d.get(ctx, "/api/v1/snapshot")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into) == nil
}

func (d *play) incidentIs(state finding.State) func(context.Context) bool {
	return func(ctx context.Context) bool {
		return slices.ContainsFunc(d.incidents(ctx), func(in finding.Incident) bool { return in.State == state })
	}
}

// countDown shows the caches draining, as the running program sees them.
func (d *play) countDown(ctx context.Context) error {
	d.say("The caches drain:")
	next := time.Now()
	return d.await(ctx, "the caches to drain", func(ctx context.Context) bool {
		for _, in := range d.incidents(ctx) {
			if in.State != finding.Draining {
				continue
			}
			if left := time.Until(in.ClearBy); left > 0 && !time.Now().Before(next) {
				fmt.Fprintf(d.stdout, "  all clear by %s, in %s\n", finding.Clock(in.ClearBy, time.Now()), finding.Span(left))
				next = time.Now().Add(5 * time.Second)
			}
			return false
		}
		return true
	})
}

// explore prints what can be tried while the outage lasts, and waits.
func (d *play) explore(ctx context.Context) error {
	w := d.world
	host := w.Hosts[0]
	d.say("The outage goes on until you press Ctrl-C. Look around, from another terminal:")
	fmt.Fprintf(d.stdout, `  %[13]s --once --config %[1]s
  dig @%[2]s -p %[3]d %[4]s A
  dig @%[5]s -p %[3]d %[4]s A
  curl --cacert %[6]s --resolve %[4]s:%[7]d:%[8]s https://%[4]s:%[7]d/
  curl -s http://%[9]s/metrics
  curl -s http://%[9]s/

The zone is kept at the lab's DigitalOcean API. Correct the records there, and look again; what Slack is told will appear here:

  curl -s -X PUT -H 'Authorization: Bearer %[10]s' -H 'Content-Type: application/json' -d '{"data":"%[8]s"}' %[11]s/v2/domains/%[12]s/records/21
  curl -s -X PUT -H 'Authorization: Bearer %[10]s' -H 'Content-Type: application/json' -d '{"data":"%[8]s"}' %[11]s/v2/domains/%[12]s/records/22
`, filepath.Join(d.folder, "once.yaml"), w.NameAddrs[0], w.DNSPort(), host, w.ResolverAddr().Addr(),
		filepath.Join(d.folder, "ca.pem"), w.HTTPSPort, w.LBAddr(), d.web, w.DOToken(), w.DOURL(), w.Zone, cmp.Or(d.name, "driftprobe"))
	for {
		messages, err := d.world.Slack.Wait(ctx, d.told+1)
		if err != nil {
			return context.Canceled // Ctrl-C is how this ends
		}
		d.show(messages[d.told])
	}
}
