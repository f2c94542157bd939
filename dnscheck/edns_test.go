package dnscheck

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

func TestEDNSIsLeftOutOnlyIfTheServerSaysThatItDoesNotKnowIt(t *testing.T) {
	t.Parallel()
	rejects := func(rcode int) lab.Fault {
		return func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Msg.IsEdns0() == nil {
				return lab.Send(truth)
			}
			m := new(dns.Msg).SetRcode(q.Msg, rcode)
			if rcode > 15 {
				m.SetEdns0(udpSize, false) // where its upper bits are
			}
			return lab.Send(m)
		}
	}
	without := []string{"udp ours", "udp no EDNS"}
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		heard bool
		rcode int
		want  []string
	}{
		{"FORMERR", rejects(dns.RcodeFormatError), true, dns.RcodeSuccess, without},
		{"NOTIMP", rejects(dns.RcodeNotImplemented), true, dns.RcodeSuccess, without},
		{"BADVERS", rejects(dns.RcodeBadVers), true, dns.RcodeSuccess, without},
		{"FORMERR without EDNS too", func(q lab.Query, _ *dns.Msg) lab.Reply {
			return lab.Send(new(dns.Msg).SetRcode(q.Msg, dns.RcodeFormatError))
		}, true, dns.RcodeFormatError, without},
		{"another extended RCODE is what the server says", rejects(dns.RcodeBadTrunc), true, dns.RcodeBadTrunc, []string{"udp ours"}},
		{"silence is no word", func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Msg.IsEdns0() == nil {
				return lab.Send(truth)
			}
			return lab.Reply{}
		}, false, 0, []string{"udp ours", "udp"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			at, asked := newFaultyServer(t, c.fault)
			ctx := patiently(t)
			if !c.heard {
				ctx = shortly(t)
			}
			r := newTestExchanger(t).ask(ctx, at, numbered(1))
			if (r.msg != nil) != c.heard || r.msg != nil && r.msg.Rcode != c.rcode || r.msg == nil && r.outcome != Silent {
				t.Errorf("got %+v, want the RCODE %d", r, c.rcode)
			}
			if _, texts := ours(asked.texts()); !slices.Equal(texts, c.want) {
				t.Errorf("asked %q, want %q", texts, c.want)
			}
		})
	}
}
