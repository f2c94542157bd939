package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"driftprobe/internal/lab"
)

// probeOf asks /probe, and reads the series that have no label but one.
func (v *service) probeOf(target, more string) (status int, series map[string]float64, text string) {
	v.t.Helper()
	status, text, _ = v.ask(http.MethodGet, "/probe?target="+url.QueryEscape(target)+more)
	if status != http.StatusOK {
		return status, nil, text
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	v.must(err)
	series = map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += "{" + l.GetName() + "=" + l.GetValue() + "}"
			}
			series[key] = m.GetGauge().GetValue()
		}
	}
	return status, series, text
}

// TestProbe: a scrape of /probe looks at the target now, and reads like one of the
// blackbox exporter.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	const host = "api.shop.example"
	target := s.url(host) + "healthz"
	var authorization atomic.Value
	s.SetHandler(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization.Store(r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "ok")
	}))
	s.file("password", "s3cret\n")
	v := s.serve("--config", s.configuration("driftprobe.yaml", "interval: 24h\ntimeout: 4s", fmt.Sprintf(`targets:
  - url: %s
    addresses: [%s]
    basic_auth: {username: probe, password_file: password}
    expect: {body_regex: "^ok$"}`, target, s.OldAddr)))
	v.untilReady()

	status, series, text := v.probeOf(target, "&module=http_2xx")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	for name, want := range map[string]float64{
		"probe_success": 1, "probe_http_status_code": 200, "probe_ip_protocol": 4, "probe_http_ssl": 1, "probe_http_version": 1.1,
		"probe_http_redirects": 0, "probe_http_uncompressed_body_length": 2, "probe_failed_due_to_regex": 0, "probe_addresses": 1, "probe_addresses_failed": 0,
		"probe_tls_version_info{version=TLS 1.3}": 1, "probe_findings{severity=critical}": 0,
	} {
		if got, there := series[name]; !there || got != want {
			t.Errorf("%s = %v (%v), want %v", name, got, there, want)
		}
	}
	for _, name := range []string{
		"probe_duration_seconds", "probe_dns_lookup_time_seconds", "probe_ssl_earliest_cert_expiry",
		"probe_http_duration_seconds{phase=resolve}", "probe_http_duration_seconds{phase=connect}", "probe_http_duration_seconds{phase=tls}",
		"probe_http_duration_seconds{phase=processing}", "probe_http_duration_seconds{phase=transfer}",
	} {
		if series[name] <= 0 {
			t.Errorf("%s = %v", name, series[name])
		}
	}
	if len(series) > 32 {
		t.Errorf("%d series", len(series))
	}
	equal(t, "sent", authorization.Load(), any("Basic cHJvYmU6czNjcmV0"))

	// By its host alone, and with less of a probe.
	_, series, _ = v.probeOf(fmt.Sprintf("%s:%d", host, s.HTTPSPort), "&module=tcp_connect")
	equal(t, "success of a connect", series["probe_success"], 1)
	equal(t, "status of a connect", series["probe_http_status_code"], 0)
	// What is the case now, and not at the last look.
	s.SetHandler(host, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	_, series, _ = v.probeOf(target, "")
	equal(t, "success at 503", series["probe_success"], 0)
	equal(t, "status", series["probe_http_status_code"], 503)
	equal(t, "failed addresses", series["probe_addresses_failed"], 1)

	for query, says := range map[string]string{
		"": "name the target", "&module=icmp": "unknown module", "?": "cannot be used",
	} {
		name := ""
		if query == "?" {
			name, query = "https://a b/", ""
		}
		status, _, text := v.probeOf(name, query)
		if status != http.StatusBadRequest || !strings.Contains(text, says) {
			t.Errorf("%q %q: %d %s, want %s", name, query, status, text, says)
		}
	}
	if status, _, text := v.probeOf(s.url("www."+s.Zone), ""); status != http.StatusBadRequest || !strings.Contains(text, "not watched") {
		t.Errorf("a stranger: %d %s", status, text)
	}
	v.end()
}

// TestScrapeTimeout: the probe ends before Prometheus stops waiting for it.
func TestScrapeTimeout(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "50s", "10": "9.5s", "10.000": "9.5s", "0.5": "500ms", "1e9": "49.5s", "0": "", "-1": "", "NaN": "", "soon": "",
	} {
		got, err := scrapeTimeout(header)
		if (err != nil) != (want == "") || err == nil && got.String() != want {
			t.Errorf("%q: %s, %v; want %s", header, got, err, want)
		}
	}
}

// TestProbesOnDemandAreBounded: those that are too many wait, for no longer than their
// scrape does, and get their turn.
func TestProbesOnDemandAreBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	const host, asked, beyond = "api.shop.example", "/slow", 4
	inside, release := make(chan struct{}, maxDemanded+beyond), make(chan struct{})
	var now, most atomic.Int32
	s.SetHandler(host, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != asked {
			return
		}
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		inside <- struct{}{}
		<-release
		now.Add(-1)
	}))
	at := fmt.Sprintf("addresses: [%s]", s.OldAddr)
	any := strings.Replace(looking(s.Root().Addr(), s.DNSPort(), "", "interval: 24h\ntimeout: 30s", fmt.Sprintf("targets: [{url: %q, %s}]", s.url(host), at)),
		"probe: {", "probe: {allow_any_target: true, ", 1)
	v := s.serve("--config", s.file("driftprobe.yaml", any))
	v.untilReady()
	target := strings.TrimSuffix(s.url(host), "/") + asked
	var all sync.WaitGroup
	var good atomic.Int32
	for range maxDemanded + beyond {
		all.Go(func() {
			if status, text, _ := v.ask(http.MethodGet, "/probe?target="+url.QueryEscape(target)); status == http.StatusOK && strings.Contains(text, "probe_http_status_code 200") {
				good.Add(1)
			}
		})
	}
	for range maxDemanded {
		<-inside
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+"/probe?target="+url.QueryEscape(target), nil)
	s.must(err)
	r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "0.1")
	response, err := v.client.Do(r)
	s.must(err)
	_ = response.Body.Close()
	equal(t, "status of one that may not wait", response.StatusCode, http.StatusServiceUnavailable)
	equal(t, "when to come again", response.Header.Get("Retry-After"), "1")
	close(release)
	all.Wait()
	equal(t, "at the same time", most.Load(), maxDemanded)
	equal(t, "answers", good.Load(), maxDemanded+beyond)
	v.end()
}

// TestWaitingForAProbeIsBounded: a crowd at /probe is sent away at once.
func TestWaitingForAProbeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDemand()
		for range maxDemanded {
			d.slots <- struct{}{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var entered atomic.Int32
		for range maxWaiting {
			go func() {
				if d.enter(ctx) {
					entered.Add(1)
				}
			}()
		}
		synctest.Wait()
		equal(t, "one more", d.enter(t.Context()), false)
		<-d.slots
		synctest.Wait()
		equal(t, "took the place", entered.Load(), 1)
		cancel()
		synctest.Wait()
		equal(t, "waiting at the end", d.waiting.Load(), 0)
	})
}

// TestAnotherAuthorityAfterAReload: a chain that verified is forgotten with the
// authority that is no longer in tls.ca_file.
func TestAnotherAuthorityAfterAReload(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	const host = "api.shop.example"
	v := s.serve("--config", s.configuration("driftprobe.yaml", "interval: 24h\ntimeout: 4s", fmt.Sprintf("targets: [{url: %q, addresses: [%s]}]", s.url(host), s.OldAddr)))
	v.untilReady()
	// The former configuration may still answer for a moment after a reload.
	becomes := func(what string, want float64) {
		v.until(what, func() bool {
			status, series, _ := v.probeOf(s.url(host), "")
			return status == http.StatusOK && series["probe_success"] == want
		})
	}
	reload := func() {
		status, text, _ := v.ask(http.MethodPost, "/-/reload")
		equal(t, "reload: "+text, status, http.StatusOK)
	}
	becomes("right with its authority", 1)
	another, err := lab.NewCA("Another")
	s.must(err)
	s.file("ca.pem", string(another.PEM()))
	reload()
	becomes("wrong with another authority", 0)
	s.file("ca.pem", string(s.CAPEM()))
	reload()
	becomes("right with its own again", 1)
	v.end()
}

// TestProbeGoesToNoForbiddenAddress: whoever can ask /probe for any target reaches
// nothing inside.
func TestProbeGoesToNoForbiddenAddress(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	s.must(err)
	var count atomic.Int32
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = c.Close()
		}
	})
	defer all.Wait()
	defer func() { _ = listener.Close() }()
	forbidden := netip.MustParseAddrPort(listener.Addr().String())
	s.must(s.Tree.SetRecords(s.Zone+".", "inner 60 IN A 127.0.0.2\nmapped 60 IN AAAA ::ffff:127.0.0.2\nnat64 60 IN AAAA 64:ff9b::7f00:2\n"))
	const host = "api.shop.example"
	text := looking(s.Root().Addr(), s.DNSPort(), "", "interval: 24h\ntimeout: 4s", fmt.Sprintf("targets: [{url: %q, addresses: [%s]}]", s.url(host), s.OldAddr))
	const allowed = `probe: {allow_addresses: [127.0.0.0/8, "::1/128"]}`
	if !strings.Contains(text, allowed) {
		t.Fatalf("not in the configuration: %s", allowed)
	}
	config := s.file("any.yaml", strings.Replace(text, allowed, "probe: {allow_any_target: true}", 1))
	v := s.serve("--config", config)
	v.untilReady()
	for _, name := range []string{
		"inner." + s.Zone, "mapped." + s.Zone, "nat64." + s.Zone, "127.0.0.2", "127.2", "2130706434", "0x7f000002", "0177.0.0.2", "[::ffff:127.0.0.2]",
		"[64:ff9b::7f00:2]", "[::127.0.0.2]", "localhost", "0", "u@127.0.0.2", host + "@127.0.0.2", "127.0.0.2#@" + host, "①②⑦.⓪.⓪.②",
	} {
		for _, form := range []string{"https://%s:%d/", "http://%s:%d/", "tcp://%s:%d", "%s:%d"} {
			status, series, text := v.probeOf(fmt.Sprintf(form, name, forbidden.Port()), "")
			if status == http.StatusOK && series["probe_success"] != 0 {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	if n := count.Load(); n != 0 {
		t.Errorf("%d connections to a forbidden address", n)
	}
	// Any host may be asked for, and what is pinned is gone to.
	if status, _, text := v.probeOf(s.url("www."+s.Zone), ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	if _, series, text := v.probeOf(s.url(host), ""); series["probe_success"] != 1 {
		t.Errorf("the target itself: %s", text)
	}
	v.end()
}
