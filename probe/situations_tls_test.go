package probe

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/handshakes"
)

// TestSituations serves every row of the table over real sockets, looks and judges.
func TestSituations(t *testing.T) {
	rows := handshakes.All()
	if len(rows) < 75 {
		t.Fatalf("only %d rows", len(rows))
	}
	seen := map[string]bool{}
	for _, s := range rows {
		if seen[s.Name] || s.Refs == "" {
			t.Errorf("%q stands twice, or says nobody who describes it", s.Name)
		}
		seen[s.Name] = true
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w, err := handshakes.NewWorld()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			p := New(Settings{Roots: w.Root.Pool(), Allow: loopback(), Timeout: time.Minute, FetchIssuers: s.Fetch})
			os := lookAt(t, p, w, s)
			tg := inventory.Target{Key: "https://" + handshakes.Host + "/", Host: handshakes.Host, Port: 443, Path: "/"}
			meets(t, Judge(Policy{}, os[0].At, tg, inventory.Expected{}, os), s.Want)
		})
	}
}

// lookAt serves the offers of a row and looks at each.
func lookAt(t *testing.T, p *Prober, w *handshakes.World, s handshakes.Situation) []Observation {
	t.Helper()
	var os []Observation
	offers := s.Offers(w)
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	for i, offer := range offers {
		server, err := lab.NewTLSServer(netip.AddrPortFrom(handshakes.At(lab.NewNet(0, 0), i), 0), offer)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		tg := inventory.Target{Key: "https://" + handshakes.Host + "/", Host: handshakes.Host, Port: server.At.Port(), Path: "/"}
		os = append(os, p.Observe(t.Context(), Request{Target: tg, Address: server.At}))
	}
	return os
}

// meets compares findings with what is wanted: all of them, and no other.
func meets(t *testing.T, got []finding.Finding, wanted []handshakes.Want) {
	t.Helper()
	var said []handshakes.Said
	for _, f := range got {
		said = append(said, handshakes.Said{
			Code: string(f.Code), Severity: f.Severity.String(), Text: strings.Join([]string{f.Summary, f.Expected, f.Observed, f.Hint}, "\n"),
		})
		if problem := unsound(f); problem != "" {
			t.Errorf("%s: %s", f.Code, problem)
		}
	}
	for _, problem := range handshakes.Unmet(said, wanted) {
		t.Error(problem)
	}
}

// TestAClientCertificateThatIsRefused is told from one that is missing.
func TestAClientCertificateThatIsRefused(t *testing.T) {
	w := newWorld(t)
	own := presented(newLeaf(t, w.intermediate, "probe", func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}), w.intermediate)
	for name, c := range map[string]struct {
		accepts *x509.CertPool
		version uint16
		want    string
	}{
		"accepted":            {w.roots, 0, ""},
		"refused":             {pool(newCA(t, nil, "Another")), 0, "does not accept our client certificate"},
		"refused, in TLS 1.2": {pool(newCA(t, nil, "Another")), tls.VersionTLS12, "does not accept our client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			at := listen(t, func(conn net.Conn) {
				s := tls.Server(conn, &tls.Config{
					Certificates: []tls.Certificate{w.good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.accepts, MaxVersion: c.version,
				})
				if s.Handshake() == nil {
					says(okResponse)(s)
				}
			})
			o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at, Certificate: &own})
			if !strings.Contains(o.Fault.Text, c.want) || (c.want == "") != (o.Fault == Fault{}) || !o.TLS.ClientCertificateSent {
				t.Errorf("%+v, %+v", o.Fault, o.TLS)
			}
			for _, f := range Judge(Policy{}, o.At, target(at), inventory.Expected{}, []Observation{o}) {
				if f.Code != finding.TLSClientCertificate || !strings.Contains(f.Summary, "refuses the probe's client certificate") || unsound(f) != "" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
