package report

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// seen is a snapshot under construction, with what the Report says of it.
type seen struct {
	snapshot.Snapshot
	report finding.Report
}

func newSeen() *seen {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return &seen{snapshot.Snapshot{Version: snapshot.Version, At: at}, finding.Report{At: at}}
}

// target watches a host; its name servers answered after 3 and 12 ms.
func (s *seen) target(key, host string) *inventory.Target {
	s.Inventory.Targets = append(s.Inventory.Targets, inventory.Target{Key: key, Host: host})
	s.Observations.DNS = append(s.Observations.DNS, dnscheck.Observation{Host: host, Steps: []dnscheck.Step{{Answers: []dnscheck.Answer{
		{Outcome: dnscheck.OK, RTT: 3 * time.Millisecond}, {Outcome: dnscheck.OK, RTT: 12 * time.Millisecond}, {Outcome: dnscheck.Silent, RTT: 5 * time.Second},
	}}}})
	return &s.Inventory.Targets[len(s.Inventory.Targets)-1]
}

// visit is one that went well, and bend changes it.
func (s *seen) visit(at string, bend func(*probe.Observation)) {
	t := s.Inventory.Targets[len(s.Inventory.Targets)-1]
	o := probe.Observation{
		Target: t.Key, Host: t.Host, Address: netip.MustParseAddrPort(at), At: s.At, Reached: probe.PhaseHTTP,
		TLS:  &probe.TLS{Version: tls.VersionTLS13, Chain: []probe.Certificate{{}}, Trust: probe.Trust{NotAfter: s.At.Add(41 * 24 * time.Hour)}},
		HTTP: &probe.HTTP{Status: 200, Protocol: "HTTP/1.1"},
		Took: probe.Duration{Connect: 3100 * time.Microsecond, TLS: 9 * time.Millisecond, FirstByte: 120400 * time.Microsecond, Transfer: 20 * time.Microsecond},
	}
	if bend != nil {
		bend(&o)
	}
	s.Observations.Probes = append(s.Observations.Probes, o)
}

func fault(phase, reached probe.Phase, kind probe.Kind, text string) func(*probe.Observation) {
	return func(o *probe.Observation) {
		o.Reached, o.Fault, o.HTTP = reached, probe.Fault{Phase: phase, Kind: kind, Text: text}, nil
		if phase == probe.PhaseConnect {
			o.TLS, o.Took = nil, probe.Duration{}
		}
	}
}

func (s *seen) found(code finding.Code, severity finding.Severity, host, address string) {
	s.report.Findings = append(s.report.Findings, finding.Finding{
		Code: code, Severity: severity, Subject: finding.Subject{Host: host, Address: address},
		Summary: "what is wrong with " + host, Expected: "one thing", Observed: "another", Hint: "mend it", SeenAt: []string{address},
	})
}

func (s *seen) incident(code finding.Code, severity finding.Severity, hosts ...string) {
	s.report.Incidents = append(s.report.Incidents, finding.Incident{Code: code, Severity: severity, Cause: "the cause of " + string(code), Hosts: hosts})
}

// world has every kind of row.
func world() *seen {
	s := newSeen()
	s.target("https://a.example/", "a.example")
	s.visit("203.0.113.10:443", nil)

	s.target("https://half.example/", "half.example")
	s.visit("203.0.113.10:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.Refused, "connection refused: nothing listens on port 443"))
	s.visit("203.0.113.11:443", func(o *probe.Observation) { o.HTTP.Protocol = "HTTP/2.0" })
	s.visit("[2001:db8:1234:5678:9abc:def0:1234:5678]:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.NoRoute, "the network cannot be reached from here"))
	s.found(finding.HTTPUnreachable, finding.Critical, "half.example", "203.0.113.10")
	s.incident(finding.HTTPUnreachable, finding.Critical, "half.example")

	s.target("https://ports.example/", "ports.example")
	s.visit("203.0.113.10:443", nil)
	s.target("https://ports.example:8443/health", "ports.example")
	s.visit("203.0.113.10:8443", func(o *probe.Observation) { o.HTTP.Status = 503 })
	s.visit("[2001:db8::1]:8443", fault(probe.PhaseHTTP, probe.PhaseTLS, probe.Timeout, "timeout while waiting for the response"))
	s.found(finding.HTTPStatus, finding.Critical, "ports.example", "203.0.113.10:8443")
	s.found(finding.TLSExpiring, finding.Warning, "ports.example", "203.0.113.10:8443")
	s.found(finding.DNSStaleRecord, finding.Warning, "ports.example", "2001:db8::1")
	s.incident(finding.HTTPStatus, finding.Critical, "ports.example")

	s.target("https://odd.example/", "odd.example")
	s.visit("10.0.0.8:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.Forbidden, "special-purpose"))
	s.visit("198.51.100.7:443", func(o *probe.Observation) { o.Stranger, o.HTTP, o.Reached = true, nil, probe.PhaseTLS })
	s.visit("203.0.113.20:443", func(o *probe.Observation) {
		o.Bypass = &probe.Bypass{Service: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}, ProxyProtocol: true}
		o.At = s.At.Add(-30 * time.Second)
	})
	s.visit("203.0.113.21:443", func(o *probe.Observation) {
		o.HTTP.Hops, o.HTTP.FinalURL, o.Took.Redirects = []probe.Hop{{}, {}}, "https://www.odd.example/", 34*time.Millisecond
		o.TLS.Trust.NotAfter = s.At.Add(90 * time.Minute)
	})
	s.visit("203.0.113.22:443", func(o *probe.Observation) { o.TLSOnly, o.HTTP, o.Reached = true, nil, probe.PhaseTLS })

	s.target("tcp://db.example:5432", "db.example")
	s.visit("203.0.113.30:5432", func(o *probe.Observation) {
		o.Scheme, o.TLS, o.HTTP, o.Reached, o.Took = inventory.SchemeTCP, nil, nil, probe.PhaseConnect, probe.Duration{Connect: 12 * time.Second}
	})
	s.target("https://nowhere.example/", "nowhere.example")
	s.Observations.DNS = s.Observations.DNS[:len(s.Observations.DNS)-1]
	s.report.Fronts = []finding.Front{{Name: "pinned", Hosts: []string{"a.example", "db.example"}, Drift: true}}
	return s
}

func (s *seen) text(t *testing.T, o Options) string {
	t.Helper()
	var out strings.Builder
	if err := Addresses(&out, s.report, s.Snapshot, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (s *seen) page(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	if err := Page(&out, s.report, s.Snapshot); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (s *seen) hostPage(t *testing.T, host string) string {
	t.Helper()
	var out strings.Builder
	if known, err := HostPage(&out, s.report, s.Snapshot, host); err != nil || !known {
		t.Fatalf("the page of %q: %t, %v", host, known, err)
	}
	return out.String()
}

// unstyled is a page without its style, which says nothing.
func unstyled(page string) string {
	return regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAllString(page, "")
}

func TestAddressesGoldens(t *testing.T) {
	s := world()
	for _, width := range []int{60, 80, 100} {
		out := s.text(t, Options{Width: width})
		golden(t, fmt.Sprintf("testdata/addresses.%d.txt", width), out)
		for line := range strings.Lines(out) {
			if columns(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("at %d columns: %q is longer", width, line)
			}
		}
	}
	golden(t, "testdata/page.html", unstyled(s.page(t)))
	golden(t, "testdata/page.host.html", unstyled(s.hostPage(t, "ports.example")))
}

func TestAddressesColorMarksNothingButTheVerdicts(t *testing.T) {
	s := world()
	colored, plain := s.text(t, Options{Color: true}), s.text(t, Options{})
	equal := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(colored, "")
	if equal != plain || !strings.Contains(colored, "\x1b[1;31mCRITICAL\x1b[0m  203.0.113.10 ") {
		t.Errorf("got:\n%s", colored)
	}
}

// Verdicts are the Report's: what it does not say is not shown as well, or as wrong.
func TestMarkOfAnAddress(t *testing.T) {
	cases := []struct {
		rule, at string
		bend     func(*probe.Observation)
		find     func(*seen)
		want     string
	}{
		{"nothing was found", "192.0.2.1:443", nil, nil, "OK"},
		{"a finding about it", "192.0.2.1:443", nil, func(s *seen) { s.found(finding.HTTPStatus, finding.Critical, "a.example", "192.0.2.1") }, "CRITICAL"},
		{"the worst of several", "192.0.2.1:443", nil, func(s *seen) {
			s.found(finding.TLSExpiring, finding.Info, "a.example", "192.0.2.1")
			s.found(finding.HTTPStatus, finding.Warning, "a.example", "192.0.2.1")
		}, "WARNING"},
		{"only information", "192.0.2.1:443", nil, func(s *seen) { s.found(finding.DNSDraining, finding.Info, "a.example", "192.0.2.1") }, "INFO"},
		{"it could not be seen", "192.0.2.1:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.Self, "no sockets"), func(s *seen) {
			s.found(finding.SelfNotObserved, finding.Unknown, "a.example", "192.0.2.1")
		}, "UNKNOWN"},
		{"another host's finding", "192.0.2.1:443", nil, func(s *seen) { s.found(finding.HTTPStatus, finding.Critical, "b.example", "192.0.2.1") }, "OK"},
		{"another address's finding", "192.0.2.1:443", nil, func(s *seen) { s.found(finding.HTTPStatus, finding.Critical, "a.example", "192.0.2.11") }, "OK"},
		{"another port's finding", "192.0.2.1:8443", nil, func(s *seen) { s.found(finding.HTTPStatus, finding.Critical, "a.example", "192.0.2.1") }, "OK"},
		{"its own port's finding", "[2001:db8::1]:8443", nil, func(s *seen) {
			s.found(finding.HTTPStatus, finding.Critical, "a.example", "[2001:db8::1]:8443")
		}, "CRITICAL"},
		{"DNS publishes no port", "[2001:db8::1]:8443", nil, func(s *seen) { s.found(finding.DNSStaleRecord, finding.Critical, "a.example", "2001:db8::1") }, "CRITICAL"},
		{"mapped into IPv6", "[::ffff:192.0.2.1]:443", nil, func(s *seen) { s.found(finding.HTTPStatus, finding.Critical, "a.example", "192.0.2.1") }, "CRITICAL"},
		{"no IPv6 here", "[2001:db8::1]:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.NoRoute, "no route"), nil, "-"},
		{"not connected to", "10.0.0.1:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.Forbidden, "special-purpose"), nil, "-"},
		{"a stranger", "192.0.2.1:443", func(o *probe.Observation) { o.Stranger = true }, nil, "-"},
		{"nobody answers us", "192.0.2.1:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.Timeout, "timeout"), func(s *seen) {
			s.report.Findings = append(s.report.Findings, finding.Finding{Code: finding.SelfOffline, Severity: finding.Unknown})
		}, "-"},
		{"meant to be unreachable", "192.0.2.1:443", fault(probe.PhaseConnect, probe.PhaseNone, probe.Refused, "refused"), nil, "OK"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			s := newSeen()
			s.target("https://a.example/", "a.example")
			s.visit(c.at, c.bend)
			if c.find != nil {
				c.find(s)
			}
			if got := look(s.report, s.Snapshot, anyHost).matrices("a.example")[0].rows[0].mark.word; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What one URL of a host gave is not shown as another's at the same address.
func TestAnotherURLsAnswerIsNotShownAsThisOnes(t *testing.T) {
	const key = "https://a.example/"
	for _, c := range []struct {
		rule string
		by   []string
		want string
	}{
		{"by one", []string{key + "bad"}, "OK CRITICAL"},
		{"by both", []string{key + "bad", key + "ok"}, "CRITICAL CRITICAL"},
		{"by none: it is the address's", nil, "CRITICAL CRITICAL"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := newSeen()
			for _, path := range []string{"ok", "bad"} {
				s.target(key+path, "a.example")
				s.visit("192.0.2.1:443", nil)
			}
			s.found(finding.HTTPStatus, finding.Critical, "a.example", "192.0.2.1")
			s.report.Findings[0].Targets = c.by
			var got []string
			for _, m := range look(s.report, s.Snapshot, anyHost).matrices("a.example") {
				got = append(got, m.rows[0].mark.word)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A document from elsewhere can hold anything. What is wrong stays, in its order.
func TestAddressesAreBounded(t *testing.T) {
	s := newSeen()
	s.target("https://a.example/", "a.example")
	for i := range 4000 {
		s.visit(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i / 256), byte(i)}), 443).String(), nil)
	}
	for _, at := range []string{"192.0.15.150", "192.0.9.9"} {
		s.found(finding.HTTPStatus, finding.Critical, "a.example", at)
	}
	s.incident(finding.HTTPStatus, finding.Critical, "a.example")
	out := s.text(t, Options{})
	if n := strings.Count(out, "\n"); n != 2+1+maxRows+2+1 {
		t.Errorf("%d lines", n)
	}
	first, second := strings.Index(out, " 192.0.9.9 "), strings.Index(out, " 192.0.15.150 ")
	if first < 0 || second < first || !strings.Contains(out, " 192.0.0.0 ") || !strings.Contains(out, "… 3936 more addresses") {
		t.Errorf("got:\n%s", out)
	}
	for _, page := range []string{s.page(t), s.hostPage(t, "a.example")} {
		if !strings.Contains(page, "… 3936 more addresses") || strings.Count(page, `<tr class="at">`) != maxRows {
			t.Errorf("%d rows", strings.Count(page, `<tr class="at">`))
		}
	}
}

func TestTimesOfPhases(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "", 0: "", 20 * time.Microsecond: "<0.1", 50 * time.Microsecond: "0.1", 440 * time.Microsecond: "0.4",
		9940 * time.Microsecond: "9.9", 9960 * time.Microsecond: "10", 120400 * time.Microsecond: "120", 12 * time.Second: "12000",
	} {
		if got := millis(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
