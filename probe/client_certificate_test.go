package probe

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

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
