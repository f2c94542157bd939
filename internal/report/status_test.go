package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// attack is text that tries to be markup in every place, and to steer a terminal.
const attack = "\x1b[31m\u202e'\"></style></td></table><script>alert(1)</script><img src=x onerror=alert(2)>&lt; `--"

// attacked is a world in which all text is the attack.
func attacked() *seen {
	s := newSeen()
	s.target("https://"+attack+"/", attack)
	s.visit("192.0.2.1:443", func(o *probe.Observation) {
		o.TLS.Chain = []probe.Certificate{{SubjectCN: attack, IssuerCN: attack, Names: []string{attack}}}
		o.HTTP.Protocol, o.HTTP.Server, o.HTTP.FinalURL, o.HTTP.Location, o.HTTP.Hops = attack, attack, attack, attack, []probe.Hop{{URL: attack}}
		o.Bypass = &probe.Bypass{Service: inventory.ServiceRef{Namespace: attack, Name: attack}}
	})
	s.visit("[2001:db8::1%"+strings.ReplaceAll(attack, "]", "")+"]:443", fault(attack, attack, attack, attack))
	f := finding.Finding{
		Code: attack, Severity: 7, Subject: finding.Subject{Host: attack, Address: "192.0.2.1"},
		Summary: attack, Expected: attack, Observed: attack, Hint: attack, SeenAt: []string{attack},
	}
	record := finding.Record{Zone: attack, Owner: attack, Type: attack, Values: []string{attack}}
	s.report.Findings = []finding.Finding{f}
	s.report.Incidents = []finding.Incident{{
		ID: attack, Code: attack, Severity: -3, State: attack, Cause: attack, Hosts: []string{attack}, Recovery: "not in the cause: " + attack,
		Evidence: []finding.Note{{Label: attack, Text: attack}},
		Fix:      []finding.Step{{Text: attack, Record: &record, Command: attack}},
	}, {Severity: finding.Critical, Cause: "none", Hosts: []string{attack}}}
	s.report.Fronts = []finding.Front{{Name: attack, Hosts: []string{"well.example"}, Why: attack}}
	s.report.Coverage.Notes = []string{attack}
	return s
}

// elements reads a page as a browser does, and fails if there is anything in it that a
// page of ours has not.
func elements(t *testing.T, page string) []string {
	t.Helper()
	known := strings.Fields("html head meta title style body header main a span h1 h2 h3 p b article dl dt dd ol li code pre table thead tbody tr th td form label input button ul")
	attributes := strings.Fields("lang charset name content href class colspan data-l title action type required placeholder")
	dec := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page, "<!DOCTYPE html>")))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all []string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the page is malformed: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		all = append(all, e.Name.Local)
		if !slices.Contains(known, e.Name.Local) {
			t.Errorf("the page has an element %q", e.Name.Local)
		}
		for _, a := range e.Attr {
			if !slices.Contains(attributes, a.Name.Local) {
				t.Errorf("<%s> has an attribute %q", e.Name.Local, a.Name.Local)
			}
			code, explains := strings.CutPrefix(a.Value, "explain?code=")
			if _, known := finding.Lookup(finding.Code(strings.Replace(code, "%2F", "/", 1))); explains && known {
				continue
			}
			if a.Name.Local == "href" && a.Value != "./" && a.Value != "explain" && !strings.HasPrefix(a.Value, "host?name=") {
				t.Errorf("a link leads to %q", a.Value)
			}
		}
	}
}

func TestHostileTextIsText(t *testing.T) {
	s := attacked()
	for name, page := range map[string]string{"page": s.page(t), "host page": s.hostPage(t, attack)} {
		elements(t, page)
		for _, c := range page {
			if c != '\n' && !printable(c) {
				t.Errorf("the %s has the character %U", name, c)
			}
		}
		if n := strings.Count(page, "&lt;script&gt;"); n < 10 {
			t.Errorf("the attack stands %d times on the %s, so little is tested", n, name)
		}
	}
	for _, c := range s.text(t, Options{}) {
		if c != '\n' && !printable(c) {
			t.Errorf("the text has the character %U", c)
		}
	}
}

// What stands on the pages is what stands in the text.
func TestPagesAreWhole(t *testing.T) {
	s := world()
	page := s.page(t)
	elements(t, page)
	for _, want := range []string{"2 critical", "the cause of http/status", `<a href="host?name=half.example">`, "not probed: no IPv6 here", "OK</b> 2 hostnames are published where they should be"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "198.51.100.7") {
		t.Error("the page shows the addresses of a host that nothing is wrong with")
	}
	for _, h := range []string{"odd.example", "nowhere.example"} {
		elements(t, s.hostPage(t, h))
	}
	var out strings.Builder
	if known, err := HostPage(&out, s.report, s.Snapshot, "else.example"); known || err != nil || out.Len() > 0 {
		t.Errorf("a host that is not watched: %t, %v, %q", known, err, out.String())
	}
	none := newSeen()
	if page := none.page(t); !strings.Contains(page, "nothing was looked at") {
		t.Errorf("without hosts the page says: %s", unstyled(page))
	}
}

// Each code leads to what it means, and its page says the same as the terminal.
func TestEachCodeIsExplained(t *testing.T) {
	var list strings.Builder
	if err := ExplainAllPage(&list); err != nil {
		t.Fatal(err)
	}
	elements(t, list.String())
	for _, e := range finding.Catalogue() {
		var page strings.Builder
		if err := ExplainPage(&page, e); err != nil {
			t.Fatal(err)
		}
		elements(t, page.String())
		for what, words := range map[string]string{"title": e.Title, "why": e.Why, "fix": e.Fix, "reference": e.Reference} {
			if !strings.Contains(page.String(), html.EscapeString(words)) {
				t.Errorf("the page of %s lacks its %s", e.Code, what)
			}
		}
		if link := `<a href="explain?code=` + url.QueryEscape(string(e.Code)) + `" title="` + html.EscapeString(e.Title) + `">`; !strings.Contains(list.String(), link) {
			t.Errorf("the list does not lead to %s", e.Code)
		}
	}
}

func TestPageErrorsAreReturned(t *testing.T) {
	s := world()
	_, host := HostPage(broken{}, s.report, s.Snapshot, "a.example")
	for name, err := range map[string]error{
		"Page": Page(broken{}, s.report, s.Snapshot), "HostPage": host, "ExplainPage": ExplainPage(broken{}, finding.Entry{}), "ExplainAllPage": ExplainAllPage(broken{}), "Addresses": Addresses(broken{}, s.report, s.Snapshot, Options{}),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s = %v, want %v", name, err, errBroken)
		}
	}
}

// large is a world of many hosts, all in trouble, each for a reason of its own.
func large(hosts int) *seen {
	s := newSeen()
	for i := range hosts {
		host := fmt.Sprintf("h%05d.shop.example", i)
		s.target("https://"+host+"/", host)
		s.visit("192.0.2.1:443", nil)
		s.visit("192.0.2.2:443", nil)
		s.found(finding.HTTPStatus, finding.Critical, host, "192.0.2.1")
		s.incident(finding.HTTPStatus, finding.Critical, host)
	}
	s.incident(finding.DNSStaleRecord, finding.Critical, all(s)...)
	last := &s.report.Incidents[len(s.report.Incidents)-1]
	for _, h := range last.Hosts {
		last.Fix = append(last.Fix, finding.Step{Record: &finding.Record{Owner: h, Type: "A", Values: []string{"192.0.2.3"}}})
	}
	return s
}

func all(s *seen) []string {
	var hosts []string
	for _, t := range s.Inventory.Targets {
		hosts = append(hosts, t.Host)
	}
	return hosts
}

func TestPageOfTenThousandHostsIsSmall(t *testing.T) {
	s := large(10_000)
	page := s.page(t)
	if len(page) > 256<<10 {
		t.Errorf("the page has %d KiB", len(page)>>10)
	}
	for _, want := range []string{"10001 critical", "10000 hostnames", "… 9951 more incidents", "… 9980 more hostnames", "… 9800 more hostnames"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := s.hostPage(t, "h09999.shop.example"); !strings.Contains(page, "… 9960 more steps") || len(page) > 64<<10 {
		t.Errorf("the page of a host has %d bytes", len(page))
	}
}

func BenchmarkPageOfTenThousandHosts(b *testing.B) {
	s := large(10_000)
	for b.Loop() {
		if err := Page(io.Discard, s.report, s.Snapshot); err != nil {
			b.Fatal(err)
		}
	}
}

// Nothing was looked at, and nothing is said.
func TestNoTargetsNoAddresses(t *testing.T) {
	var out strings.Builder
	if err := Addresses(&out, finding.Report{At: time.Now()}, snapshot.Snapshot{}, Options{}); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// Anybody who reaches the port can ask for a page, so that it costs what it shows.
func TestPagesOfManyHostsCostWhatTheyShow(t *testing.T) {
	const many = 10_000
	s := newSeen()
	for i := range many {
		host := fmt.Sprintf("h%05d.example", i)
		s.target("https://"+host+"/", host)
		s.visit("192.0.2.1:443", nil)
		s.visit("192.0.2.2:443", nil)
		s.found(finding.DNSTTLExposure, finding.Info, host, "192.0.2.1")
	}
	for host, most := range map[string]float64{"absent.example": 5, "h05000.example": 1000} {
		if n := testing.AllocsPerRun(2, func() { _, _ = HostPage(io.Discard, s.report, s.Snapshot, host) }); n > most {
			t.Errorf("%.0f allocations for the page of %s, want at most %.0f", n, host, most)
		}
	}
	if n := testing.AllocsPerRun(2, func() { _ = Page(io.Discard, s.report, s.Snapshot) }); n > 1000 {
		t.Errorf("%.0f allocations for the page of all", n)
	}
}
