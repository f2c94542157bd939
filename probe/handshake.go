package probe

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"time"
)

// handshake does TLS and records what the peer presented, whether it verifies or
// not.
func (l *look) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	l.doing = "doing the TLS handshake"
	session := tls.Client(conn, clientConfig(l.seen.Host))
	began := time.Now()
	if err := session.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	l.seen.Took.TLS = time.Since(began)

	state := session.ConnectionState()
	chain := state.PeerCertificates
	if len(chain) == 0 {
		return nil, known{Malformed, "the server presented no certificate"}
	}
	chain = chain[:min(len(chain), MaxChain)]
	facts := &TLS{Version: state.Version, ALPN: clip(state.NegotiatedProtocol)}
	for _, c := range chain {
		facts.Chain = append(facts.Chain, certificateFacts(c))
	}
	facts.Trust = trustOf(chain, l.settings.Roots, l.seen.Host, l.seen.At)
	l.seen.TLS = facts
	if l.rootless {
		return nil, known{Self, "this machine has no trusted root certificates, so none could be verified (install ca-certificates, or set tls.ca_file)"}
	}
	l.seen.Reached = PhaseTLS
	return session, nil
}

// clientConfig accepts any certificate (trustOf judges it afterwards) and offers
// what browsers offer and somewhat more, so that old servers are seen, not
// failed: RSA key exchange, which Go has dropped from its defaults, and TLS 1.0.
func clientConfig(name string) *tls.Config {
	var suites []uint16
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	suites = append(suites,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
	return &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true, //nolint:gosec // verified by hand, see trustOf
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       suites,
		NextProtos:         []string{"http/1.1"},
	}
}

// maxNames bounds the names recorded of one certificate.
const maxNames = 100

func certificateFacts(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	f := Certificate{
		SubjectCN:  clip(c.Subject.CommonName),
		IssuerCN:   clip(c.Issuer.CommonName),
		Serial:     clip(c.SerialNumber.Text(16)),
		SHA256:     hex.EncodeToString(sum[:]),
		NotBefore:  c.NotBefore.UTC(),
		NotAfter:   c.NotAfter.UTC(),
		SelfSigned: selfSigned(c),
	}
	if len(c.Issuer.Organization) > 0 {
		f.IssuerO = clip(c.Issuer.Organization[0])
	}
	for _, n := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
		f.Names = append(f.Names, clip(n))
	}
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames-len(f.Names))] {
		f.Names = append(f.Names, ip.String())
	}
	return f
}
