package dnscheck_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// noWay is an address to which no machine has a way: link-local, without a link.
const noWay = "fe80::1"

// serveAtSix answers at [::1], on the port of the tree. Where the machine has no
// IPv6, ok is false; it does not fail, as then the tests expect that such a server
// is left out.
func serveAtSix(t *testing.T, port uint16, handle dns.HandlerFunc) (ok bool) {
	t.Helper()
	conn, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv6Loopback(), port)))
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan error, 1)
	server := &dns.Server{PacketConn: conn, Handler: handle, NotifyStartedFunc: func() { close(started) }}
	go func() { ended <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(), <-ended); err != nil {
			t.Error(err)
		}
	})
	return true
}

// zoneAtSix serves a zone there.
func zoneAtSix(t *testing.T, port uint16, text string) (ok bool) {
	t.Helper()
	zone, err := lab.NewZone(text)
	if err != nil {
		t.Fatal(err)
	}
	return serveAtSix(t, port, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		zone.Answer(m, q.Question[0])
		_ = w.WriteMsg(m) // a lost answer fails the test by itself
	})
}

// dualShop is shop.example on one server, with the glue given.
func dualShop(t *testing.T, glue string) realm {
	t.Helper()
	return newRealm(t, func(r realm) []lab.ZoneSpec {
		z := r.oneServer("shop.example.", 11, "www 60 A 192.0.2.1\nwww 60 AAAA 2001:db8::1")
		z.Delegation = "shop NS ns.shop\n" + strings.ReplaceAll(glue, "FOUR", r.net.Addr(11).String())
		return []lab.ZoneSpec{z}
	}, nil)
}

func TestBothAddressesOfAServerAreAsked(t *testing.T) {
	t.Parallel()
	r := dualShop(t, "ns.shop A FOUR\nns.shop AAAA ::1")
	six := zoneAtSix(t, r.tree.Port(), "shop.example. 60 SOA ns.shop.example. m. 1 2 3 4 5\nwww.shop.example. 60 A 192.0.2.1\nwww.shop.example. 60 AAAA 2001:db8::2")
	want := `
	www.shop.example in shop.example
	  ns.shop.example A ok 192.0.2.1 ttl 60
	  ns.shop.example AAAA ok 2001:db8::1 ttl 60
	`
	if six {
		want += `  ns.shop.example A ok 192.0.2.1 ttl 60
	  ns.shop.example AAAA ok 2001:db8::2 ttl 60
	`
	}
	o := r.dns.Observe(t.Context(), "www.shop.example")
	expect(t, o, want)
	for i, a := range o.Steps[0].Answers {
		if want := i >= 2; a.Server.Address.Addr().Is6() != want {
			t.Errorf("answer %d is from %s, IPv4 comes first", i, a.Server)
		}
	}
}

func TestAServerWithoutAWayToItIsLeftOut(t *testing.T) {
	t.Parallel()
	const found = `
	www.shop.example in shop.example
	  ns.shop.example A ok 192.0.2.1 ttl 60
	  ns.shop.example AAAA ok 2001:db8::1 ttl 60
	`
	for _, c := range []struct{ rule, glue, want string }{
		{"one of two addresses of a server", "ns.shop A FOUR\nns.shop AAAA " + noWay, found},
		{"a second server that has no other", "ns.shop A FOUR\nshop NS six.shop\nsix.shop AAAA " + noWay, found},
		{"a second server whose address is looked up", "ns.shop A FOUR\nshop NS six.nic.test.", found},
		{"all servers", "ns.shop AAAA " + noWay, "www.shop.example in shop.example: unreachable at shop.example, negative TTL 0\n"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := dualShop(t, c.glue)
			if err := r.tree.SetRecords("test.", "six.nic 60 AAAA "+noWay); err != nil {
				t.Fatal(err)
			}
			o := r.dns.Observe(t.Context(), "www.shop.example")
			expect(t, o, c.want)
			if f := o.Steps[0].Failure; f.Outcome != "" && !strings.Contains(f.Text, "no IPv6 here") {
				t.Errorf("failure %+v", f)
			}
		})
	}
}

func TestAnIPv6ServerThatFailsIsToldBesideItsIPv4(t *testing.T) {
	t.Parallel()
	r := dualShop(t, "ns.shop A FOUR\nns.shop AAAA ::1")
	six := serveAtSix(t, r.tree.Port(), func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused))
	})
	expectOfSix(t, r.dns.Observe(t.Context(), "www.shop.example"), dnscheck.Refused, six)
}

// expectOfSix checks that the IPv4 address speaks, and that the IPv6 address has
// the outcome, or is left out.
func expectOfSix(t *testing.T, o dnscheck.Observation, want dnscheck.Outcome, told bool) {
	t.Helper()
	four, six := 0, 0
	for _, a := range o.Steps[0].Answers {
		is6 := a.Server.Address.Addr().Is6()
		switch {
		case is6 && a.Outcome == want:
			six++
		case !is6 && a.Outcome == dnscheck.OK:
			four++
		default:
			t.Errorf("%s: %s", a.Server, answerText(a))
		}
	}
	if four != 2 || six != 2 && told || six != 0 && !told {
		t.Errorf("%d answers over IPv4 and %d %s over IPv6, told %t", four, six, want, told)
	}
}

// An IPv6 that is routed and leads nowhere would accuse every zone; the root
// servers are the witnesses.
func TestIPv6ThatLeadsNowhereAccusesNobody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		witness bool            // there is a root server with IPv6
		root    dns.HandlerFunc // what it does; nil if its port is closed
		want    dnscheck.Outcome
		told    bool
	}{
		{"no root server is heard over IPv6: it is our own fault", true, nil, dnscheck.Unreachable, false},
		{"no root server has IPv6: it cannot be told, and the failure stands", false, nil, dnscheck.Unreachable, true},
		{"a root server answers over IPv6: the failure stands", true, rootAlone, dnscheck.Silent, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := dualShop(t, "ns.shop A FOUR\nns.shop AAAA ::1")
			at := netip.AddrPortFrom(netip.IPv6Loopback(), r.tree.Port())
			six := serveAtSix(t, 0, rootAlone)
			if c.root != nil {
				serveAtSix(t, at.Port(), c.root)
			}
			d := r.fresh(t, func(s *dnscheck.Settings) {
				s.Timeout = silentTime
				if c.witness {
					s.Roots = append(s.Roots, at)
				}
			})
			expectOfSix(t, d.Observe(t.Context(), "www.shop.example"), c.want, c.told && six)
			if c.root == nil { // once more, from what is remembered
				expectOfSix(t, d.Observe(t.Context(), "www.shop.example"), c.want, c.told && six)
			}
		})
	}
}

func TestAZoneWithIPv6AloneCannotBeAskedWhereIPv6LeadsNowhere(t *testing.T) {
	t.Parallel()
	r := dualShop(t, "ns.shop AAAA ::1")
	d := r.fresh(t, func(s *dnscheck.Settings) {
		s.Roots = append(s.Roots, netip.AddrPortFrom(netip.IPv6Loopback(), r.tree.Port()))
	})
	o := d.Observe(t.Context(), "www.shop.example")
	expect(t, o, "www.shop.example in shop.example: unreachable at shop.example, negative TTL 0\n")
	if text := o.Steps[0].Failure.Text; !strings.Contains(text, "no IPv6 here") || !o.Heard {
		t.Errorf("failure %q, heard %t", text, o.Heard)
	}
}

// rootAlone answers for the root and is silent about all else.
func rootAlone(w dns.ResponseWriter, q *dns.Msg) {
	if q.Question[0].Name == "." {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused))
	}
}
