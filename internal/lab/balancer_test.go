package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clientFor reaches one balancer whatever the host, as a prober does.
func clientFor(b *Balancer, roots *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", b.Addr().String())
		},
	}}
}

func fetch(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func newTestBalancer(t *testing.T, certs ...tls.Certificate) *Balancer {
	t.Helper()
	n := must[Net](t)(RandomNet())
	return closing[*Balancer](t)(NewBalancer(netip.AddrPortFrom(n.Addr(10), 0), certs...))
}

func TestBalancerServesByNameAndLogs(t *testing.T) {
	ca := must[*CA](t)(NewCA("Test Root"))
	mid := must[*CA](t)(ca.Intermediate(CertSpec{CommonName: "Test R1"}))
	one := must[tls.Certificate](t)(mid.Issue(CertSpec{Names: []string{"*.shop.example", "shop.example"}}))
	two := must[tls.Certificate](t)(mid.Issue(CertSpec{Names: []string{"other.example"}}))
	b := newTestBalancer(t, one, two)
	b.SetHandler("API.shop.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "api "+r.Header.Get("X-Test"))
	}))
	client := clientFor(b, ca.Pool())
	for url, want := range map[string]string{"https://api.shop.example/x?y=1": "api ", "https://other.example/": "ok"} {
		got, err := fetch(t, client, url)
		noError(t, err)
		equal(t, url, got, want)
	}
	if _, err := fetch(t, client, "https://unknown.example/"); err == nil || !strings.Contains(err.Error(), "not unknown.example") {
		t.Errorf("unknown name got the default certificate? %v", err)
	}
	equal(t, "counts", []int{b.Conns.Len(), b.Hellos.Len(), b.Requests.Len()}, []int{3, 3, 2})
	for _, r := range b.Requests.All() {
		equal(t, "SNI is the host", r.SNI, r.Host)
		equal(t, "HTTP/2", r.Proto, "HTTP/2.0")
	}
	if b.Handshakes() < 2 {
		t.Errorf("%d handshakes", b.Handshakes())
	}
	b.SetDefault(nil)
	if _, err := fetch(t, client, "https://unknown.example/"); err == nil || strings.Contains(err.Error(), "not unknown.example") {
		t.Errorf("without a default the handshake fails, got %v", err)
	}
}

func TestBalancerModes(t *testing.T) {
	ca := must[*CA](t)(NewCA("Test Root"))
	b := newTestBalancer(t, must[tls.Certificate](t)(ca.Issue(CertSpec{Names: []string{"a.example"}})))
	client := clientFor(b, ca.Pool())

	b.SetMode(ModeReset)
	if _, err := fetch(t, client, "https://a.example/"); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset gave %v", err)
	}
	b.SetMode(ModeSilent)
	conn := must[net.Conn](t)(net.Dial("tcp", b.Addr().String()))
	defer func() { _ = conn.Close() }()
	_, err := b.Conns.Wait(t.Context(), 2)
	noError(t, err)
	equal(t, "no handshake", b.Hellos.Len(), 0)

	noError(t, b.Stop())
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("a silent connection lives on after Stop")
	}
	if _, err := fetch(t, client, "https://a.example/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("stopped gave %v", err)
	}
	b.SetMode(ModeServe)
	noError(t, b.Start())
	got, err := fetch(t, client, "https://a.example/")
	noError(t, err)
	equal(t, "started again", got, "ok")
}

func TestCertificatesMadeToOrder(t *testing.T) {
	ca := must[*CA](t)(NewCA("Test Root"))
	mid := must[*CA](t)(ca.Intermediate(CertSpec{CommonName: "Test R1"}))
	oldMid := must[*CA](t)(ca.Intermediate(CertSpec{CommonName: "Old R1", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}))
	names := []string{"a.example"}
	for _, tc := range []struct {
		rule string
		cert func() (tls.Certificate, error)
		want string // part of the error; empty means it verifies
	}{
		{"valid", func() (tls.Certificate, error) { return mid.Issue(CertSpec{Names: names}) }, ""},
		{"expired", func() (tls.Certificate, error) {
			return mid.Issue(CertSpec{Names: names, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
		}, "expired"},
		{"not yet valid", func() (tls.Certificate, error) {
			return mid.Issue(CertSpec{Names: names, NotBefore: time.Now().Add(time.Hour)})
		}, "not yet valid"},
		{"another name", func() (tls.Certificate, error) { return mid.Issue(CertSpec{Names: []string{"b.example"}}) }, "not a.example"},
		{"missing intermediate", func() (tls.Certificate, error) {
			return mid.Issue(CertSpec{Names: names, OmitIntermediates: true})
		}, "unknown authority"},
		{"expired intermediate", func() (tls.Certificate, error) { return oldMid.Issue(CertSpec{Names: names}) }, "expired"},
		{"self-signed", func() (tls.Certificate, error) { return SelfSigned(CertSpec{Names: names}) }, "unknown authority"},
		{"Traefik's default", TraefikDefault, "not a.example"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			b := newTestBalancer(t, must[tls.Certificate](t)(tc.cert()))
			_, err := fetch(t, clientFor(b, ca.Pool()), "https://a.example/")
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	cert := must[tls.Certificate](t)(TraefikDefault())
	equal(t, "Traefik's subject", cert.Leaf.Subject.CommonName, "TRAEFIK DEFAULT CERT")
	if !strings.HasSuffix(cert.Leaf.DNSNames[0], ".traefik.default") {
		t.Errorf("names %v", cert.Leaf.DNSNames)
	}
	weak := must[tls.Certificate](t)(ca.Issue(CertSpec{Names: names, RSABits: 1024, Alter: func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "x") }}))
	equal(t, "RSA and Alter", []any{weak.Leaf.PublicKeyAlgorithm.String(), weak.Leaf.DNSNames}, []any{"RSA", []string{"a.example", "x"}})
}
