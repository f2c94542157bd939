package dnscheck_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// TestWhatAZoneLookCosts holds ObserveZone to the numbers in its comment.
func TestWhatAZoneLookCosts(t *testing.T) {
	r := bothSides(t, "", "www 60 A 192.0.2.1")
	r.dns.Observe(t.Context(), "www.shop.example")
	count := func() (parent, zone, tcp int) {
		every := func(lab.Query) bool { return true }
		overTCP := func(q lab.Query) bool { return q.Proto == "tcp" }
		return r.count(every, 1, 2, 3, 21), r.count(every, 11, 12, 13), r.count(overTCP, 1, 2, 3, 11, 12, 13, 21)
	}
	r.dns.ObserveZone(t.Context(), "shop.example") // finds where the parent is
	p0, z0, t0 := count()
	o := r.dns.ObserveZone(t.Context(), "shop.example")
	p1, z1, t1 := count()
	if p1-p0 != 1 || z1-z0 != 3*3+3*2*2 || t1-t0 != 3 {
		t.Errorf("%d questions to the parent, %d to the zone, %d of them over TCP\n%s", p1-p0, z1-z0, t1-t0, indented(t, o))
	}
}

func TestAZoneObservationSurvivesJSON(t *testing.T) {
	r := bothSides(t, delegated+"shop NS alias.host.test.", "")
	r.server(12).SetFault(lab.NoEDNS)
	o := r.dns.ObserveZone(t.Context(), "shop.example")
	o.At = o.At.Round(0)
	var back dnscheck.ZoneObservation
	if err := json.Unmarshal([]byte(indented(t, o)), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Handed, o.Handed) || !reflect.DeepEqual(back.Servers, o.Servers) || len(back.Names) != len(o.Names) {
		t.Errorf("wrote\n%s\nread\n%s", indented(t, o), indented(t, back))
	}
	if got, want := dnscheck.JudgeZone(o.At, back), dnscheck.JudgeZone(o.At, o); !reflect.DeepEqual(got, want) || len(want) < 3 {
		t.Errorf("judged %+v, before %+v", got, want)
	}
}

func TestIPv6ThatLeadsNowhereAccusesNoServerOfAZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		answers bool // a root server does, over IPv6
		told    bool
	}{
		{"no root server is heard over IPv6: it is our own fault", false, false},
		{"a root server answers over IPv6: the failure stands", true, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := dualShop(t, "ns.shop A FOUR\nns.shop AAAA ::1")
			at := netip.AddrPortFrom(netip.IPv6Loopback(), r.tree.Port())
			six := serveAtSix(t, 0, rootAlone)
			if c.answers {
				serveAtSix(t, at.Port(), rootAlone)
			}
			d := r.fresh(t, func(s *dnscheck.Settings) { s.Timeout, s.Roots = silentTime, append(s.Roots, at) })
			o := d.ObserveZone(t.Context(), "shop.example")
			want := 1
			if c.told && six {
				want = 2
			}
			if len(o.Servers) != want || o.Servers[0].Outcome != dnscheck.OK {
				t.Errorf("observed %s", indented(t, o))
			}
		})
	}
}

// TestAHostileZoneEndsInTime has a parent and a child that name as many servers as a
// packet holds, most of them silent or elsewhere.
func TestAHostileZoneEndsInTime(t *testing.T) {
	t.Parallel()
	var elsewhere strings.Builder
	for i := range 8 {
		fmt.Fprintf(&elsewhere, "* 60 A 127.9.9.%d\n", i+1)
	}
	r := newShop(t, elsewhere.String())
	hostile := func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Type != dns.TypeNS || q.Name != "shop.example." {
			return lab.Send(truth)
		}
		section := &truth.Answer
		if len(truth.Answer) == 0 {
			section = &truth.Ns
		}
		for i := range 60 {
			host := fmt.Sprintf("x%d-%d.shop.example.", q.From.Port(), i)
			*section = append(*section, &dns.NS{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: host})
			for j := range 8 {
				truth.Extra = append(truth.Extra, &dns.A{
					Hdr: dns.RR_Header{Name: host, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
					A:   r.net.Addr(byte(100 + (8*i+j)%100)).AsSlice(),
				})
			}
		}
		packed := truth.Copy()
		packed.Compress = true
		return lab.Send(packed)
	}
	for _, last := range []byte{2, 11, 12, 13} {
		r.server(last).SetFault(func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Proto == "udp" && q.Type == dns.TypeNS {
				return lab.AlwaysTruncated(q, truth)
			}
			return hostile(q, truth)
		})
	}
	o := r.dns.ObserveZone(t.Context(), "shop.example")
	if len(o.Servers) != 26 || len(o.Names) > 52 || o.Cut == "" {
		t.Errorf("%d servers and %d names were kept, cut %q", len(o.Servers), len(o.Names), o.Cut)
	}
	for _, f := range dnscheck.JudgeZone(time.Now(), o) {
		if len(f.Summary)+len(f.Observed)+len(f.Hint) > 6000 {
			t.Errorf("%s has %d bytes of text", f.Code, len(f.Summary)+len(f.Observed)+len(f.Hint))
		}
	}
	if n := len(questions(&r.server(11).Queries)); n > 120 {
		t.Errorf("%d questions to one server", n)
	}
}
