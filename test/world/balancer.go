package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Balancer is one haproxy that ends TLS at one address and answers 200 itself.
type Balancer struct {
	*Process
	At netip.AddrPort
}

// Balancer starts a load balancer at an address, port 443, that presents the
// certificate for every name.
func (w *World) Balancer(t testing.TB, addr netip.Addr, cert Certificate) *Balancer {
	t.Helper()
	return w.BalancerAt(t, netip.AddrPortFrom(addr, 443), cert)
}

// BalancerAt is Balancer at a port of choice; 0 picks a free one.
func (w *World) BalancerAt(t testing.TB, at netip.AddrPort, cert Certificate) *Balancer {
	t.Helper()
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), freePort(t, at.Addr()))
	}
	name := "balancer-" + strings.ReplaceAll(at.Addr().String(), ":", "_")
	dir := makeDir(t, filepath.Join(w.dir, name))
	pem := writeFile(t, filepath.Join(dir, "site.pem"), string(cert.Chain)+string(cert.Key))
	conf := writeFile(t, filepath.Join(dir, "haproxy.cfg"), fmt.Sprintf(`global
    log stdout format raw local0
defaults
    mode http
    log global
    log-format "request %%HM %%HP"
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend site
    bind %s ssl crt %s alpn h2,http/1.1
    http-request return status 200 content-type text/plain string "shop at %s"
`, at, pem, at.Addr()))
	b := &Balancer{At: at}
	b.Process = startProcess(t, dir, name, nil, "haproxy", "-db", "-f", conf)
	b.ready(t, func(ctx context.Context) error {
		// Ready means that it shakes hands; whom to trust is the test's question.
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", at.String())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return b
}

// Requests are the requests that it has answered so far, as "GET /path". A
// connection that ended before its request is "<BADREQ> <BADREQ>".
func (b *Balancer) Requests(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(b.log)
	if err != nil {
		t.Fatalf("read the log of %s: %v", b.name, err)
	}
	var requests []string
	for line := range strings.Lines(string(text)) {
		if request, ok := strings.CutPrefix(strings.TrimSpace(line), "request "); ok {
			requests = append(requests, request)
		}
	}
	return requests
}

// freePort finds a TCP port that nobody listens on at the address.
func freePort(t testing.TB, addr netip.Addr) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		t.Fatalf("find a free port on %s: %v", addr, err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}
