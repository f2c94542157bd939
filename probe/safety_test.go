package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// canary counts the connections to an address that nobody may go to. It is another
// loopback address than the target's, so that only the target's own is pinned.
func canary(t *testing.T) (netip.AddrPort, *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	count := new(atomic.Int32)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	return netip.MustParseAddrPort(listener.Addr().String()), count
}

// spellings are ways to write 127.0.0.2 as the host of a URL. Go's own resolver
// takes few of them; whatever reads them, nothing may be connected to.
func spellings() []string {
	return []string{
		"127.0.0.2", "127.2", "127.0.2", "2130706434", "0x7f000002", "0x7f.0.0.2", "0177.0.0.2", "017700000002",
		"127.0.0.2.", "①②⑦.⓪.⓪.②", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[::127.0.0.2]", "[64:ff9b::127.0.0.2]",
		"[64:ff9b::7f00:2]", "[2002:7f00:2::]", "[::1]", "localhost", "0", "0.0.0.0", "[::]", "api.shop.example@127.0.0.2", "api.shop.example%2f@127.0.0.2",
	}
}

// TestRedirectsLeadToNoForbiddenAddress: neither an address in the URL, however it
// is spelled, nor one that the DNS gives for a host that is allowed.
func TestRedirectsLeadToNoForbiddenAddress(t *testing.T) {
	w := newWorld(t)
	forbidden, count := canary(t)
	var location atomic.Value
	own := handled(t, w, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Location", location.Load().(string))
		rw.WriteHeader(http.StatusFound)
	})
	goal := target(own)
	following("inner.example", "127.0.0.2", "localhost")(&goal)
	look := func(to string, found ...netip.Addr) Observation {
		location.Store(to)
		p := New(Settings{Roots: w.roots, Timeout: time.Minute, Lookup: func(context.Context, string) ([]netip.Addr, bool) { return found, true }})
		return p.Observe(t.Context(), Request{Target: goal, Address: own, Pinned: true, Headers: http.Header{"Authorization": {"s3cret"}}})
	}
	var urls []string
	for _, s := range spellings() {
		for _, form := range []string{"https://%s:%d/", "//%s:%d/x", `https:\\%s:%d/`, "https://%s:%d#@api.shop.example/"} {
			urls = append(urls, fmt.Sprintf(form, s, forbidden.Port()))
		}
	}
	for _, to := range urls {
		if o := look(to, forbidden.Addr()); o.HTTP == nil {
			t.Errorf("%s: the target itself was not asked: %+v", to, o.Fault)
		}
	}
	// Allowed as a host, and read as its author meant by whoever resolves it.
	for _, s := range spellings() {
		text := fmt.Sprintf("https://%s:%d/", s, forbidden.Port())
		u, err := url.Parse(text)
		if err != nil {
			continue // leads nowhere
		}
		following(asciiName(u.Hostname()))(&goal)
		if o := look(text, forbidden.Addr()); o.HTTP == nil || !strings.Contains(o.HTTP.Stopped, "special-purpose") {
			t.Errorf("%s as an allowed host: %+v, %+v", s, o.HTTP, o.Fault)
		}
	}
	following("inner.example")(&goal)
	for _, a := range []string{
		"127.0.0.2", "::ffff:127.0.0.2", "::127.0.0.2", "64:ff9b::127.0.0.2", "2002:7f00:2::", "0.0.0.0", "::", "::1",
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "fe80::1", "fe80::1%lo", "fd00:ec2::254", "64:ff9b:1::1", "224.0.0.1", "255.255.255.255",
	} {
		o := look(fmt.Sprintf("https://inner.example:%d/", forbidden.Port()), netip.MustParseAddr(a))
		if o.HTTP == nil || !strings.Contains(o.HTTP.Stopped, "special-purpose") {
			t.Errorf("the DNS gave %s: %+v, %+v", a, o.HTTP, o.Fault)
		}
	}
	// The DNS names the address for the target itself.
	for _, at := range []netip.AddrPort{forbidden, netip.AddrPortFrom(netip.AddrFrom16(forbidden.Addr().As16()), forbidden.Port())} {
		p := New(Settings{Roots: w.roots, Timeout: time.Minute})
		if o := p.Observe(t.Context(), Request{Target: goal, Address: at}); o.Fault.Kind != Forbidden {
			t.Errorf("%s: %+v", at, o.Fault)
		}
	}
	if n := count.Load(); n != 0 {
		t.Errorf("%d connections to a forbidden address", n)
	}
	// The canary can sing: allowed, the address is gone to.
	p := New(Settings{Roots: w.roots, Timeout: time.Minute, Allow: loopback()})
	p.Observe(t.Context(), Request{Target: goal, Address: forbidden})
	if count.Load() == 0 {
		t.Error("the canary counts nothing")
	}
}

// TestSecretsGoNowhereElse: over redirects only to the same scheme, host and port,
// never to another host, and never to who can't prove to be the target.
func TestSecretsGoNowhereElse(t *testing.T) {
	w := newWorld(t)
	other := presented(newLeaf(t, w.intermediate, "www.shop.example"), w.intermediate)
	received := make(chan *http.Request, 4)
	elsewhere := listen(t, tlsServer(other, func(c *tls.Conn) {
		r := readRequest(c)
		_, _ = io.WriteString(c, okResponse)
		received <- r
	}))
	second := listen(t, tlsServer(w.good, func(c *tls.Conn) {
		r := readRequest(c)
		_, _ = io.WriteString(c, okResponse)
		received <- r
	}))
	secret := Request{
		Headers: http.Header{"Authorization": {"Bearer s3cret"}, "X-Api-Key": {"s3cret"}}, Body: []byte("s3cret"),
	}
	for name, c := range map[string]struct {
		url    string
		status int
		asked  bool
	}{
		"another host":                          {fmt.Sprintf("https://www.shop.example:%d/?q=1", elsewhere.Port()), 302, true},
		"another port of the same host":         {fmt.Sprintf("https://%s:%d/", host, second.Port()), 302, true},
		"the body to another host":              {fmt.Sprintf("https://www.shop.example:%d/", elsewhere.Port()), 307, false},
		"the body to another port":              {fmt.Sprintf("https://%s:%d/", host, second.Port()), 308, false},
		"another host, with a password of ours": {fmt.Sprintf("https://u:p@www.shop.example:%d/", elsewhere.Port()), 303, true},
	} {
		t.Run(name, func(t *testing.T) {
			own := handled(t, w, func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					t.Error("the target itself did not get the header")
				}
				rw.Header().Set("Location", c.url)
				rw.WriteHeader(c.status)
			})
			goal := target(own)
			following("www.shop.example")(&goal)
			goal.Method, goal.SendsBody = "POST", true
			r := secret
			r.Target, r.Address = goal, own
			p := New(Settings{Roots: w.roots, Timeout: time.Minute, Allow: loopback(), Lookup: func(context.Context, string) ([]netip.Addr, bool) {
				return []netip.Addr{elsewhere.Addr()}, true
			}})
			o := p.Observe(t.Context(), r)
			if !c.asked {
				if o.HTTP == nil || o.HTTP.Stopped == "" || len(received) > 0 {
					t.Errorf("%+v, %d requests", o.HTTP, len(received))
				}
				return
			}
			if o.HTTP == nil || o.HTTP.Stopped != "" {
				t.Fatalf("%+v", o)
			}
			got := <-received
			if text := fmt.Sprint(got.Method, got.Header, got.ContentLength); got.Method != "GET" || strings.Contains(text, "s3cret") || got.Header.Get("Authorization") != "" || got.ContentLength > 0 {
				t.Errorf("it received %s", text)
			}
		})
	}
}

// TestAnImposterGetsNothing: who has not the page that proves it is asked for that
// page alone.
func TestAnImposterGetsNothing(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var asked []string
	own := handled(t, w, func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		text, _ := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprint(r.Method, r.URL, r.Header, string(text)))
		_, _ = io.WriteString(rw, "ok")
	})
	goal := target(own)
	goal.Method, goal.SendsBody = "POST", true
	goal.Expect.Identity = inventory.Identity{Path: "/proof", Regex: "^3f9a$"}
	o := prober(w.roots).Observe(t.Context(), Request{
		Target: goal, Address: own, Headers: http.Header{"Authorization": {"s3cret"}}, Body: []byte("s3cret"),
	})
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 || strings.Contains(asked[0], "s3cret") || strings.Contains(asked[0], "healthz") || o.Identity == nil || *o.Identity || o.HTTP != nil || o.Answers(o.At) {
		t.Errorf("it was asked %q; %+v", asked, o)
	}
}

// TestAClientCertificateIsPresented, and to no stranger.
func TestAClientCertificateIsPresented(t *testing.T) {
	w := newWorld(t)
	own := presented(newLeaf(t, w.intermediate, "probe.example"))
	for _, stranger := range []bool{false, true} {
		got := make(chan int, 1)
		at := listen(t, func(c net.Conn) {
			session := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.good}, ClientAuth: tls.RequestClientCert})
			_ = session.Handshake()
			got <- len(session.ConnectionState().PeerCertificates)
			says(okResponse)(session)
			_ = session.Close()
		})
		o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at, Stranger: stranger, Certificate: &own})
		if n := <-got; (n == 1) == stranger || !o.Answers(o.At) {
			t.Errorf("stranger %v: %d certificates; %+v", stranger, n, o.Fault)
		}
	}
}
