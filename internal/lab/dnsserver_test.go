package lab

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func newTestServer(t *testing.T, texts ...string) *DNSServer {
	t.Helper()
	var zones []*Zone
	for _, text := range texts {
		zones = append(zones, must[*Zone](t)(NewZone(text)))
	}
	n := must[Net](t)(RandomNet())
	return closing[*DNSServer](t)(NewDNSServer(netip.AddrPortFrom(n.Addr(3), 0), zones...))
}

func TestDNSServerServesClosestZoneOverBothProtocols(t *testing.T) {
	s := newTestServer(t, testZone, "sub.z.test. 9 IN SOA a. b. 1 2 3 4 5\nwww.sub.z.test. 9 IN A 192.0.2.77")
	for _, proto := range []string{"udp", "tcp"} {
		reply := ask(t, proto, s.Addr(), "www.sub.z.test.", dns.TypeA)
		equal(t, proto, lines(reply.Answer), []string{"www.sub.z.test. 9 IN A 192.0.2.77"})
	}
	equal(t, "parent zone", len(ask(t, "udp", s.Addr(), "z.test.", dns.TypeA).Answer), 1)
	equal(t, "no zone", ask(t, "udp", s.Addr(), "example.com.", dns.TypeA).Rcode, dns.RcodeRefused)
	equal(t, "DS at the child's apex", ask(t, "udp", s.Addr(), "sub.z.test.", dns.TypeDS).Ns[0].Header().Name, "z.test.")
	var log []string
	for _, q := range s.Queries.All() {
		log = append(log, q.String())
	}
	equal(t, "log", log[:3], []string{"udp www.sub.z.test. A", "tcp www.sub.z.test. A", "udp z.test. A"})
	s.RemoveZone("z.test.")
	equal(t, "removed zone", ask(t, "udp", s.Addr(), "z.test.", dns.TypeA).Rcode, dns.RcodeRefused)
}

func TestDNSServerTruncatesToTheClientsSize(t *testing.T) {
	var text strings.Builder
	text.WriteString("big.test. 60 IN SOA a. b. 1 2 3 4 5\n")
	for i := range 60 {
		fmt.Fprintf(&text, "big.test. 60 IN A 192.0.2.%d\n", i)
	}
	s := newTestServer(t, text.String())
	for _, tc := range []struct {
		proto     string
		edns      uint16
		truncated bool
	}{{"udp", 0, true}, {"udp", 4096, false}, {"tcp", 0, false}} {
		req := new(dns.Msg).SetQuestion("big.test.", dns.TypeA)
		if tc.edns > 0 {
			req.SetEdns0(tc.edns, false)
		}
		reply, _, err := (&dns.Client{Net: tc.proto, UDPSize: tc.edns}).Exchange(req, s.Addr().String())
		noError(t, err)
		equal(t, fmt.Sprint("TC ", tc), reply.Truncated, tc.truncated)
		equal(t, fmt.Sprint("all records ", tc), len(reply.Answer) == 60, !tc.truncated)
		equal(t, fmt.Sprint("EDNS ", tc), reply.IsEdns0() != nil, tc.edns > 0)
	}
}

func TestDNSServerStopsAndStarts(t *testing.T) {
	s := newTestServer(t, testZone)
	noError(t, s.Stop())
	noError(t, s.Stop())
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		_ = c.Close()
		t.Errorf("a stopped server accepts")
	}
	if ask(t, "udp", s.Addr(), "z.test.", dns.TypeA) != nil {
		t.Errorf("a stopped server answers")
	}
	noError(t, s.Start())
	s.SetZone(must[*Zone](t)(s.Zone("z.test.").With("@ 5 IN A 192.0.2.99")))
	equal(t, "after start", lines(ask(t, "udp", s.Addr(), "z.test.", dns.TypeA).Answer), []string{"z.test. 5 IN A 192.0.2.99"})
}

func TestDNSFaults(t *testing.T) {
	s := newTestServer(t, testZone)
	parse := func(b []byte) *dns.Msg {
		m := new(dns.Msg)
		noError(t, m.Unpack(b))
		return m
	}
	for _, tc := range []struct {
		name  string
		fault Fault
		n     int
		check func(req *dns.Msg, packets [][]byte) bool
	}{
		{"Refuse", Refuse, 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Rcode == dns.RcodeRefused }},
		{"ServFail", ServFail, 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Rcode == dns.RcodeServerFailure }},
		{"NXDomain", NXDomain, 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Rcode == dns.RcodeNameError }},
		{"Lame", Lame, 1, func(_ *dns.Msg, p [][]byte) bool {
			m := parse(p[0])
			return !m.Authoritative && len(m.Answer) == 0 && m.Ns[0].Header().Name == "."
		}},
		{"NotAuthoritative", NotAuthoritative, 1, func(_ *dns.Msg, p [][]byte) bool { return !parse(p[0]).Authoritative && len(parse(p[0]).Answer) == 1 }},
		{"WrongID", WrongID, 1, func(req *dns.Msg, p [][]byte) bool { return parse(p[0]).Id != req.Id }},
		{"WrongQuestion", WrongQuestion, 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Question[0].Name == "other.z.test." }},
		{"QR0", QR0, 1, func(_ *dns.Msg, p [][]byte) bool { return !parse(p[0]).Response }},
		{"AlwaysTruncated", AlwaysTruncated, 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Truncated }},
		{"Garbage", Garbage, 1, func(req *dns.Msg, p [][]byte) bool {
			return new(dns.Msg).Unpack(p[0]) != nil && int(p[0][0])<<8|int(p[0][1]) == int(req.Id)
		}},
		{"SpoofFirst", SpoofFirst, 2, func(req *dns.Msg, p [][]byte) bool { return parse(p[0]).Id != req.Id && parse(p[1]).Id == req.Id }},
		{"OverProto", OverProto("tcp", Refuse), 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Rcode == 0 }},
		{"Times", Times(1, Refuse), 1, func(_ *dns.Msg, p [][]byte) bool { return parse(p[0]).Rcode == dns.RcodeRefused }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.SetFault(When(func(q Query) bool { return q.Name == "z.test." }, tc.fault))
			req := new(dns.Msg).SetQuestion("z.test.", dns.TypeA)
			packets := orderly(t, s, req, tc.n)
			if !tc.check(req, packets) {
				t.Errorf("packets %q", packets)
			}
		})
	}
}

// orderly sends req over UDP and reads n packets.
func orderly(t *testing.T, s *DNSServer, req *dns.Msg, n int) [][]byte {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("udp", s.Addr().String()))
	defer func() { _ = conn.Close() }()
	_, err := conn.Write(must[[]byte](t)(req.Pack()))
	noError(t, err)
	noError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	var packets [][]byte
	for range n {
		buf := make([]byte, 4096)
		size, err := conn.Read(buf)
		noError(t, err)
		packets = append(packets, buf[:size])
	}
	return packets
}

func TestSilentSendsNothing(t *testing.T) {
	s := newTestServer(t, testZone)
	s.SetFault(ForName("z.test.", Times(1, Silent)))
	conn := must[net.Conn](t)(net.Dial("udp", s.Addr().String()))
	defer func() { _ = conn.Close() }()
	first, second := new(dns.Msg).SetQuestion("z.test.", dns.TypeA), new(dns.Msg).SetQuestion("ns1.z.test.", dns.TypeA)
	first.Id, second.Id = 1, 2
	for i, m := range []*dns.Msg{first, second} {
		_, err := conn.Write(must[[]byte](t)(m.Pack()))
		noError(t, err)
		_, err = s.Queries.Wait(t.Context(), i+1)
		noError(t, err)
	}
	noError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	buf := make([]byte, 512)
	n, err := conn.Read(buf)
	noError(t, err)
	var got dns.Msg
	noError(t, got.Unpack(buf[:n]))
	equal(t, "id of the only answer", got.Id, 2)
}

func TestTCPClosedHangsUp(t *testing.T) {
	s := newTestServer(t, testZone)
	s.SetFault(TCPClosed)
	equal(t, "UDP is cut", ask(t, "udp", s.Addr(), "z.test.", dns.TypeA).Truncated, true)
	if ask(t, "tcp", s.Addr(), "z.test.", dns.TypeA) != nil {
		t.Errorf("TCP answered")
	}
}

func TestWrongSourceComesFromAnotherPort(t *testing.T) {
	s := newTestServer(t, testZone)
	s.SetFault(WrongSource)
	conn := must[net.PacketConn](t)(net.ListenPacket("udp4", "127.0.0.1:0"))
	defer func() { _ = conn.Close() }()
	req := must[[]byte](t)(new(dns.Msg).SetQuestion("z.test.", dns.TypeA).Pack())
	_, err := conn.WriteTo(req, net.UDPAddrFromAddrPort(s.Addr()))
	noError(t, err)
	noError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, from, err := conn.ReadFrom(make([]byte, 512))
	noError(t, err)
	if from.String() == s.Addr().String() {
		t.Errorf("answer came from %v itself", from)
	}
}

func TestStopEndsASlowAnswer(t *testing.T) {
	s := newTestServer(t, testZone)
	s.SetFault(Slow(time.Hour))
	conn := must[net.Conn](t)(net.Dial("udp", s.Addr().String()))
	defer func() { _ = conn.Close() }()
	_, err := conn.Write(must[[]byte](t)(new(dns.Msg).SetQuestion("z.test.", dns.TypeA).Pack()))
	noError(t, err)
	_, err = s.Queries.Wait(t.Context(), 1)
	noError(t, err)
	noError(t, s.Stop()) // returns, or the test times out
}

func TestNoEDNS(t *testing.T) {
	s := newTestServer(t, testZone)
	s.SetFault(NoEDNS)
	req := new(dns.Msg).SetQuestion("z.test.", dns.TypeA)
	equal(t, "plain", ask(t, "udp", s.Addr(), "z.test.", dns.TypeA).Rcode, dns.RcodeSuccess)
	req.SetEdns0(1232, false)
	reply, _, err := new(dns.Client).Exchange(req, s.Addr().String())
	noError(t, err)
	equal(t, "with EDNS", reply.Rcode, dns.RcodeFormatError)
}
