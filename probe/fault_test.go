package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// TestFaults meets every kind of bad peer on a real socket.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	// Elsewhere than on 127.0.0.1, where another test may be given the port meanwhile.
	elsewhere, err := lab.RandomNet()
	if err != nil {
		t.Fatal(err)
	}
	port, err := lab.FreePort(elsewhere.Addr(1))
	if err != nil {
		t.Fatal(err)
	}
	closed := netip.AddrPortFrom(elsewhere.Addr(1), port)

	for name, c := range map[string]struct {
		serve   func(net.Conn) // nil: nobody listens
		slow    bool
		want    Fault // Text must be contained
		reached Phase
	}{
		"nobody listens is refused": {
			nil, false, Fault{PhaseConnect, Refused, "connection refused: nothing listens on port"}, PhaseNone,
		},
		"accepts and says nothing is a timeout in TLS": {
			func(c net.Conn) { stall(c) }, true, Fault{PhaseTLS, Timeout, "timeout in the TLS handshake"}, PhaseConnect,
		},
		"hangs up without a word is closed in TLS": {
			func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, false, Fault{PhaseTLS, Closed, "PROXY protocol"}, PhaseConnect,
		},
		"reset in TLS": {
			func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); reset(c) }, false, Fault{PhaseTLS, Reset, "reset"}, PhaseConnect,
		},
		"plain HTTP on the port": {
			func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			}, false, Fault{PhaseTLS, NotTLS, "speaks plain HTTP, not TLS"}, PhaseConnect,
		},
		"another protocol on the port, with escapes in its banner": {
			func(c net.Conn) {
				_, _ = io.WriteString(c, "\x1b[2J-2.0-x\r\n")
				stall(c)
			}, false, Fault{PhaseTLS, NotTLS, `does not speak TLS (its answer begins with "\x1b[2J-")`}, PhaseConnect,
		},
		"a name that the server does not know is an alert": {
			func(c net.Conn) {
				cfg := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no") }}
				_ = tls.Server(c, cfg).Handshake()
			}, false, Fault{PhaseTLS, Alert, "(TLS alert internal error)"}, PhaseConnect,
		},
		"unrecognized_name is an alert with its meaning": {
			func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 112})
				stall(c)
			}, false, Fault{PhaseTLS, Alert, "the server has no certificate for this name (TLS alert unrecognized name)"}, PhaseConnect,
		},
		"half a hello, and then silence, is told from silence": {
			func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte{22, 3, 3, 0, 100, 2})
				stall(c)
			}, true, Fault{PhaseTLS, Timeout, "timeout in the TLS handshake, which the server began"}, PhaseConnect,
		},
		"a handshake that is as slow as can be": {
			func(c net.Conn) {
				next := time.NewTicker(time.Second)
				defer next.Stop()
				for _, err := c.Write([]byte{22}); err == nil; _, err = c.Write([]byte{3}) {
					<-next.C
				}
			}, true, Fault{PhaseTLS, Timeout, "timeout in the TLS handshake, which the server began"}, PhaseConnect,
		},
		"a broken handshake message is malformed": {
			func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte{22, 3, 3, 0, 4, 1, 0, 0, 0})
				stall(c)
			}, false, Fault{PhaseTLS, Malformed, "breaks the protocol"}, PhaseConnect,
		},
		"a server that wants a client certificate": {
			func(c net.Conn) {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.good}, ClientAuth: tls.RequireAnyClientCert})
				_ = s.Handshake()
				stall(c)
			}, false, Fault{PhaseHTTP, NoCertificate, "wants a client certificate"}, PhaseTLS,
		},
		"hangs up after the handshake": {
			tlsServer(w.good, func(c *tls.Conn) { _ = readRequest(c) }), false,
			Fault{PhaseHTTP, Closed, "hung up while we were waiting for the response"}, PhaseTLS,
		},
		"reset after the request": {
			tlsServer(w.good, func(c *tls.Conn) { _ = readRequest(c); reset(c.NetConn()) }), false,
			Fault{PhaseHTTP, Reset, "reset"}, PhaseTLS,
		},
		"never answers the request": {
			tlsServer(w.good, func(c *tls.Conn) { stall(c) }), true,
			Fault{PhaseHTTP, Timeout, "timeout while waiting for the response"}, PhaseTLS,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := closed
			if c.serve != nil {
				at = listen(t, c.serve)
			}
			o := observe(t, w, at, c.slow, c.want.Text)
			if o.Fault.Phase != c.want.Phase || o.Fault.Kind != c.want.Kind || !strings.Contains(o.Fault.Text, c.want.Text) {
				t.Errorf("fault %+v, want %+v", o.Fault, c.want)
			}
			if o.Reached != c.reached {
				t.Errorf("reached %q, want %q", o.Reached, c.reached)
			}
			if strings.Contains(o.Fault.Text, at.Addr().String()) {
				t.Errorf("the text names an address: %q", o.Fault.Text)
			}
			if o.Answers(o.At) {
				t.Error("it counts as an answer")
			}
		})
	}
}

// TestPlainHTTPToTLSIsNamed also where the server hangs up without a word, as HAProxy does.
func TestPlainHTTPToTLSIsNamed(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"TLS":               {tlsServer(w.good, nil), "speaks TLS, and was asked in plain HTTP"},
		"nobody who speaks": {func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, "hung up while we were waiting for the response"},
		"TLS beside plain HTTP, which breaks off": {func(c net.Conn) {
			peeked := bufio.NewReader(c)
			if first, err := peeked.Peek(1); err == nil && first[0] == 0x16 {
				tlsServer(w.good, nil)(peekedConn{c, peeked})
				return
			}
			_, _ = http.ReadRequest(peeked)
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall"))
			reset(c)
		}, "reset"},
	} {
		at := listen(t, c.serve)
		goal := target(at)
		goal.Scheme = inventory.SchemeHTTP
		if o := prober(w.roots).Observe(t.Context(), Request{Target: goal, Address: at}); !strings.Contains(o.Fault.Text, c.want) || o.TLS != nil {
			t.Errorf("%s: %+v", name, o.Fault)
		}
	}
}

// peekedConn is a connection of which the beginning was looked at.
type peekedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c peekedConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// observe looks once. At a peer that never comes to an end it looks again with
// more time until it gets that far, since the machine may be slow too.
func observe(t *testing.T, w world, at netip.AddrPort, slow bool, want string) Observation {
	if !slow {
		return prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at})
	}
	var o Observation
	for limit := 100 * time.Millisecond; limit < time.Minute; limit *= 4 {
		o = hasty(w.roots, limit).Observe(t.Context(), Request{Target: target(at), Address: at})
		if strings.Contains(o.Fault.Text, want) {
			break
		}
	}
	return o
}

// TestClassify covers what loopback cannot show.
func TestClassify(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("[2001:db8::1]:443")
	on := func(n syscall.Errno) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", n)} }
	for name, c := range map[string]struct {
		err  error
		at   netip.AddrPort
		want Kind
	}{
		"host unreachable":                {on(syscall.EHOSTUNREACH), v4, NoRoute},
		"network unreachable":             {on(syscall.ENETUNREACH), v4, NoRoute},
		"no IPv6 in this kernel":          {on(syscall.EAFNOSUPPORT), v6, NoRoute},
		"no IPv6 address to come from":    {on(syscall.EADDRNOTAVAIL), v6, NoRoute},
		"local ports used up":             {on(syscall.EADDRNOTAVAIL), v4, Self},
		"no file descriptors":             {on(syscall.EMFILE), v4, Self},
		"our own firewall":                {on(syscall.EPERM), v4, Self},
		"the kernel gave up":              {on(syscall.ETIMEDOUT), v4, Timeout},
		"the deadline":                    {context.DeadlineExceeded, v4, Timeout},
		"refused, as Windows counts":      {on(10061), v4, Refused},
		"an error that nobody knows here": {errors.New("?"), v4, Self},
	} {
		t.Run(name, func(t *testing.T) {
			if got := classify(PhaseConnect, "connecting", c.at, c.err); got.Kind != c.want || got.Text == "" {
				t.Errorf("%+v, want kind %s", got, c.want)
			}
		})
	}
}

func TestCancelledByUsIsNoFaultOfTheTarget(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		cancel()
		stall(c)
	})
	o := prober(nil).Observe(ctx, Request{Target: target(at), Address: at})
	if o.Fault.Kind != Self || o.Fault.Phase != PhaseTLS {
		t.Errorf("fault %+v", o.Fault)
	}
}

// panics is a context that fails in the middle of a look.
type panics struct{ context.Context }

func (panics) Deadline() (time.Time, bool) { panic("secret") }

func TestPanicIsOurFault(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:1")
	o := prober(nil).Observe(panics{t.Context()}, Request{Target: target(at), Address: at})
	if o.Fault != (Fault{PhaseConnect, Self, "a bug in driftprobe ended this look"}) {
		t.Errorf("fault %+v", o.Fault)
	}
}

func TestNoAddressIsOurFault(t *testing.T) {
	at := netip.AddrPort{}
	if o := prober(nil).Observe(t.Context(), Request{Target: target(at), Address: at}); o.Fault.Kind != Self {
		t.Errorf("fault %+v", o.Fault)
	}
}

func TestNoRootsAtAllIsOurFault(t *testing.T) {
	w := newWorld(t)
	for name, serve := range map[string]func(net.Conn){
		"as usual": tlsServer(w.good, nil),
		"where our certificate is wanted within the handshake": func(c net.Conn) {
			session := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.good}, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert})
			_ = session.Handshake()
			_ = session.Close()
		},
	} {
		at := listen(t, serve)
		p := prober(x509.NewCertPool())
		p.rootless = true
		o := p.Observe(t.Context(), Request{Target: target(at), Address: at, Certificate: &w.good})
		if o.Fault.Kind != Self || o.TLS == nil {
			t.Errorf("%s: fault %+v, facts %v", name, o.Fault, o.TLS)
		}
		if fs := Judge(Policy{}, o.At, target(at), inventory.Expected{}, []Observation{o}); len(fs) != 1 || fs[0].Code != "self/not-observed" {
			t.Errorf("%s: findings %+v", name, fs)
		}
	}
}

// TestNoGoroutineIsLeft looks for our own frames: the test's servers have
// goroutines too.
func TestNoGoroutineIsLeft(t *testing.T) {
	w := newWorld(t)
	ends := []netip.AddrPort{
		listen(t, tlsServer(w.good, says(okResponse))),
		listen(t, func(c net.Conn) { stall(c) }),
		listen(t, tlsServer(w.good, func(c *tls.Conn) { stall(c) })),
		listen(t, reset),
	}
	for _, at := range ends {
		hasty(w.roots, 100*time.Millisecond).Observe(t.Context(), Request{Target: target(at), Address: at})
	}
	stacks := make([]byte, 1<<20)
	for range 10_000 { // a goroutine that is about to end may need a turn
		text := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(text, "probe.interrupt") && !strings.Contains(text, "probe.(*look)") &&
			!strings.Contains(text, "tls.(*Conn).handshakeContext.func") {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
}
