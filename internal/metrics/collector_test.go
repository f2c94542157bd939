package metrics

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

var update = flag.Bool("update", false, "write the golden files")

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func target(host string) inventory.Target {
	return inventory.Target{Key: "https://" + host + "/", Host: host, Port: 443, Path: "/"}
}

func answer(server, address string, o dnscheck.Outcome, ttl uint32, values ...string) dnscheck.Answer {
	a := dnscheck.Answer{
		Server: dnscheck.Server{Name: server, Address: netip.MustParseAddrPort(address + ":53")},
		Type:   dnscheck.A, Outcome: o, TTL: ttl,
	}
	for _, v := range values {
		a.Addresses = append(a.Addresses, netip.MustParseAddr(v))
	}
	return a
}

func probed(host, address string) probe.Observation {
	return probe.Observation{
		Target: "https://" + host + "/", Host: host, Address: netip.MustParseAddrPort(address), At: noon().Add(-10 * time.Second),
		Reached: probe.PhaseHTTP, HTTP: &probe.HTTP{Status: 200},
		TLS: &probe.TLS{Version: 0x0304, Trust: probe.Trust{Trusted: true, NameMatches: true, NotAfter: noon().AddDate(0, 2, 0)}},
		Took: probe.Duration{
			Connect: 10 * time.Millisecond, TLS: 20 * time.Millisecond, FirstByte: 30 * time.Millisecond, Transfer: 5 * time.Millisecond,
		},
	}
}

// drifted is a small world: a.example publishes a stale address beside the right
// one, b.example is well, c.example could not be looked at.
func drifted() (snapshot.Snapshot, finding.Report) {
	stranger := probed("a.example", "198.51.100.9:443")
	stranger.Stranger, stranger.Reached, stranger.HTTP = true, probe.PhaseTLS, nil
	stranger.TLS = &probe.TLS{Version: 0x0303, Chain: []probe.Certificate{{NotAfter: noon().AddDate(-1, 0, 0)}}}
	failed := probed("c.example", "[2001:db8::1]:443")
	failed.Fault, failed.HTTP, failed.TLS = probe.Fault{Kind: probe.Self}, nil, nil
	refused := probed("b.example", "[2001:db8::7]:443")
	refused.Fault, refused.HTTP, refused.TLS, refused.Took = probe.Fault{Kind: probe.Refused}, nil, nil, probe.Duration{}

	s := snapshot.Snapshot{Version: snapshot.Version, At: noon()}
	s.Inventory.Targets = []inventory.Target{target("a.example"), target("b.example"), target("c.example")}
	s.Observations.DNS = []dnscheck.Observation{
		{Host: "a.example", At: noon().Add(-time.Minute), Steps: []dnscheck.Step{{Name: "a.example", Zone: "example", Answers: []dnscheck.Answer{
			answer("ns1.example", "192.0.2.53", dnscheck.OK, 3600, "192.0.2.7", "198.51.100.9"),
			answer("ns2.example", "192.0.2.54", dnscheck.Silent, 0),
		}}}},
		{Host: "b.example", At: noon().Add(-time.Minute), Steps: []dnscheck.Step{{Name: "b.example", Zone: "example", Answers: []dnscheck.Answer{
			answer("ns1.example", "192.0.2.53", dnscheck.OK, 60, "192.0.2.7"),
		}}}},
		{Host: "c.example", At: noon(), Steps: []dnscheck.Step{{Name: "c.example", Failure: dnscheck.Failure{Outcome: dnscheck.Silent}}}},
		{Host: "lb.example", At: noon(), Steps: nil},
	}
	s.Observations.Probes = []probe.Observation{probed("a.example", "192.0.2.7:443"), stranger, probed("b.example", "192.0.2.7:443"), refused, failed}

	s.Inventory.Services = []inventory.Service{{
		ServiceRef: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}, Endpoints: &inventory.Endpoints{Ready: 2, Total: 3},
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.7")},
	}}
	s.History.Certificates = issuance.History{Sets: []issuance.Set{
		{Names: []string{"a.example", "www.a.example"}, CA: "Let's Encrypt", Issuances: []issuance.Issuance{
			{Serial: "1", Issued: noon().AddDate(0, 0, -2), Hosts: []string{"a.example"}},
			{Serial: "2", Issued: noon().AddDate(0, 0, -1), Hosts: []string{"a.example"}},
		}},
		{Names: []string{"gone.example"}, CA: "Let's Encrypt", Issuances: []issuance.Issuance{{Serial: "3", Hosts: []string{"gone.example"}}}},
		{Names: []string{"c.example"}, CA: "Another", Issuances: []issuance.Issuance{{Serial: "4", Hosts: []string{"c.example"}}}},
		{Names: []string{"empty.example"}, CA: "Let's Encrypt"}, // a state file can say anything
	}}

	stale := finding.Finding{
		Code: finding.DNSStaleRecord, Severity: finding.Critical,
		Subject: finding.Subject{Host: "a.example", Address: "198.51.100.9"}, ClearBy: noon().Add(time.Hour),
	}
	blind := finding.Finding{Code: finding.DNSUnresolvable, Severity: finding.Unknown, Subject: finding.Subject{Host: "c.example"}}
	return s, finding.Report{
		At: noon(), Findings: []finding.Finding{stale, blind},
		Incidents: []finding.Incident{{
			ID: "x", Code: finding.DNSStaleRecord, Severity: finding.Critical, State: finding.Firing,
			Hosts: []string{"a.example"}, ClearBy: noon().Add(time.Hour), Effects: []finding.Finding{stale},
		}},
	}
}

// exposition is what a scrape reads, without the line that names the Go version.
func exposition(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if f.GetName() == "driftprobe_build_info" {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func full() *Collector {
	c := New("1.2.3", "abc")
	c.Set(drifted())
	c.ReloadOK(true, noon().Add(-time.Hour))
	c.ReloadOK(false, noon())
	c.Lead(func() bool { return false }, inventory.Shard{Index: 1, Count: 3})
	c.Watch(func() Loop {
		return Loop{Looks: map[string]uint64{"dns": 12, "probe": 34, "cloud": 5}, Panics: 1, Judgements: 9, Lag: 1500 * time.Millisecond}
	}, func() []notify.Delivery {
		return []notify.Delivery{{Sink: "slack", Sent: 2, Failed: 1, Queued: 3, Dead: true, LastSent: noon().Add(-time.Minute)}}
	})
	return c
}

func TestGolden(t *testing.T) {
	const file = "testdata/drifted.prom"
	got := exposition(t, full())
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the exposition differs from %s (write it with -update):\n%s", file, got)
	}
}

func TestLint(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(full())
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestEveryMetricIsShownByAFullWorld(t *testing.T) {
	c := full()
	shown := exposition(t, c)
	for _, d := range c.d.all() {
		name := strings.Split(d.String(), `"`)[1]
		if name != "driftprobe_build_info" && !strings.Contains(shown, "\n"+name) {
			t.Errorf("no series of %s", name)
		}
	}
	for _, label := range []string{"instance=", "job="} {
		if strings.Contains(shown, label) {
			t.Errorf("the label %s is the scraper's", label)
		}
	}
}

func TestSeriesVanishWithTheirTarget(t *testing.T) {
	c := New("1", "2")
	s, r := drifted()
	c.Set(s, r)
	if !strings.Contains(exposition(t, c), "b.example") {
		t.Fatal("b.example has no series")
	}
	s.Inventory.Targets = s.Inventory.Targets[:1]
	c.Set(s, r)
	if got := exposition(t, c); strings.Contains(got, "b.example") || !strings.Contains(got, "a.example") {
		t.Errorf("b.example left, and a.example stayed:\n%s", got)
	}
}

func TestNothingIsShownBeforeTheFirstReport(t *testing.T) {
	if got := exposition(t, New("1", "2")); got != "" {
		t.Errorf("got %s", got)
	}
}

func TestTargetOK(t *testing.T) {
	about := func(code finding.Code, severity finding.Severity, host string) finding.Report {
		return finding.Report{At: noon(), Findings: []finding.Finding{{Code: code, Severity: severity, Subject: finding.Subject{Host: host}}}}
	}
	for name, c := range map[string]struct {
		report finding.Report
		want   string
	}{
		"no finding is well":            {finding.Report{At: noon()}, "1"},
		"a warning is not":              {about(finding.TLSExpiring, finding.Warning, "b.example"), "0"},
		"an information is":             {about(finding.HTTPStatus, finding.Info, "b.example"), "1"},
		"another host's trouble is not": {about(finding.TLSExpired, finding.Critical, "a.example"), "1"},
		"what was not observed is not":  {about(finding.SelfNotObserved, finding.Unknown, "b.example"), "0"},
		"when we are offline nothing is": {finding.Report{Findings: []finding.Finding{{
			Code: finding.SelfOffline, Severity: finding.Unknown,
		}}}, "0"},
		"a host that no load balancer is known for can be well": {about(finding.SelfTargetUnmapped, finding.Unknown, "b.example"), "1"},
		"an incident counts for every host that it hits": {finding.Report{Incidents: []finding.Incident{{
			Code: finding.LBMissing, Severity: finding.Critical, Hosts: []string{"b.example"},
		}}}, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := drifted()
			col := New("1", "2")
			col.Set(s, c.report)
			want := `driftprobe_target_ok{host="b.example",target="https://b.example/"} ` + c.want
			if got := exposition(t, col); !strings.Contains(got, want+"\n") {
				t.Errorf("want %s in\n%s", want, got)
			}
		})
	}
}

func TestHostileAndRepeatedInputDoesNotBreakTheScrape(t *testing.T) {
	s, r := drifted()
	bad := target("evil\xff\n\"")
	s.Inventory.Targets = append(s.Inventory.Targets, s.Inventory.Targets[0], bad, target("evil\xfe\n\""))
	s.Observations.DNS = append(s.Observations.DNS, s.Observations.DNS[0])
	s.Observations.DNS[0].Steps[0].Answers[0].Server.Name = strings.Repeat("n\xff", 4000)
	for i := range 300 {
		o := probed("a.example", fmt.Sprintf("10.0.%d.%d:443", i/256, i%256))
		again := probed("a.example", fmt.Sprintf("10.0.%d.%d:8443", i/256, i%256))
		s.Observations.Probes = append(s.Observations.Probes, o, again)
	}
	for i := range 100 {
		s.Observations.DNS[1].Steps[0].Answers = append(s.Observations.DNS[1].Steps[0].Answers,
			answer("", fmt.Sprintf("192.0.2.%d", i), dnscheck.OK, 1))
	}
	for i := range 3000 {
		r.Incidents = append(r.Incidents, finding.Incident{ID: fmt.Sprintf("%04d\xff", i), Severity: finding.Info, Hosts: []string{"a.example"}})
	}
	same := finding.Incident{ID: "last\xfe", Severity: finding.Critical, Hosts: []string{"a.example", "b.example"}}
	r.Incidents = append(r.Incidents, same, same)
	r.Incidents[len(r.Incidents)-1].ID = "last\xff"
	c := New("\xff", "2")
	c.Set(s, r)
	c.Watch(nil, func() []notify.Delivery { return []notify.Delivery{{Sink: "\xff"}} })
	got := exposition(t, c)
	if n := strings.Count(got, `probe_success{address="10.`); n > maxAddresses {
		t.Errorf("%d addresses of one target", n)
	}
	if n := strings.Count(got, "driftprobe_incident_hosts{"); n > maxIncidents || n < maxIncidents-2 {
		t.Errorf("%d incidents", n)
	}
	if !strings.Contains(got, "driftprobe_incident_hosts{code=\"\",incident=\"last\ufffd\",severity=\"critical\",shard=\"\",state=\"\"} 4\n") {
		t.Error("the worst incident is left out")
	}
	if n := strings.Count(got, "driftprobe_nameserver_up{"); n > maxServers {
		t.Errorf("%d servers of one zone", n)
	}
}

func TestHandlerServesTheExposition(t *testing.T) {
	w := httptest.NewRecorder()
	full().Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body := w.Body.String()
	if w.Code != 200 || !strings.Contains(body, `driftprobe_build_info{commit="abc",goversion="go`) || !strings.Contains(body, "driftprobe_target_ok{") {
		t.Errorf("%d: %s", w.Code, body)
	}
}

func TestTheRegistryHasTheRuntimesMetricsToo(t *testing.T) {
	families, err := full().Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, name := range []string{"driftprobe_build_info", "go_goroutines"} {
		if !found[name] {
			t.Errorf("no %s", name)
		}
	}
}

func BenchmarkScrapeOfTenThousandTargets(b *testing.B) {
	var s snapshot.Snapshot
	for i := range 10000 {
		host := fmt.Sprintf("host-%05d.example", i)
		s.Inventory.Targets = append(s.Inventory.Targets, target(host))
		s.Observations.DNS = append(s.Observations.DNS, dnscheck.Observation{Host: host, At: noon(), Steps: []dnscheck.Step{{
			Name: host, Zone: "example", Answers: []dnscheck.Answer{answer("ns1.example", "192.0.2.53", dnscheck.OK, 60, "192.0.2.7")},
		}}})
		s.Observations.Probes = append(s.Observations.Probes, probed(host, "192.0.2.7:443"))
	}
	c := New("1", "2")
	c.Set(s, finding.Report{At: noon()})
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	for b.Loop() {
		if _, err := r.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
