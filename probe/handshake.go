package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"net"
	"slices"
	"time"
)

// handshake does TLS and records what the peer presented, whether it verifies or
// not, and whether the handshake comes to its end or not.
func (l *look) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	l.doing = "doing the TLS handshake"
	config := clientConfig(l.seen.Host)
	config.NextProtos = protocols(l.request.Target)
	var shown tls.ConnectionState
	config.VerifyConnection = func(s tls.ConnectionState) error {
		shown = s
		return nil
	}
	asked, sent := false, false
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		if own := l.request.Certificate; own != nil && !l.request.Stranger {
			// The server's certificate came before (RFC 8446 section 2), and who it is
			// decides whether ours is shown.
			if l.presented(shown); l.seen.TLS.Valid(l.seen.At) {
				sent = true
				return own, nil
			}
			l.held = true
		}
		return &tls.Certificate{}, nil // none: RFC 8446 section 4.4.2
	}
	session := tls.Client(conn, config)
	began := time.Now()
	err := session.HandshakeContext(ctx)
	took := time.Since(began)
	if len(shown.PeerCertificates) > 0 {
		l.presented(shown)
		l.seen.TLS.ClientCertificate, l.seen.TLS.ClientCertificateSent = asked, sent
	}
	switch {
	case l.rootless && l.seen.TLS != nil && (err == nil || l.held):
		l.seen.Took.TLS = took
		return nil, known{Self, "this machine has no trusted root certificates, so none could be verified (install ca-certificates, or set tls.ca_file)"}
	case err != nil:
		return nil, err
	case l.seen.TLS == nil:
		return nil, known{Malformed, "the server presented no certificate"}
	}
	l.seen.Took.TLS = took
	l.seen.Reached = PhaseTLS
	return session, nil
}

// presented records the certificates and what can be said of them at once.
func (l *look) presented(s tls.ConnectionState) {
	chain := recorded(s.PeerCertificates)
	v := l.chains.verify(chain, l.settings.Roots, l.seen.At)
	facts := &TLS{Version: s.Version, ALPN: clip(s.NegotiatedProtocol), Chain: v.facts, Trust: v.trust}
	facts.Trust.NameMatches = chain[0].VerifyHostname(l.seen.Host) == nil // SANs only, never the CN
	if len(s.OCSPResponse) > 0 && v.issuer != nil {
		facts.Staple = stapled(s.OCSPResponse, chain[0], v.issuer, l.seen.At)
	}
	l.seen.TLS, l.chain, l.verified = facts, chain, v
}

// clientConfig accepts any certificate (verify judges it afterwards) and offers
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
		InsecureSkipVerify: true, //nolint:gosec // verified by hand, see verify
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       suites,
		NextProtos:         []string{"http/1.1"},
	}
}

// maxNames bounds the names recorded of one certificate.
const maxNames = 100

// certificateFacts describes one certificate. The names of an authority are not
// recorded: it should have none, and ten lists of them would be too much.
func certificateFacts(c *x509.Certificate, leaf bool) Certificate {
	sum := sha256.Sum256(c.Raw)
	f := Certificate{
		SubjectCN:  clip(c.Subject.CommonName),
		IssuerCN:   clip(c.Issuer.CommonName),
		Serial:     clip(c.SerialNumber.Text(16)),
		SHA256:     hex.EncodeToString(sum[:]),
		NotBefore:  c.NotBefore.UTC(),
		NotAfter:   c.NotAfter.UTC(),
		SelfSigned: selfSigned(c),
		Signature:  c.SignatureAlgorithm.String(),
		MustStaple: mustStaple(c),
		Logged:     Logged(c),
	}
	f.Key, f.Bits = keyOf(c)
	if len(c.Issuer.Organization) > 0 {
		f.IssuerO = clip(c.Issuer.Organization[0])
	}
	if !leaf {
		return f
	}
	for _, n := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
		f.Names = append(f.Names, clip(n))
	}
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames-len(f.Names))] {
		f.Names = append(f.Names, ip.String())
	}
	return f
}

func keyOf(c *x509.Certificate) (kind string, bits int) {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA", key.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", key.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 8 * len(key)
	}
	return clip(c.PublicKeyAlgorithm.String()), 0
}

// mustStaple looks for the feature status_request, 5 (RFC 7633 section 4.2.3.1).
func mustStaple(c *x509.Certificate) bool {
	feature := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	for _, e := range c.Extensions {
		var features []int
		if e.Id.Equal(feature) {
			if _, err := asn1.Unmarshal(e.Value, &features); err == nil {
				return slices.Contains(features, 5)
			}
		}
	}
	return false
}
