package test

import (
	"cmp"
	"net/netip"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/internal/lab/situation"
	"driftprobe/test/world"
)

// TestSituationsFromZoneFiles serves every row that zone files alone can produce by
// each authoritative software, from the root down, and wants the row's verdict.
func TestSituationsFromZoneFiles(t *testing.T) {
	for _, software := range world.Authorities() {
		t.Run(software.Name, func(t *testing.T) {
			t.Parallel()
			farm := world.NewFarm(t, software)
			left := deviations(software)
			for _, s := range situation.All() {
				if s.Unloadable = ""; !s.Files() {
					continue // and what is not to be loaded is a deviation
				}
				d, differs := left[s.Name]
				delete(left, s.Name)
				t.Run(s.Name, func(t *testing.T) {
					farm.Serve(t, zoneFiles(t, s, farm.Net), d.refuses...)
					if differs {
						s.Want, s.Zone = d.want, d.zone
					}
					wantVerdict(t, s, judge(t, s, farm.Net, 4*time.Second, nil, nil))
				})
			}
			for name := range left {
				t.Errorf("%s deviates in a row that does not exist: %s", software.Name, name)
			}
		})
	}
}

// deviation is a row of which one software makes something else than the lab.
type deviation struct {
	why string
	// refuses are the zones whose files it does not load.
	refuses []string
	// want and zone are what is to be found then.
	want, zone []situation.Want
}

// deviations are those of a software, by row.
func deviations(s world.Software) map[string]deviation {
	const (
		underscore = "the name has labels that are no host names"
		aliasedNS  = "one server has an alias for a name in the zone itself"
		itself     = "an alias leads to itself"
		covered    = "a wildcard is an alias that it covers itself"
		dotted     = "an alias leads to a name with a dot inside a label"
		branch     = "a DNAME leads to a branch below itself"
		beside     = "a name has an alias and an address of its own"
		apex       = "the apex of the zone is an alias"
		large      = "the set is larger than BIND takes"
	)
	failing := []situation.Want{{Code: "dns/unresolvable", Severity: "unknown", Texts: []string{"3 of 3 servers of shop.example: an error code (SERVFAIL"}}}
	refusal := func(why string) deviation {
		return deviation{why: why, refuses: []string{"shop.example"}, want: failing}
	}
	return map[string]map[string]deviation{
		"nsd":  {beside: refusal("CNAME and other data at the same name"), apex: refusal("CNAME and other data at the same name")},
		"knot": {beside: refusal("another record exists beside CNAME"), apex: refusal("another record exists beside CNAME")},
		"bind": {
			beside: refusal("CNAME and other data"),
			apex:   refusal("CNAME and other data"),
			dotted: {why: "check-names: a primary's hosts have host names", refuses: []string{"lb.test"}, want: []situation.Want{
				{Code: "dns/unresolvable", Severity: "unknown", Texts: []string{"1 of 1 servers of lb.test: an error code (SERVFAIL"}},
			}},
			underscore: refusal("check-names: a primary's hosts have host names"),
			large:      refusal("max-records-per-type: 100"),
			aliasedNS:  refusal("an NS record that points at a CNAME"),
			itself:     {why: "SERVFAIL beside the alias: max. restarts reached", want: failing},
			covered:    {why: "SERVFAIL beside the alias: max. restarts reached", want: failing},
			branch:     {why: "SERVFAIL beside the alias: max. restarts reached", want: failing},
		},
		"pdns": {
			itself:  {why: "SERVFAIL alone: it gives up after 10 redirects", want: failing},
			covered: {why: "SERVFAIL alone: it gives up after 10 redirects", want: failing},
			branch:  {why: "SERVFAIL alone: it gives up after 10 redirects", want: failing},
			beside: {why: "it gives the alias for A too", want: []situation.Want{
				{Code: "dns/stale-record", Severity: "critical", Subject: []string{"192.0.2.9"}, Texts: []string{"set pool.lb.test A 192.0.2.1"}},
				{Code: "dns/missing-record", Severity: "warning", Subject: []string{"192.0.2.1"}},
			}},
			apex: {why: "it gives the alias for SOA and NS too", want: []situation.Want{
				{Code: "dns/stale-record", Severity: "critical", Subject: []string{"192.0.2.9"}, Texts: []string{"set pool.lb.test A 192.0.2.1"}},
				{Code: "dns/missing-record", Severity: "warning", Subject: []string{"192.0.2.1"}},
			}, zone: []situation.Want{
				{Code: "dns/nonconformant", Severity: "info", Texts: []string{"not for its NS records"}, Count: 3},
			}},
		},
	}[s.Name]
}

// zoneFiles are what each server of the row has, as files: the lab builds the tree,
// and ends.
func zoneFiles(t *testing.T, s situation.Situation, n world.Net) map[netip.Addr]world.Files {
	t.Helper()
	w := startSituation(t, s, n, 0)
	origins := []string{"."}
	for _, z := range s.Tree(labNet(n), 0).Zones {
		origins = append(origins, z.Name)
	}
	at := map[netip.Addr]world.Files{}
	for _, origin := range origins {
		for _, server := range w.Tree.Servers(origin) {
			zone := server.Zone(origin)
			if zone == nil {
				continue
			}
			addr := server.Addr().Addr()
			if at[addr] == nil {
				at[addr] = world.Files{}
			}
			at[addr][cmp.Or(strings.TrimSuffix(origin, "."), ".")] = zoneText(zone)
		}
	}
	return at
}

func zoneText(z *lab.Zone) string {
	var text strings.Builder
	for _, rr := range z.All() {
		text.WriteString(rr.String() + "\n")
	}
	return text.String()
}
