package dnscheck_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// zoneLines writes findings as "severity code subject", without addresses.
func zoneLines(fs []finding.Finding) []string {
	var out []string
	for _, f := range fs {
		server, _, _ := strings.Cut(f.Subject.Server, " ")
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Severity, strings.TrimPrefix(string(f.Code), "dns/"), server)))
	}
	return out
}

// bothSides is shop.example as newShop has it, with a delegation in which NET. is
// the network, and host.test on .21.
func bothSides(tb testing.TB, delegation, text string) realm {
	tb.Helper()
	return newRealm(tb, func(r realm) []lab.ZoneSpec {
		shop := r.shop(text)
		shop.Delegation = strings.ReplaceAll(delegation, "NET.", strings.TrimSuffix(r.net.Addr(0).String(), "0"))
		return []lab.ZoneSpec{shop, r.oneServer("host.test.", 21, "alias 60 CNAME web\nweb 60 A "+r.net.Addr(11).String())}
	}, func(s *dnscheck.Settings, _ *lab.DNSTree) { s.Timeout = silentTime })
}

// loseCookies drops the first n packets that have a cookie.
func loseCookies(n int64) lab.Fault {
	var lost atomic.Int64
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		r := dropCookies(q, truth)
		if len(r.Msgs) > 0 || lost.Add(1) <= n {
			return r
		}
		return lab.Send(truth)
	}
}

const delegated = `shop NS ns1.shop
shop NS ns2.shop
shop NS ns3.shop
ns1.shop A NET.11
ns2.shop A NET.12
ns3.shop A NET.13
`

func TestObserveZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, delegation, text string
		bend                   func(t *testing.T, r realm)
		want                   []string
		says                   string
	}{
		{rule: "two sides that agree", delegation: delegated},
		{
			rule: "the delegation that the lab makes by itself agrees",
		},
		{
			rule:       "the parent names a server that does not host the zone",
			delegation: delegated + "shop NS ns.host.test.",
			want:       []string{"warning delegation-mismatch", "warning nameserver-degraded ns.host.test"},
			says:       "take ns.host.test out of the delegation of shop.example",
		},
		{
			rule:       "the zone names a server that the parent does not",
			delegation: strings.ReplaceAll(strings.ReplaceAll(delegated, "shop NS ns3.shop\n", ""), "ns3.shop A NET.13\n", ""),
			want:       []string{"warning delegation-mismatch"},
			says:       "only the zone itself names ns3.shop.example",
		},
		{
			rule:       "glue for an address where nobody has the zone",
			delegation: strings.ReplaceAll(delegated, "NET.13", "NET.21"),
			want:       []string{"warning delegation-mismatch ns3.shop.example", "warning nameserver-degraded ns3.shop.example"},
			says:       "does not serve the zone: REFUSED",
		},
		{
			rule:       "no glue for a server inside the zone",
			delegation: strings.ReplaceAll(delegated, "ns3.shop A NET.13\n", ""),
			want:       []string{"warning delegation-mismatch ns3.shop.example"},
			says:       "example has no glue for ns3.shop.example",
		},
		{
			rule:       "a server's name that is an alias elsewhere, and one that does not exist",
			delegation: delegated + "shop NS alias.host.test.\nshop NS gone.host.test.",
			text:       "@ NS ns1\n@ NS ns2\n@ NS ns3\n@ NS alias.host.test.\n@ NS gone.host.test.",
			want:       []string{"warning nameserver-degraded gone.host.test", "warning nonconformant alias.host.test"},
			says:       "is an alias of web.host.test",
		},
		{
			rule:       "a server without TCP",
			delegation: delegated,
			bend: func(_ *testing.T, r realm) {
				r.server(12).SetFault(lab.OverProto("tcp", lab.TCPClosed))
			},
			want: []string{"warning nonconformant ns2.shop.example"},
			says: "closed the TCP connection without an answer",
		},
		{
			rule:       "TCP that no server has, but the parent",
			delegation: delegated,
			bend: func(_ *testing.T, r realm) {
				for last := byte(11); last <= 13; last++ {
					r.server(last).SetFault(lab.OverProto("tcp", lab.TCPClosed))
				}
			},
			want: []string{"warning nonconformant ns1.shop.example", "warning nonconformant ns2.shop.example", "warning nonconformant ns3.shop.example"},
		},
		{
			rule:       "TCP that nobody has at all may be our own fault",
			delegation: delegated,
			bend: func(_ *testing.T, r realm) {
				for _, last := range []byte{1, 2, 11, 12, 13} {
					r.server(last).SetFault(lab.OverProto("tcp", lab.TCPClosed))
				}
			},
		},
		{
			rule:       "a server that rejects EDNS",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(lab.NoEDNS) },
			want:       []string{"info nonconformant ns2.shop.example"},
			says:       "does not know EDNS (FORMERR)",
		},
		{
			rule:       "a server that drops EDNS",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(lab.DropEDNS) },
			want:       []string{"warning nameserver-degraded ns2.shop.example"},
			says:       "only if it is asked without EDNS",
		},
		{
			rule:       "a server that drops cookies",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(dropCookies) },
			want:       []string{"warning nonconformant ns2.shop.example"},
			says:       "is silent to questions with a DNS cookie",
		},
		{
			rule:       "a server that loses a packet with a cookie drops none",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(lab.Times(1, dropCookies)) },
		},
		{
			rule:       "nor does one that loses four of them",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(loseCookies(4)) },
		},
		{
			rule:       "a server that loses packets for a while drops no EDNS",
			delegation: delegated,
			bend: func(_ *testing.T, r realm) {
				var plain atomic.Bool
				r.server(12).SetFault(func(q lab.Query, truth *dns.Msg) lab.Reply {
					if q.Msg.IsEdns0() == nil && q.Proto == "udp" {
						plain.Store(true)
					}
					if !plain.Load() && q.Proto == "udp" {
						return lab.Reply{}
					}
					return lab.Send(truth)
				})
			},
		},
		{
			rule:       "the zone names a server that does not host it",
			delegation: delegated,
			text:       "@ NS ns1\n@ NS ns2\n@ NS ns3\n@ NS ns.host.test.",
			want:       []string{"warning delegation-mismatch", "warning nameserver-degraded ns.host.test"},
			says:       "take ns.host.test out of the NS records of the zone shop.example",
		},
		{
			rule:       "servers that leave out the OPT record break nothing",
			delegation: delegated,
			bend: func(_ *testing.T, r realm) {
				r.server(12).SetFault(func(_ lab.Query, truth *dns.Msg) lab.Reply {
					truth.Extra = slices.DeleteFunc(truth.Extra, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeOPT })
					return lab.Send(truth)
				})
			},
		},
		{
			rule:       "a server that truncates everything is read over TCP",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(lab.AlwaysTruncated) },
		},
		{
			rule:       "a server that is silent over UDP",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(lab.OverProto("udp", lab.Silent)) },
			want:       []string{"warning nameserver-degraded ns2.shop.example"},
			says:       "it answers over TCP",
		},
		{
			rule:       "a server without authority",
			delegation: delegated,
			bend:       func(_ *testing.T, r realm) { r.server(12).SetFault(lab.NotAuthoritative) },
			want:       []string{"warning nameserver-degraded ns2.shop.example"},
			says:       "answers without AA",
		},
		{
			rule:       "a secondary server that lags, with another NS set",
			delegation: delegated,
			bend: func(t *testing.T, r realm) {
				if err := r.tree.SetRecords("shop.example.", "@ SOA ns1 hostmaster 2 7200 900 1209600 300\n@ NS ns1\n@ NS ns2", r.net.Addr(12)); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"info nonconformant"},
			says: "has different serials on its servers: 1 on ns1.shop.example",
		},
		{
			rule:       "a parent that has lost the delegation",
			delegation: delegated,
			bend: func(t *testing.T, r realm) {
				r.dns.Observe(t.Context(), "www.shop.example") // what is known of it before
				if err := r.tree.RemoveRecords("example.", "shop.example.", dns.TypeNS); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"ns1", "ns2", "ns3"} {
					if err := r.tree.RemoveRecords("example.", name+".shop.example.", dns.TypeA); err != nil {
						t.Fatal(err)
					}
				}
			},
			want: []string{"critical delegation-mismatch"},
			says: "example does not delegate shop.example any more",
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := bothSides(t, c.delegation, c.text)
			if c.bend != nil {
				c.bend(t, r)
			}
			o := r.dns.ObserveZone(t.Context(), "Shop.Example.")
			fs := dnscheck.JudgeZone(time.Now(), o)
			if got := zoneLines(fs); !slices.Equal(got, c.want) || o.Cut != "" {
				t.Errorf("found %q, want %q; cut %q\n%s", got, c.want, o.Cut, indented(t, o))
			}
			if text := fmt.Sprintf("%+v", fs); !strings.Contains(text, c.says) {
				t.Errorf("nothing says %q: %s", c.says, text)
			}
		})
	}
}

func dropCookies(q lab.Query, truth *dns.Msg) lab.Reply {
	if opt := q.Msg.IsEdns0(); opt != nil && len(opt.Option) > 0 {
		return lab.Reply{}
	}
	return lab.Send(truth)
}

func indented(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOnlyServersInsideTheZoneHaveGlue(t *testing.T) {
	t.Parallel()
	r := bothSides(t, delegated+"shop NS ns4.nic\nns4.nic A NET.12", "@ NS ns1\n@ NS ns2\n@ NS ns3\n@ NS ns4.nic.example.")
	o := r.dns.ObserveZone(t.Context(), "shop.example")
	if fs := dnscheck.JudgeZone(time.Now(), o); len(fs) > 0 || len(o.Handed) != 1 || len(o.Handed[0].NS) != 4 || len(o.Handed[0].Glue) != 3 {
		t.Errorf("found %q in %s", zoneLines(fs), indented(t, o))
	}
}

func TestAParentOnTheSameServerIsNotSeen(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		child := r.oneServer("eu.shop.example.", 11, "")
		child.Servers = append(child.Servers, lab.NameServer{Name: "ns2.eu.shop.example.", Addr: r.net.Addr(12)})
		child.Delegation = "eu NS ns.eu\neu NS ns9.eu\nns.eu A " + r.net.Addr(11).String()
		return []lab.ZoneSpec{r.oneServer("shop.example.", 11, ""), child}
	}, nil)
	o := r.dns.ObserveZone(t.Context(), "eu.shop.example")
	if len(o.Handed) != 1 || !o.Handed[0].Both || len(o.Servers) != 2 || o.Parent != "shop.example" {
		t.Errorf("observed %s", indented(t, o))
	}
	if fs := dnscheck.JudgeZone(time.Now(), o); len(fs) != 0 {
		t.Errorf("found %q", zoneLines(fs))
	}
}

func TestTheParentIsTheZoneAboveTheCut(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.oneServer("a.b.example.", 11, ""), r.oneServer("corp.", 12, "www 60 A 192.0.2.1")}
	}, nil)
	for zone, parent := range map[string]string{"a.b.example": "example", "corp": "."} {
		o := r.dns.ObserveZone(t.Context(), zone)
		if o.Parent != parent || len(o.Handed) != 1 || o.Handed[0].Outcome != dnscheck.OK {
			t.Errorf("%s: %s", zone, indented(t, o))
		}
		if got := zoneLines(dnscheck.JudgeZone(time.Now(), o)); !slices.Equal(got, []string{"info nonconformant"}) {
			t.Errorf("%s: found %q, want the one address alone", zone, got)
		}
	}
}

func TestAZoneWithoutADelegationIsNotAsked(t *testing.T) {
	r := newShop(t, "")
	configured := r.fresh(t, func(s *dnscheck.Settings) {
		s.Servers = map[string][]netip.AddrPort{"shop.example": {netip.AddrPortFrom(r.net.Addr(11), r.tree.Port())}}
	})
	for _, o := range []dnscheck.ZoneObservation{
		configured.ObserveZone(t.Context(), "shop.example"), r.dns.ObserveZone(t.Context(), "."),
		r.dns.ObserveZone(t.Context(), "a..b"), r.dns.ObserveZone(t.Context(), ""),
	} {
		if o.Cut == "" || len(o.Servers)+len(o.Handed) > 0 || len(dnscheck.JudgeZone(time.Now(), o)) > 0 {
			t.Errorf("observed %s", indented(t, o))
		}
	}
	if n := r.server(11).Queries.Len() + r.server(2).Queries.Len(); n != 0 {
		t.Errorf("%d questions were put", n)
	}
	closed := r.fresh(t, nil)
	closed.Close()
	if o := closed.ObserveZone(t.Context(), "shop.example"); o.Cut != "the resolver is closed" {
		t.Errorf("after Close: %+v", o)
	}
}
