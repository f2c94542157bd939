package probe

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"driftprobe/internal/inventory"
)

func behindTraefik(change ...func(*Bypass)) *Bypass {
	b := &Bypass{Service: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}}
	for _, c := range change {
		c(b)
	}
	return b
}

func speaking(b *Bypass)    { b.ProxyProtocol = true }
func terminating(b *Bypass) { b.TerminatesTLS = true }

// buffered is a connection of which a part was read already.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

// controller is an ingress controller that takes nobody without a PROXY header, as
// nginx and Traefik do, and notes the headers.
func controller(cert tls.Certificate, headers chan<- string) func(net.Conn) {
	return func(c net.Conn) {
		reader := bufio.NewReader(c)
		start, err := reader.Peek(6)
		if err != nil || string(start) != "PROXY " {
			headers <- "none"
			return
		}
		line, err := reader.ReadString('\n')
		headers <- line
		if err == nil {
			tlsServer(cert, says(okResponse))(buffered{c, reader})
		}
	}
}

func TestABypassedProbeSpeaksPROXYProtocol(t *testing.T) {
	w := newWorld(t)
	headers := make(chan string, 4)
	at := listen(t, controller(w.good, headers))
	// look returns what each of its connections began with.
	look := func(r Request) (Observation, string) {
		r.Target, r.Address = target(at), at
		o := prober(w.roots).Observe(t.Context(), r)
		all := <-headers
		for len(headers) > 0 {
			all += " " + <-headers
		}
		return o, all
	}
	o, header := look(Request{Bypass: behindTraefik(speaking)})
	fields := strings.Fields(strings.TrimSuffix(header, "\r\n"))
	if len(fields) != 6 || fields[0] != "PROXY" || fields[1] != "TCP4" || fields[2] != "127.0.0.1" || fields[3] != "127.0.0.1" ||
		fields[5] != netip.AddrPortFrom(at.Addr(), at.Port()).String()[len("127.0.0.1:"):] || !strings.HasSuffix(header, "\r\n") {
		t.Errorf("header %q", header)
	}
	if o.Fault != (Fault{}) || o.HTTP == nil || o.HTTP.Status != 200 || !reflect.DeepEqual(o.Bypass, behindTraefik(speaking)) {
		t.Errorf("%+v", o)
	}
	for name, r := range map[string]Request{
		"one past a load balancer that does not speak it": {Bypass: behindTraefik()},
		"one at a stranger's":                             {Bypass: behindTraefik(speaking), Stranger: true},
	} {
		if o, header := look(r); header != "none" || o.Fault.Phase != PhaseTLS {
			t.Errorf("%s sent %q: %+v", name, header, o.Fault)
		}
	}
	// One that crosses the load balancer is no load balancer: it says what would help.
	if o, header := look(Request{}); !strings.HasPrefix(header, "none PROXY TCP4 ") || o.Fault.Kind != NotIntroduced {
		t.Errorf("it sent %q: %+v", header, o.Fault)
	}
}

func TestProxyHeader(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"10.1.2.3:40000", "203.0.113.10:443", "PROXY TCP4 10.1.2.3 203.0.113.10 40000 443\r\n"},
		{"[::ffff:10.1.2.3]:40000", "[::ffff:203.0.113.10]:8443", "PROXY TCP4 10.1.2.3 203.0.113.10 40000 8443\r\n"},
		{"[fd00::1]:40000", "[2001:db8::10]:443", "PROXY TCP6 fd00::1 2001:db8::10 40000 443\r\n"},
		{"[fe80::1%eth0]:65535", "[2001:db8::10]:443", "PROXY TCP6 fe80::1 2001:db8::10 65535 443\r\n"},
	} {
		got := proxyHeader(netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to))
		if got != c.want || len(got) > 107 { // the most that the specification allows
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// From inside the cluster nothing is said of the load balancer.
func TestJudgeOfABypassedProbe(t *testing.T) {
	bypass := func(change ...func(*Bypass)) func(*Observation) {
		return func(o *Observation) { o.Bypass = behindTraefik(change...) }
	}
	closed := fault(PhaseTLS, Closed, "the peer hung up")
	plain := fault(PhaseTLS, NotTLS, "port 443 speaks plain HTTP, not TLS")
	for _, c := range []struct {
		rule string
		seen Observation
		want []string
		says []string
	}{
		{"what works works", seen(bypass()), nil, nil},
		{
			"that nobody answers is about the ingress controller", seen(fault(PhaseConnect, Refused, "refused"), bypass()),
			[]string{on("critical http/unreachable")},
			[]string{"from the ingress controller behind traefik/traefik", "endpointslices -l kubernetes.io/service-name=traefik", "203.0.113.10 (from inside the cluster, past the load balancer)"},
		},
		{"a handshake that fails for no reason of ours is a fault", seen(plain, bypass()), []string{on("critical tls/handshake")}, []string{"past the load balancer"}},
		{
			"one that fails where the load balancer ends TLS is nothing that clients see", seen(plain, bypass(terminating)),
			[]string{on("unknown self/bypassed")}, []string{"the load balancer ends TLS, and this probe went past it: port 443 speaks plain HTTP", "look from outside"},
		},
		{"nor is a bad certificate there", seen(untrusted("unknown authority"), bypass(terminating)), []string{on("unknown self/bypassed")}, nil},
		{"a good one there is as good as it looks", seen(bypass(terminating)), nil, nil},
		{"an application that fails there fails for clients too", seen(status(503), bypass(terminating)), []string{on("critical http/status")}, nil},
		{
			"one that fails although we spoke PROXY protocol may be our own introduction", seen(closed, bypass(speaking)),
			[]string{on("unknown self/bypassed")}, []string{"did so itself (version 1), and was not understood: the peer hung up"},
		},
		{"a bad certificate behind PROXY protocol is what clients see", seen(untrusted("unknown authority"), bypass(speaking)), []string{on("critical tls/untrusted")}, nil},
		{"a refused connection is no question of PROXY protocol", seen(fault(PhaseConnect, Refused, "refused"), bypass(speaking)), []string{on("critical http/unreachable")}, nil},
		{"a fault of ours stays ours", seen(fault(PhaseTLS, Self, "no roots"), bypass(terminating)), []string{on("unknown self/not-observed")}, nil},
		{"without a bypass the same is a fault", seen(closed), []string{on("critical http/unreachable")}, []string{"both sides agree on PROXY protocol"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			e := inventory.Expected{Known: true, Addresses: []netip.Addr{c.seen.Address.Addr()}, Service: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}}
			fs := Judge(Policy{}, noon(), shop(), e, []Observation{c.seen})
			if got := lines(fs); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
			var text strings.Builder
			for _, f := range fs {
				text.WriteString(strings.Join(append(f.SeenAt, f.Summary, f.Expected, f.Observed, f.Hint), "\n"))
				if c.seen.Bypass != nil && (strings.Contains(f.Expected, "from the load balancer") || !strings.Contains(f.SeenAt[0], past)) {
					t.Errorf("it speaks of the load balancer: %+v", f)
				}
			}
			for _, s := range c.says {
				if !strings.Contains(text.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, text.String())
				}
			}
		})
	}
}
