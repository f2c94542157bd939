package probe

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// publisher counts the connections that reach it.
func publisher(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var count atomic.Int64
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			count.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &count
}

// TestFetchGoesNowhereSpecial: what only a certificate names is never connected to at
// a special-purpose address, however it is spelled.
func TestFetchGoesNowhereSpecial(t *testing.T) {
	s, count := publisher(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	p := New(Settings{Roots: x509.NewCertPool()})
	for _, url := range []string{
		s.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://[::ffff:7f00:1]:" + port,
		"http://[64:ff9b::7f00:1]:" + port, "http://0.0.0.0:" + port, "http://[::]:" + port,
		"http://user@127.0.0.1:" + port, "https://127.0.0.1:" + port, "ftp://127.0.0.1:" + port, "file:///etc/passwd", "ldap:///cn=x", "http://", "",
	} {
		if _, err := p.fetch(t.Context(), url, 100); err == nil {
			t.Errorf("%q was fetched", url)
		}
	}
	if n := count.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
	for address, want := range map[string]bool{
		"1.1.1.1:80": true, "1.1.1.1:8080": false, "[2606:4700::1]:80": true,
		"169.254.169.254:80": false, "10.0.0.1:80": false, "[::ffff:10.0.0.1]:80": false, "[fe80::1%eth0]:80": false, "x": false,
	} {
		if got := p.mayFetch(address) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// TestCertificatesSendNobodyAnywhere: the same through a whole look, at an address
// that is pinned.
func TestCertificatesSendNobodyAnywhere(t *testing.T) {
	s, count := publisher(t, func(http.ResponseWriter, *http.Request) {})
	w := newWorld(t)
	names := func(c *x509.Certificate) {
		c.IssuingCertificateURL, c.CRLDistributionPoints = []string{s.URL + "/issuer"}, []string{s.URL + "/list"}
	}
	p := New(Settings{Roots: w.roots, Timeout: time.Minute, FetchIssuers: true})
	for _, cert := range []*keypair{newLeaf(t, w.intermediate, host, names), newLeaf(t, w.root, host, names)} {
		at := listen(t, tlsServer(presented(cert), says(okResponse)))
		o := p.Observe(t.Context(), Request{Target: target(at), Address: at, Pinned: true})
		if o.HTTP == nil || o.TLS.List != nil {
			t.Errorf("observation %+v", o)
		}
	}
	// A stranger's certificate is not asked about, even where the address is allowed.
	at := listen(t, tlsServer(presented(newLeaf(t, w.root, host, names)), nil))
	p = New(Settings{Roots: w.roots, Allow: loopback(), Timeout: time.Minute, FetchIssuers: true})
	if o := p.Observe(t.Context(), Request{Target: target(at), Address: at, Stranger: true}); o.TLS == nil {
		t.Errorf("observation %+v", o)
	}
	if n := count.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestFetchIsBounded(t *testing.T) {
	s, count := publisher(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = w.Write(make([]byte, 101))
		case "/moved":
			http.Redirect(w, r, "/right", http.StatusFound)
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("a", 2*maxHeader))
		case "/gone":
			http.NotFound(w, r)
		case "/slow":
			<-r.Context().Done()
		default:
			_, _ = w.Write([]byte(r.UserAgent()))
		}
	})
	p := New(Settings{Allow: loopback(), UserAgent: "driftprobe/test"})
	if got, err := p.fetch(t.Context(), s.URL+"/right", 100); err != nil || string(got) != "driftprobe/test" {
		t.Errorf("%q, %v", got, err)
	}
	for _, path := range []string{"/long", "/moved", "/header", "/gone"} {
		if got, err := p.fetch(t.Context(), s.URL+path, 100); err == nil {
			t.Errorf("%s: %q", path, got)
		}
	}
	if n := count.Load(); n != 5 {
		t.Errorf("%d connections: a redirect was followed", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.fetch(ctx, s.URL+"/slow", 100); err == nil {
		t.Error("it had no end")
	}
}

// TestWhatIsPublishedIsFetchedOnce: for many chains that lack it.
func TestWhatIsPublishedIsFetchedOnce(t *testing.T) {
	w := newWorld(t)
	s, count := publisher(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(w.intermediate.cert.Raw) })
	p := New(Settings{Roots: w.roots, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: time.Minute, FetchIssuers: true})
	for range 3 {
		leaf := newLeaf(t, w.intermediate, host, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{s.URL} })
		at := listen(t, tlsServer(presented(leaf), says(okResponse)))
		o := p.Observe(t.Context(), Request{Target: target(at), Address: at})
		if m := o.TLS.Trust.Missing; m == nil || !m.Found || o.TLS.Trust.Trusted || o.Answers(o.At) {
			t.Errorf("trust %+v", o.TLS.Trust)
		}
	}
	if n := count.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
