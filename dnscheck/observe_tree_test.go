package dnscheck_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// realm is a tree with a root (.1), the top-level domains example (.2) and test
// (.3), and below them the zones of a test.
type realm struct {
	net  lab.Net
	tree *lab.DNSTree
	dns  *dnscheck.Resolver
}

// shop is shop.example on three servers.
func (r realm) shop(text string) lab.ZoneSpec {
	return lab.ZoneSpec{
		Name: "shop.example.", Text: text, TTL: 3600,
		Servers: []lab.NameServer{
			{Name: "ns1.shop.example.", Addr: r.net.Addr(11)},
			{Name: "ns2.shop.example.", Addr: r.net.Addr(12)},
			{Name: "ns3.shop.example.", Addr: r.net.Addr(13)},
		},
	}
}

func newRealm(tb testing.TB, zones func(realm) []lab.ZoneSpec, change func(*dnscheck.Settings, *lab.DNSTree)) realm {
	tb.Helper()
	n, err := lab.RandomNet()
	if err != nil {
		tb.Fatal(err)
	}
	r := realm{net: n}
	spec := lab.TreeSpec{Roots: []netip.Addr{n.Addr(1)}, Zones: []lab.ZoneSpec{
		{Name: "example.", Servers: []lab.NameServer{{Name: "a.nic.example.", Addr: n.Addr(2)}}},
		{Name: "test.", Servers: []lab.NameServer{{Name: "a.nic.test.", Addr: n.Addr(3)}}},
	}}
	spec.Zones = append(spec.Zones, zones(r)...)
	if r.tree, err = lab.NewDNSTree(spec); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.tree.Close(); err != nil {
			tb.Error(err)
		}
	})
	r.dns = r.fresh(tb, func(s *dnscheck.Settings) {
		if change != nil {
			change(s, r.tree)
		}
	})
	return r
}

// silentTime is for looks that go on until it is over, as whoever is asked is silent;
// realmTime for all others, where it is never over.
const (
	silentTime = 10 * time.Second
	realmTime  = time.Minute
)

func inSilence(s *dnscheck.Settings) { s.Timeout = silentTime }

// fresh is a Resolver that remembers nothing yet.
func (r realm) fresh(tb testing.TB, change func(*dnscheck.Settings)) *dnscheck.Resolver {
	tb.Helper()
	settings := dnscheck.Settings{Port: r.tree.Port(), Timeout: realmTime}
	for _, root := range r.tree.Roots() {
		settings.Roots = append(settings.Roots, netip.AddrPortFrom(root, r.tree.Port()))
	}
	if change != nil {
		change(&settings)
	}
	d := dnscheck.New(settings)
	tb.Cleanup(d.Close)
	return d
}

// newShop is a realm with shop.example alone.
func newShop(tb testing.TB, text string) realm {
	tb.Helper()
	return newRealm(tb, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.shop(text)} }, nil)
}

func (r realm) server(last byte) *lab.DNSServer { return r.tree.Server(r.net.Addr(last)) }

// questions are those that came to a server. One that is sent again, as it is when
// a machine is busy, has the same port and ID, and counts once.
func questions(log *lab.Log[lab.Query]) []lab.Query {
	type sent struct {
		from netip.AddrPort
		id   uint16
		what string
	}
	seen := map[sent]bool{}
	return slices.DeleteFunc(log.All(), func(q lab.Query) bool {
		s := sent{q.From, q.Msg.Id, q.String()}
		again := seen[s]
		seen[s] = true
		return again
	})
}

// asked counts the questions for a name at all servers of the last bytes given.
func (r realm) asked(name string, last ...byte) int {
	return r.count(func(q lab.Query) bool { return q.Name == name }, last...)
}

// count counts questions of a kind at all servers of the last bytes given.
func (r realm) count(kind func(lab.Query) bool, last ...byte) int {
	n := 0
	for _, l := range last {
		for _, q := range questions(&r.server(l).Queries) {
			if kind(q) {
				n++
			}
		}
	}
	return n
}

// told writes an observation as lines, one a question and server, without the
// addresses of servers and the times.
func told(o dnscheck.Observation) string {
	var b strings.Builder
	for _, s := range o.Steps {
		fmt.Fprintf(&b, "%s in %s%s\n", s.Name, s.Zone, failureText(s.Failure))
		for _, a := range s.Answers {
			fmt.Fprintf(&b, "  %s %s\n", a.Server.Name, answerText(a))
		}
		for _, a := range s.Wildcard {
			fmt.Fprintf(&b, "  wildcard %s %s\n", s.WildcardOwner, answerText(a))
		}
	}
	if o.Cut != "" {
		fmt.Fprintf(&b, "cut: %s\n", o.Cut)
	}
	return b.String()
}

func failureText(f dnscheck.Failure) string {
	if f == (dnscheck.Failure{}) {
		return ""
	}
	return fmt.Sprintf(": %s at %s, negative TTL %d", f.Outcome, f.At, f.NegativeTTL)
}

func answerText(a dnscheck.Answer) string {
	text := fmt.Sprintf("%s %s", a.Type, a.Outcome)
	for _, addr := range a.Addresses {
		text += " " + addr.String()
	}
	if a.Target != "" {
		text += " " + a.Target
	}
	if a.Outcome.Speaks() {
		text += fmt.Sprintf(" ttl %d", a.TTL)
	}
	if a.TCP {
		text += " over TCP"
	}
	return text
}

func expect(t *testing.T, o dnscheck.Observation, want string) {
	t.Helper()
	if got := told(o); got != dedent(want) {
		t.Errorf("observed:\n%s\nwant:\n%s", got, dedent(want))
	}
}

// dedent drops the first line break and the tabs of the test's own indentation.
func dedent(s string) string {
	s = strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\t", "")
	return s
}

// answersOf are the answers of one server of the first step.
func answersOf(t *testing.T, o dnscheck.Observation, server string) []dnscheck.Answer {
	t.Helper()
	if len(o.Steps) == 0 {
		t.Fatalf("no steps: %+v", o)
	}
	return slices.DeleteFunc(slices.Clone(o.Steps[0].Answers), func(a dnscheck.Answer) bool { return a.Server.Name != server })
}
