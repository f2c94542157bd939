package test

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// cloudTrouble is something that goes wrong with an account, and what is to be said.
type cloudTrouble struct {
	name       string
	begin, end func(*cloudAccount, *testing.T)
	says       []string
}

func cloudTroubles() []cloudTrouble {
	fault := func(f func(*lab.DigitalOcean) lab.HTTPFault) func(*cloudAccount, *testing.T) {
		return func(a *cloudAccount, _ *testing.T) { a.api.SetFault(f(a.api)) }
	}
	well := func(a *cloudAccount, _ *testing.T) { a.api.SetFault(nil) }
	onSecond := func(f lab.HTTPFault) lab.HTTPFault {
		return lab.HTTPWhen(func(r *http.Request) bool { return r.URL.Query().Get("page") == "2" }, f)
	}
	return []cloudTrouble{
		{"down", func(a *cloudAccount, t *testing.T) { a.must(t, a.api.Stop()) }, func(a *cloudAccount, t *testing.T) { a.must(t, a.api.Start()) },
			[]string{"can't be reached", "refused"}},
		{"slow", fault(func(api *lab.DigitalOcean) lab.HTTPFault { return api.Trickle }), well, []string{"no complete answer in time"}},
		{"half of page 2", fault(func(api *lab.DigitalOcean) lab.HTTPFault { return onSecond(api.Half) }), well, []string{"broke off"}},
		{"failing", fault(func(*lab.DigitalOcean) lab.HTTPFault { return lab.DOError(500, "server_error", "no") }), well, []string{"failed (500)"}},
		{"empty", func(a *cloudAccount, _ *testing.T) { a.empty() }, func(a *cloudAccount, _ *testing.T) { a.fill() },
			[]string{"suddenly empty", "still answers"}},
		{"used up", (*cloudAccount).exhaust, func(*cloudAccount, *testing.T) {}, []string{"(429)", "not asked again before"}},
		{"another token", func(a *cloudAccount, _ *testing.T) { a.api.SetToken("dop_v1_newer") }, func(a *cloudAccount, t *testing.T) { a.writeToken(t, "dop_v1_newer") },
			[]string{"does not accept the token (401)"}},
		{"fewer rights", func(a *cloudAccount, _ *testing.T) { a.api.SetScope("/v2/load_balancers", false) }, func(a *cloudAccount, _ *testing.T) { a.api.SetScope("/v2/load_balancers", true) },
			[]string{"(403)"}},
	}
}

// cloudAccount has the shop's load balancer on the second page of its list, behind
// those of others. A program that looks at it has its page at a place of its own.
type cloudAccount struct {
	api       *lab.DigitalOcean
	tokenFile string
	address   netip.Addr // of the shop's balancer
	program   *watcher
	reset     time.Time // when the hour's limit is whole again
}

const (
	shopBalancer = "9c0d0000-0000-4000-8000-000000000001"
	strangers    = 200
)

func (a *cloudAccount) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (a *cloudAccount) fill() {
	for i := range strangers {
		a.api.PutLoadBalancer(lab.LoadBalancer{ID: fmt.Sprintf("0ther-%03d", i), Name: "other", IP: "203.0.113.9"})
	}
	a.api.PutLoadBalancer(lab.LoadBalancer{ID: shopBalancer, Name: "shop", IP: a.address.String()})
}

// move gives the shop's balancer another address, unless the account is empty.
func (a *cloudAccount) move(to netip.Addr) {
	a.address = to
	if len(a.api.LoadBalancers()) > 0 {
		a.fill()
	}
}

// empty is what a token of another team sees.
func (a *cloudAccount) empty() {
	for _, lb := range a.api.LoadBalancers() {
		a.api.RemoveLoadBalancer(lb.ID)
	}
}

// The bounds are for a machine that is busy with something else: nothing is expected to
// last as long.
const (
	troubleShows = time.Minute
	allRecovered = 6 * time.Minute
)

// exhaust uses up the limit of the hour, which is over when all was seen that is to be seen
// until then.
func (a *cloudAccount) exhaust(*testing.T) {
	a.reset = time.Now().Add(2*troubleShows + 30*time.Second).Truncate(time.Second)
	a.api.SetQuota(0)
	a.api.SetReset(a.reset)
	a.api.Requests.Reset()
}

// leftAlone expects that there was one request until the limit's reset.
func (a *cloudAccount) leftAlone(t *testing.T) {
	asked := slices.DeleteFunc(a.api.Requests.All(), func(r lab.HTTPRequest) bool { return !r.At.Before(a.reset) })
	if len(asked) != 1 {
		t.Errorf("after 429 it was asked %d times before the limit's reset: %v", len(asked)-1, asked)
	}
}

func (a *cloudAccount) writeToken(t *testing.T, token string) {
	t.Helper()
	a.must(t, os.WriteFile(a.tokenFile+".new", []byte(token), 0o600))
	a.must(t, os.Rename(a.tokenFile+".new", a.tokenFile))
}

// startAccount starts the API and a program that asks it.
func startAccount(t *testing.T, w *world.World, c *cluster, page byte) *cloudAccount {
	t.Helper()
	const token = "dop_v1_of_a_test"
	api, err := lab.NewDigitalOcean(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &cloudAccount{api: api, tokenFile: filepath.Join(t.TempDir(), "token"), address: w.Old}
	a.fill()
	a.writeToken(t, token)
	a.program = serveAt(t, w.Net.Addr(page), fmt.Sprintf(`interval: 4s
timeout: 3s
dns: {root_servers: [%s], resolvers: [%s], interval: 4s, timeout: 3s}
tls: {ca_file: %q}
probe: {allow_addresses: [127.0.0.0/8]}
digitalocean: {token_file: %q, api_url: %q}
%s`, w.Root, w.Resolver.Addr, w.CA.RootFile, a.tokenFile, api.URL(), c.section))
	a.program.pause = 300 * time.Millisecond // its page is large, and there are others beside it
	return a
}

// TestACloudInTrouble lets everything that can go wrong with DigitalOcean's API go
// wrong, each with another account and program beside one API server, and has the
// balancer replaced meanwhile. While an account can't be read no record is called
// stale; when it can, all are.
func TestACloudInTrouble(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	c := startCluster(t, w.Net)
	cert := w.CA.Issue(t, "shop.example", "*.shop.example")
	publish(t, w, w.Old)
	w.Balancer(t, w.Old, cert)
	w.Balancer(t, w.New, cert)
	c.namespaces(t, "shop", "traefik")
	c.Apply(t, "", traefikService+"---"+shopInACluster)
	service := world.ServicePath("traefik", "traefik")
	c.Patch(t, service, `{"metadata": {"annotations": {"kubernetes.digitalocean.com/load-balancer-id": "`+shopBalancer+`"}}}`)
	c.Patch(t, service+"/status", statusOf(w.Old))
	troubles := cloudTroubles()
	accounts := make([]*cloudAccount, len(troubles))
	for i := range troubles {
		accounts[i] = startAccount(t, w, c, byte(60+i))
	}
	// all does something with each account, side by side.
	all := func(what string, act func(*testing.T, cloudTrouble, *cloudAccount)) {
		t.Run(what, func(t *testing.T) {
			for i, trouble := range troubles {
				t.Run(trouble.name, func(t *testing.T) {
					t.Parallel()
					act(t, trouble, accounts[i])
				})
			}
		})
	}
	all("well", func(t *testing.T, _ cloudTrouble, a *cloudAccount) {
		a.program.await(t, "a report without findings about all hosts", func(r report) bool {
			return r.Coverage.Hosts == len(shopHosts()) && len(r.Findings) == 0 && len(r.Incidents) == 0
		})
	})
	all("in trouble", func(t *testing.T, trouble cloudTrouble, a *cloudAccount) { a.goesWrong(t, trouble) })
	moved := time.Now()
	c.Patch(t, service+"/status", statusOf(w.New))
	all("moved", func(t *testing.T, _ cloudTrouble, a *cloudAccount) {
		a.move(w.New)
		d := a.program.awaitDocument(t, "reports that know the new status", troubleShows, func(d document) bool {
			d.Report.none(t, "dns/stale-record", "dns/missing-record", "lb/missing")
			return d.Report.At.After(moved.Add(8*time.Second)) && slices.Equal(d.Snapshot.Inventory.Services[0].Addresses, []netip.Addr{w.New})
		})
		if len(d.Report.all("self/source-degraded")) != 1 {
			t.Errorf("that the account can't be read is not said any more:\n%s", indent(d.Report))
		}
	})
	all("well again", func(t *testing.T, trouble cloudTrouble, a *cloudAccount) {
		trouble.end(a, t)
		ended := time.Now()
		if a.reset.After(ended) {
			ended = a.reset
		}
		d := a.program.awaitDocument(t, "the recovery", allRecovered, func(d document) bool {
			return len(d.Report.all("self/source-degraded")) == 0 && len(d.Report.all("dns/stale-record")) == len(shopHosts())
		})
		t.Logf("%.0f s from the end of the trouble to the report", d.Report.At.Sub(ended).Seconds())
		if trouble.name == "used up" {
			a.leftAlone(t)
		}
		if len(d.Report.all("lb/replaced")) != 1 {
			t.Errorf("that the balancer was replaced is not said:\n%s", indent(d.Report))
		}
		d.Report.none(t, "lb/missing", "lb/address-mismatch")
	})
}

// goesWrong waits for the one finding about an account that can't be read, which says
// how old the list is that is held: in the report, on the page, and where judge prints it.
func (a *cloudAccount) goesWrong(t *testing.T, trouble cloudTrouble) {
	listed := a.program.awaitDocument(t, "a document", 10*time.Second, func(document) bool { return true }).Snapshot.Observations.Clouds[0].At
	trouble.begin(a, t)
	began := time.Now()
	a.program.reload(t, "timeout: 3s", "timeout: 4s") // an account with another timeout asks at once, and not at the next minute
	var f finding
	d := a.program.awaitDocument(t, "the trouble: "+strings.Join(trouble.says, ", "), troubleShows, func(d document) bool {
		d.Report.none(t, "dns/stale-record", "dns/missing-record", "lb/missing", "lb/address-mismatch")
		degraded := d.Report.all("self/source-degraded")
		if len(degraded) != 1 || degraded[0].Subject.Source != "DigitalOcean" || len(d.Report.all("self/not-observed")) > 0 {
			return false
		}
		f = degraded[0]
		silent := func(part string) bool { return !strings.Contains(f.text(), part) }
		return !slices.ContainsFunc(trouble.says, silent) && d.Report.Coverage.Hosts == len(shopHosts())
	})
	if len(d.Report.Incidents) != 1 || f.Severity != "unknown" {
		t.Errorf("it said\n%s", indent(d.Report))
	}
	a.tellsAge(t, "the finding", f.Observed, listed, began)
	a.tellsAge(t, "the page", a.program.page(t, "/"), listed, began)
	file := filepath.Join(t.TempDir(), "snapshot.json")
	a.must(t, os.WriteFile(file, []byte(a.program.page(t, "/api/v1/snapshot")), 0o600))
	a.tellsAge(t, "judge", execute(t, "judge", file).stdout, listed, began)
}

// tellsAge expects the time of the last complete list, which was somewhere in between.
func (a *cloudAccount) tellsAge(t *testing.T, what, text string, from, to time.Time) {
	t.Helper()
	flat := strings.Join(strings.Fields(text), " ") // lines are wrapped
	for at := from.Truncate(time.Second); !at.After(to); at = at.Add(time.Second) {
		clock := at.UTC().Format("15:04:05 UTC")
		if strings.Contains(flat, "held, as of "+clock) || strings.Contains(flat, "until "+clock) && strings.Contains(flat, "is held") {
			return
		}
	}
	t.Errorf("%s does not say how old the list is (of %s):\n%s", what, from.UTC().Format("15:04:05"), text)
}

// page is what the program says at a path.
func (p *watcher) page(t *testing.T, path string) string {
	t.Helper()
	text, err := p.get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// reload has the program read its configuration again with something else in it, which
// ends nothing that it knows.
func (p *watcher) reload(t *testing.T, old, changed string) {
	t.Helper()
	config := p.args[slices.Index(p.args, "--config")+1]
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, []byte(strings.ReplaceAll(string(text), old, changed)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(p.url+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("reload: %s", resp.Status)
	}
}
