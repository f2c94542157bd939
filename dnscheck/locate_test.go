package dnscheck_test

import (
	"testing"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// Which server is asked first is chance. What one alone says of a cut makes none, and
// the same is found whoever came first.
func TestWhoIsAskedFirstDoesNotMatter(t *testing.T) {
	t.Parallel()
	const fresh = 12 // one server of three is the first in all but one of 130 rounds
	each := func(t *testing.T, r realm, host string, same func(dnscheck.Observation) bool) {
		t.Helper()
		for range fresh {
			if o := r.fresh(t, nil).Observe(t.Context(), host); !same(o) {
				t.Fatal(told(o))
			}
		}
	}
	t.Run("a server that makes a zone of each name", func(t *testing.T) {
		t.Parallel()
		r := newRealm(t, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.shop("www 60 A 192.0.2.1")} }, nil)
		r.server(12).SetFault(lab.ForName("www.shop.example.", func(q lab.Query, truth *dns.Msg) lab.Reply {
			m := new(dns.Msg).SetReply(q.Msg)
			m.Authoritative = true
			rr, err := dns.NewRR(map[uint16]string{
				dns.TypeA: "www.shop.example. 60 A 192.0.2.9", dns.TypeNS: "www.shop.example. 60 NS ns1.shop.example.",
			}[q.Type])
			if rr == nil || err != nil {
				rr, err = dns.NewRR("www.shop.example. 60 SOA ns1.shop.example. h. 1 2 3 4 60")
			}
			if err != nil {
				t.Error(err)
			}
			if m.Answer = []dns.RR{rr}; q.Type == dns.TypeAAAA {
				m.Answer, m.Ns = nil, m.Answer
			}
			return lab.Send(m)
		}))
		each(t, r, "www.shop.example", func(o dnscheck.Observation) bool {
			return o.Steps[0].Zone == "shop.example" && len(o.Steps[0].Answers) == 6 && len(o.Published()) == 2
		})
	})
	t.Run("a server that holds a branch delegated to others", func(t *testing.T) {
		t.Parallel()
		r := newRealm(t, func(r realm) []lab.ZoneSpec {
			return []lab.ZoneSpec{r.shop(""), {
				Name: "eu.shop.example.", Text: "www 60 A 192.0.2.1\n@ NS ns\nns A " + r.net.Addr(21).String(), Delegation: "eu NS ns.eu\nns.eu A " + r.net.Addr(21).String(),
				Servers: []lab.NameServer{{Name: "ns.eu.shop.example.", Addr: r.net.Addr(21)}, {Name: "ns0.eu.shop.example.", Addr: r.net.Addr(11)}},
			}}
		}, nil)
		if err := r.tree.SetRecords("eu.shop.example.", "www 60 A 192.0.2.9", r.net.Addr(11)); err != nil {
			t.Fatal(err)
		}
		each(t, r, "www.eu.shop.example", func(o dnscheck.Observation) bool {
			return o.Steps[0].Zone == "eu.shop.example" && len(o.Published()) == 2
		})
	})
}
