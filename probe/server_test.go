package probe

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// listen serves each connection with handle until the test ends. Handlers see
// their connection closed then.
func listen(t testing.TB, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() {
				defer func() { _ = c.Close() }()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return netip.MustParseAddrPort(listener.Addr().String())
}

// handled is a whole HTTP server.
func handled(t *testing.T, w world, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{w.good}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

func following(hosts ...string) func(*inventory.Target) {
	return func(t *inventory.Target) { t.Redirects = inventory.Redirects{Follow: true, Hosts: hosts} }
}

// says reads one request and answers with the text as it stands.
func says(text string) func(*tls.Conn) {
	return func(c *tls.Conn) {
		if readRequest(c) != nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

func readRequest(c io.Reader) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return nil
	}
	return r
}

const okResponse = "HTTP/1.1 200 OK\r\nServer: lab\r\nContent-Length: 2\r\n\r\nok"

// stall reads until the other side gives up.
func stall(c io.Reader) { _, _ = io.Copy(io.Discard, c) }

func target(at netip.AddrPort) inventory.Target {
	return inventory.Target{Key: "https://" + host + "/", Host: host, Port: at.Port(), Path: "/healthz?full=1"}
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func prober(roots *x509.CertPool) *Prober {
	return New(Settings{Roots: roots, Allow: loopback(), Timeout: time.Minute, UserAgent: "driftprobe/test"})
}

// hasty is for peers that never come to an end.
func hasty(roots *x509.CertPool, limit time.Duration) *Prober {
	return New(Settings{Roots: roots, Allow: loopback(), Timeout: limit})
}
