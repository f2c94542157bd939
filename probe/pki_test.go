package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// keypair is a certificate with its key: a root, an intermediate or a leaf.
type keypair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

type edit func(*x509.Certificate)

// issue makes a certificate signed by the authority, or by itself if by is nil.
func issue(t testing.TB, by *keypair, template *x509.Certificate, edits ...edit) *keypair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-24*time.Hour), time.Now().Add(89*24*time.Hour)
	for _, e := range edits {
		e(template)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &keypair{cert, key}
}

func newCA(t testing.TB, by *keypair, name string, edits ...edit) *keypair {
	t.Helper()
	return issue(t, by, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, edits...)
}

func newLeaf(t testing.TB, by *keypair, name string, edits ...edit) *keypair {
	t.Helper()
	return issue(t, by, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, edits...)
}

func dates(from, to time.Duration) edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
}

func subject(n pkix.Name) edit { return func(c *x509.Certificate) { c.Subject = n } }

func names(list ...string) edit { return func(c *x509.Certificate) { c.DNSNames = list } }

// presented is what a server sends: the leaf and what is sent beside it.
func presented(leaf *keypair, beside ...*keypair) tls.Certificate {
	c := tls.Certificate{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}
	for _, b := range beside {
		c.Certificate = append(c.Certificate, b.cert.Raw)
	}
	return c
}

func pool(roots ...*keypair) *x509.CertPool {
	p := x509.NewCertPool()
	for _, r := range roots {
		p.AddCert(r.cert)
	}
	return p
}

// world is one authority and one good certificate for host.
const host = "api.shop.example"

type world struct {
	root, intermediate, leaf *keypair
	roots                    *x509.CertPool
	good                     tls.Certificate
}

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{}
	w.root = newCA(t, nil, "Test Root", dates(-10*365*24*time.Hour, 10*365*24*time.Hour))
	w.intermediate = newCA(t, w.root, "Test R3", dates(-365*24*time.Hour, 365*24*time.Hour))
	w.leaf = newLeaf(t, w.intermediate, host)
	w.roots = pool(w.root)
	w.good = presented(w.leaf, w.intermediate)
	return w
}

// tlsServer does the handshake with the certificate and hands over.
func tlsServer(cert tls.Certificate, then func(*tls.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		session := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10})
		if session.Handshake() == nil && then != nil {
			then(session)
		}
		_ = session.Close()
	}
}
