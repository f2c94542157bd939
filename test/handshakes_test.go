package test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"slices"
	"testing"

	"driftprobe/internal/lab"
	"driftprobe/internal/lab/handshakes"
	"driftprobe/internal/trial"
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
					meets(t, s, w.Root.Pool(), at...)
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
	if len(o.Begins)+len(o.Breaks)+len(o.Protocols)+o.LongestHello > 0 || len(o.Certificate.Certificate) == 0 || !ownKey(o.Certificate) {
		return false
	}
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
		Staple: o.Certificate.OCSPStaple, MaxVersion: o.MaxVersion, Refuses: o.KnowsNot, Site: lab.Site{Introduced: o.Introduced},
	})
}

// ownKey tells whether a certificate comes with its key: no server begins without.
func ownKey(c tls.Certificate) bool {
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	key, signs := c.PrivateKey.(crypto.Signer)
	own, compares := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return err == nil && signs && compares && own.Equal(key.Public())
}

func siteOf(t *testing.T, o lab.TLSOffer) world.Site {
	t.Helper()
	return world.Site{
		Site: lab.Site{Asks: o.Asks, Introduced: o.Introduced, Plain: o.Conduct == lab.SpeaksHTTP},
		Cert: inPEM(t, o.Certificate), Staple: o.Certificate.OCSPStaple, MaxVersion: o.MaxVersion,
		Demands: o.Demands || o.DemandsInHTTP, Refuses: o.KnowsNot,
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

// meets looks, and wants the row's findings and no other.
func meets(t *testing.T, s handshakes.Situation, roots *x509.CertPool, at ...netip.AddrPort) {
	t.Helper()
	for _, problem := range trial.Unmet(s.Want, trial.Handshakes(t.Context(), s, roots, at...)) {
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
		meets(t, handshakes.Situation{}, pebble, sites[0].At)
		meets(t, handshakes.Situation{Want: []lab.Want{{Code: "tls/staging-certificate", Severity: "critical", Texts: []string{"from pebble"}}}}, x509.NewCertPool(), sites[0].At)
	}
}
