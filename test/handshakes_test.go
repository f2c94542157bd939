package test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	findings "driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/handshakes"
	"driftprobe/probe"
	"driftprobe/test/world"
)

// TestHandshakesOfRealServers presents every row of the table that a real server can,
// by each of them, and wants the row's verdict.
func TestHandshakesOfRealServers(t *testing.T) {
	for _, server := range world.WebServers() {
		t.Run(server.Name, func(t *testing.T) {
			t.Parallel()
			w, err := handshakes.NewWorld()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.Close() })
			addr := world.Claim(t).Addr(10)
			mine := map[string][]int{} // places in sites
			var rows []handshakes.Situation
			var sites []world.Site
			for _, s := range handshakes.All() {
				offers := s.Offers(w)
				if slices.ContainsFunc(offers, func(o lab.TLSOffer) bool { return !servable(server, o) }) || server.Name == "caddy" && twice(offers) {
					continue
				}
				rows = append(rows, s)
				for _, o := range offers {
					site := siteOf(t, o)
					site.At = netip.AddrPortFrom(addr, 0)
					mine[s.Name] = append(mine[s.Name], len(sites))
					sites = append(sites, site)
				}
			}
			if err := w.Err(); err != nil {
				t.Fatal(err)
			}
			if len(rows) < 35 {
				t.Errorf("%s serves only %d rows", server.Name, len(rows))
			}
			server.Serve(t, sites)
			for _, s := range rows {
				t.Run(s.Name, func(t *testing.T) {
					var at []netip.AddrPort
					for _, i := range mine[s.Name] {
						at = append(at, sites[i].At)
					}
					meets(t, visit(t, w.Root.Pool(), s.Fetch, at...), s.Want)
				})
			}
		})
	}
}

// twice tells whether two offers are of one certificate, which caddy presents once.
func twice(offers []lab.TLSOffer) bool {
	return len(offers) == 2 && bytes.Equal(offers[0].Certificate.Certificate[0], offers[1].Certificate.Certificate[0])
}

// servable tells whether a server can make the offer.
func servable(server world.WebServer, o lab.TLSOffer) bool {
	if o.ClockAhead != 0 || o.Conduct != lab.SpeaksTLS && o.Conduct != lab.SpeaksHTTP {
		return false
	}
	// nginx refuses in HTTP, the others in TLS; caddy presents no certificate that is
	// not for the name.
	switch server.Name {
	case "nginx":
		if o.Demands {
			return false
		}
	case "caddy":
		if o.Certificate.Leaf != nil && o.Certificate.Leaf.VerifyHostname(handshakes.Host) != nil {
			return false
		}
		fallthrough
	default:
		if o.DemandsInHTTP {
			return false
		}
	}
	return server.Can(world.Site{
		Staple: o.Certificate.OCSPStaple, MaxVersion: o.MaxVersion, Refuses: o.KnowsNot, Introduced: o.Introduced,
	})
}

func siteOf(t *testing.T, o lab.TLSOffer) world.Site {
	t.Helper()
	return world.Site{
		Cert: inPEM(t, o.Certificate), Staple: o.Certificate.OCSPStaple, MaxVersion: o.MaxVersion, Asks: o.Asks,
		Demands: o.Demands || o.DemandsInHTTP, Refuses: o.KnowsNot, Introduced: o.Introduced, Plain: o.Conduct == lab.SpeaksHTTP,
	}
}

func inPEM(t *testing.T, c tls.Certificate) world.Certificate {
	t.Helper()
	var chain bytes.Buffer
	for _, der := range c.Certificate {
		chain.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return world.Certificate{Chain: chain.Bytes(), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})}
}

// visit looks at the host at each address and judges.
func visit(t *testing.T, roots *x509.CertPool, fetch bool, at ...netip.AddrPort) []findings.Finding {
	t.Helper()
	p := probe.New(probe.Settings{
		Roots: roots, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 20 * time.Second, FetchIssuers: fetch,
	})
	target := inventory.Target{Key: "https://" + handshakes.Host + "/", Host: handshakes.Host, Port: 443, Path: "/"}
	var seen []probe.Observation
	for _, a := range at {
		target.Port = a.Port()
		seen = append(seen, p.Observe(t.Context(), probe.Request{Target: target, Address: a}))
	}
	return probe.Judge(probe.Policy{}, seen[0].At, target, inventory.Expected{}, seen)
}

// meets compares findings with what is wanted: all of them, and no other.
func meets(t *testing.T, got []findings.Finding, wanted []handshakes.Want) {
	t.Helper()
	var said []handshakes.Said
	for _, f := range got {
		said = append(said, handshakes.Said{
			Code: string(f.Code), Severity: f.Severity.String(), Text: strings.Join([]string{f.Summary, f.Expected, f.Observed, f.Hint}, "\n"),
		})
	}
	for _, problem := range handshakes.Unmet(said, wanted) {
		t.Error(problem)
	}
}

// TestPebbleCertificates: what an ACME server issues verifies against its root, behind
// each server, and is told for what it is where that root is not trusted.
func TestPebbleCertificates(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	cert := w.CA.Issue(t, handshakes.Host)
	root, err := os.ReadFile(w.CA.RootFile)
	if err != nil {
		t.Fatal(err)
	}
	pebble := x509.NewCertPool()
	if !pebble.AppendCertsFromPEM(root) {
		t.Fatal("pebble's root cannot be read")
	}
	for _, server := range world.WebServers() {
		sites := []world.Site{{At: netip.AddrPortFrom(w.Old, 0), Cert: cert}}
		server.Serve(t, sites)
		meets(t, visit(t, pebble, false, sites[0].At), nil)
		meets(t, visit(t, x509.NewCertPool(), false, sites[0].At), []handshakes.Want{{Code: "tls/staging-certificate", Severity: "critical", Texts: []string{"from pebble"}}})
	}
}
