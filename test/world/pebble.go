package world

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// Certificate is a certificate with its chain, and its key, both in PEM.
type Certificate struct {
	Chain, Key []byte
}

// CA is a running ACME server whose root only this test trusts.
type CA struct {
	*Process
	// RootFile is its root certificate in PEM.
	RootFile string
	client   *acme.Client
}

// quarter is how long certificates live, if nothing else is said.
const quarter = 90 * 24 * time.Hour

// ShortLived runs pebble in a network of its own, whose certificates live for 160 hours, as
// those of Let's Encrypt's profile of that name do.
func ShortLived(t testing.TB, n Net) *CA {
	t.Helper()
	return startCA(t, shortDir(t), n.Addr(30), 160*time.Hour)
}

// startCA runs pebble. Its validation authority is told to accept everything:
// how names are proved to it is not our subject, what it issues is.
func startCA(t testing.TB, dir string, addr netip.Addr, lifetime time.Duration) *CA {
	t.Helper()
	dir = makeDir(t, filepath.Join(dir, "pebble"))
	api := netip.AddrPortFrom(addr, freePort(t, addr))
	management := netip.AddrPortFrom(addr, freePort(t, addr))
	own, pool := selfSigned(t, addr)
	conf := writeFile(t, filepath.Join(dir, "pebble.json"), fmt.Sprintf(`{"pebble": {
  "listenAddress": %q, "managementListenAddress": %q,
  "certificate": %q, "privateKey": %q,
  "httpPort": 5002, "tlsPort": 5001, "certificateValidityPeriod": %d
}}`, api, management,
		writeFile(t, filepath.Join(dir, "api.pem"), string(own.Chain)),
		writeFile(t, filepath.Join(dir, "api.key"), string(own.Key)), lifetime/time.Second))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	ca := &CA{client: &acme.Client{
		Key:          newKey(t),
		DirectoryURL: "https://" + api.String() + "/dir",
		HTTPClient:   &http.Client{Transport: transport},
	}}
	ca.Process = startProcess(t, dir, "pebble",
		[]string{"PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}, "pebble", "-config", conf)
	var root []byte
	ca.ready(t, func(ctx context.Context) error {
		// It listens for its management before it does for its clients.
		if _, err := fetch(ctx, ca.client.HTTPClient, ca.client.DirectoryURL); err != nil {
			return err
		}
		var err error
		root, err = fetch(ctx, ca.client.HTTPClient, "https://"+management.String()+"/roots/0")
		return err
	})
	ca.RootFile = writeFile(t, filepath.Join(dir, "root.pem"), string(root))
	if _, err := ca.client.Register(t.Context(), &acme.Account{}, acme.AcceptTOS); err != nil {
		t.Fatalf("register with pebble: %v", err)
	}
	return ca
}

// Issue orders a certificate for the names over ACME (RFC 8555), as a client of
// Let's Encrypt does.
func (ca *CA) Issue(t testing.TB, names ...string) Certificate {
	t.Helper()
	ctx := t.Context()
	order, err := ca.client.AuthorizeOrder(ctx, acme.DomainIDs(names...))
	if err != nil {
		t.Fatalf("order a certificate for %q: %v", names, err)
	}
	for _, url := range order.AuthzURLs {
		ca.authorize(t, url)
	}
	ready, err := ca.client.WaitOrder(ctx, order.URI)
	if err != nil {
		t.Fatalf("wait for the order of %q: %v", names, err)
	}
	key := newKey(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatalf("make a certificate request for %q: %v", names, err)
	}
	// Pebble answers the finalisation without the Location that CreateOrderCert
	// insists on, so the order itself is asked how it went.
	_, _, finalised := ca.client.CreateOrderCert(ctx, ready.FinalizeURL, csr, true)
	issued, err := ca.client.WaitOrder(ctx, order.URI)
	if err != nil || issued.Status != acme.StatusValid {
		t.Fatalf("finalise the order of %q: %v, %v", names, err, finalised)
	}
	chain, err := ca.client.FetchCert(ctx, issued.CertURL, true)
	if err != nil {
		t.Fatalf("fetch the certificate of %q: %v", names, err)
	}
	return Certificate{Chain: encodeChain(chain), Key: encodeKey(t, key)}
}

func (ca *CA) authorize(t testing.TB, url string) {
	t.Helper()
	ctx := t.Context()
	authz, err := ca.client.GetAuthorization(ctx, url)
	if err != nil {
		t.Fatalf("read an authorization: %v", err)
	}
	if authz.Status == acme.StatusValid {
		return
	}
	for _, c := range authz.Challenges {
		if c.Type != "dns-01" {
			continue
		}
		if _, err := ca.client.Accept(ctx, c); err != nil {
			t.Fatalf("accept the challenge for %s: %v", authz.Identifier.Value, err)
		}
	}
	if _, err := ca.client.WaitAuthorization(ctx, url); err != nil {
		t.Fatalf("prove %s: %v", authz.Identifier.Value, err)
	}
}

// selfSigned makes the certificate of pebble's own API, and the pool that trusts
// it.
func selfSigned(t testing.TB, addr netip.Addr) (Certificate, *x509.CertPool) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pebble's API"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{addr.AsSlice()}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("make pebble's own certificate: %v", err)
	}
	pool := x509.NewCertPool()
	chain := encodeChain([][]byte{der})
	pool.AppendCertsFromPEM(chain)
	return Certificate{Chain: chain, Key: encodeKey(t, key)}, pool
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	return key
}

func encodeChain(chain [][]byte) []byte {
	var b bytes.Buffer
	for _, der := range chain {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}

func encodeKey(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("encode a key: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func fetch(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}
