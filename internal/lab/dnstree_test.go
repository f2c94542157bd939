package lab

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// newTestTree is the tree of the outage with one alias into a second zone, whose
// only server is named in the first.
func newTestTree(t *testing.T) (*DNSTree, Net) {
	t.Helper()
	n := must[Net](t)(RandomNet())
	return closing[*DNSTree](t)(NewDNSTree(TreeSpec{
		Roots: []netip.Addr{n.Addr(1)},
		Zones: []ZoneSpec{
			{Name: "shop.example.", Text: "@ 3600 IN A 192.0.2.10\n* 3600 IN A 192.0.2.10\nalias 60 IN CNAME www.far.test.\n", Servers: []NameServer{
				{"ns1.shop.example.", n.Addr(3)}, {"ns2.shop.example.", n.Addr(4)},
			}},
			{Name: "example.", Servers: []NameServer{{"ns.example.", n.Addr(2)}}},
			{Name: "far.test.", Text: "www 120 IN A 192.0.2.20", Servers: []NameServer{{"ns9.shop.example.", n.Addr(6)}}},
		},
	})), n
}

func newTestResolver(t *testing.T, tree *DNSTree, n Net) *Resolver {
	t.Helper()
	return closing[*Resolver](t)(NewResolver(netip.AddrPortFrom(n.Addr(10), 0), tree.Port(), tree.Roots()...))
}

func TestTreeDelegates(t *testing.T) {
	tree, n := newTestTree(t)
	at := func(last byte) netip.AddrPort { return netip.AddrPortFrom(n.Addr(last), tree.Port()) }
	root := ask(t, "udp", at(1), "api.shop.example.", dns.TypeA)
	equal(t, "root refers to the TLD", lines(root.Ns), []string{"example. 518400 IN NS ns.example."})
	equal(t, "root's glue", lines(root.Extra), []string{"ns.example. 518400 IN A " + n.Addr(2).String()})
	tld := ask(t, "udp", at(2), "api.shop.example.", dns.TypeA)
	equal(t, "TLD refers to the zone", lines(tld.Ns), []string{"shop.example. 3600 IN NS ns1.shop.example.", "shop.example. 3600 IN NS ns2.shop.example."})
	equal(t, "TLD's glue", len(tld.Extra), 2)
	zone := ask(t, "tcp", at(4), "api.shop.example.", dns.TypeA)
	equal(t, "zone answers", lines(zone.Answer), []string{"api.shop.example. 3600 IN A 192.0.2.10"})
	equal(t, "no glue for a server named elsewhere", len(ask(t, "udp", at(1), "far.test.", dns.TypeA).Extra), 0)
	equal(t, "address of that server", len(ask(t, "udp", at(3), "ns9.shop.example.", dns.TypeA).Answer), 1)
}

func TestTreeChangesOneServerOrAll(t *testing.T) {
	tree, n := newTestTree(t)
	noError(t, tree.SetRecords("shop.example.", "@ 60 IN A 192.0.2.77", n.Addr(4)))
	got := func(s *DNSServer) string {
		return lines(ask(t, "udp", s.Addr(), "shop.example.", dns.TypeA).Answer)[0]
	}
	servers := tree.Servers("shop.example")
	equal(t, "one", []string{got(servers[0]), got(servers[1])}, []string{"shop.example. 3600 IN A 192.0.2.10", "shop.example. 60 IN A 192.0.2.77"})
	noError(t, tree.RemoveRecords("shop.example.", "*.shop.example.", dns.TypeA))
	for _, s := range servers {
		equal(t, "all", ask(t, "udp", s.Addr(), "api.shop.example.", dns.TypeA).Rcode, dns.RcodeNameError)
	}
	if tree.SetRecords("other.test.", "@ 60 IN A 192.0.2.1") == nil || tree.SetRecords("shop.example.", "", n.Addr(2)) == nil {
		t.Errorf("a zone that is not there was changed")
	}
}

func TestTreeDelegationMayDiffer(t *testing.T) {
	n := must[Net](t)(RandomNet())
	tree := closing[*DNSTree](t)(NewDNSTree(TreeSpec{Roots: []netip.Addr{n.Addr(1)}, Zones: []ZoneSpec{{
		Name: "a.", Servers: []NameServer{{"ns.a.", n.Addr(2)}}, Delegation: "a. 60 IN NS old.a.\nold.a. 60 IN A 192.0.2.9",
	}}}))
	equal(t, "parent", lines(ask(t, "udp", tree.Servers(".")[0].Addr(), "a.", dns.TypeNS).Ns), []string{"a. 60 IN NS old.a."})
	equal(t, "child", lines(ask(t, "udp", tree.Servers("a.")[0].Addr(), "a.", dns.TypeNS).Answer), []string{"a. 3600 IN NS ns.a."})
}

func TestResolverCountsDownAndForgets(t *testing.T) {
	tree, n := newTestTree(t)
	r := newTestResolver(t, tree, n)
	get := func() []string { return lines(ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA).Answer) }
	equal(t, "fresh", get(), []string{"api.shop.example. 3600 IN A 192.0.2.10"})
	noError(t, tree.SetRecords("shop.example.", "* 300 IN A 192.0.2.77"))
	r.Advance(20 * time.Minute)
	asked := tree.Servers("shop.example.")[0].Queries.Len()
	equal(t, "old answer, TTL counted down", get(), []string{"api.shop.example. 2400 IN A 192.0.2.10"})
	equal(t, "from the cache", tree.Servers("shop.example.")[0].Queries.Len(), asked)
	r.Advance(41 * time.Minute)
	equal(t, "expired", get(), []string{"api.shop.example. 300 IN A 192.0.2.77"})
	noError(t, tree.SetRecords("shop.example.", "* 300 IN A 192.0.2.78"))
	r.Flush()
	equal(t, "flushed", get(), []string{"api.shop.example. 300 IN A 192.0.2.78"})
}

func TestResolverFollowsAliasesWithoutGlue(t *testing.T) {
	tree, n := newTestTree(t)
	r := newTestResolver(t, tree, n)
	reply := ask(t, "tcp", r.Addr(), "alias.shop.example.", dns.TypeA)
	equal(t, "chain", lines(reply.Answer), []string{"alias.shop.example. 60 IN CNAME www.far.test.", "www.far.test. 120 IN A 192.0.2.20"})
	equal(t, "RA", reply.RecursionAvailable, true)
	equal(t, "AA", reply.Authoritative, false)
}

func TestResolverCachesDenials(t *testing.T) {
	tree, n := newTestTree(t)
	r := newTestResolver(t, tree, n)
	noError(t, tree.RemoveRecords("shop.example.", "*.shop.example.", dns.TypeA))
	reply := ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA)
	equal(t, "NXDOMAIN", []any{reply.Rcode, reply.Ns[0].Header().Ttl}, []any{dns.RcodeNameError, 300})
	noError(t, tree.SetRecords("shop.example.", "* 60 IN A 192.0.2.1"))
	r.Advance(4 * time.Minute)
	reply = ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA)
	equal(t, "still denied", []any{reply.Rcode, reply.Ns[0].Header().Ttl}, []any{dns.RcodeNameError, 60})
	r.Advance(2 * time.Minute)
	equal(t, "denial expired", len(ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA).Answer), 1)
	nodata := ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeAAAA)
	equal(t, "NODATA", []any{nodata.Rcode, len(nodata.Answer), len(nodata.Ns)}, []any{0, 0, 1})
}

func TestResolverTriesTheNextServerThenFails(t *testing.T) {
	tree, n := newTestTree(t)
	r := newTestResolver(t, tree, n)
	servers := tree.Servers("shop.example.")
	servers[0].SetFault(Refuse)
	equal(t, "second server", len(ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA).Answer), 1)
	noError(t, servers[1].Stop())
	r.Flush()
	equal(t, "none left", ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA).Rcode, dns.RcodeServerFailure)
	r.SetFault(Refuse)
	equal(t, "a resolver has faults too", ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA).Rcode, dns.RcodeRefused)
}

func TestResolverEndsInALoop(t *testing.T) {
	tree, n := newTestTree(t)
	r := newTestResolver(t, tree, n)
	noError(t, tree.SetRecords("shop.example.", "a 60 IN CNAME b\nb 60 IN CNAME a\n"))
	equal(t, "loop", ask(t, "udp", r.Addr(), "a.shop.example.", dns.TypeA).Rcode, dns.RcodeServerFailure)
}

func TestResolverAsksOverTCPWhenCut(t *testing.T) {
	tree, n := newTestTree(t)
	r := newTestResolver(t, tree, n)
	for _, s := range tree.Servers("shop.example.") {
		s.SetFault(AlwaysTruncated)
	}
	equal(t, "answer", len(ask(t, "udp", r.Addr(), "api.shop.example.", dns.TypeA).Answer), 1)
}
