package test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	findings "driftprobe/finding"
	"driftprobe/internal/lab/situation"
	"driftprobe/internal/trial"
	"driftprobe/test/world"
)

// TestWhatClientsSee serves every row by the lab, faults and all, and asks real
// resolvers below its root as a client does. What clients of each see is what the
// row says, and does not contradict what driftprobe says. With -v it prints the
// table of docs/dns.md.
func TestWhatClientsSee(t *testing.T) {
	rows := situation.All()
	table := make([][]string, len(rows))
	t.Cleanup(func() { t.Log("\n" + clientsTable(table)) })
	benches := make(chan bench, 8)
	for range cap(benches) {
		benches <- newBench(t)
	}
	for i, s := range rows {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			b := <-benches
			defer func() { benches <- b }()
			var ours trial.Verdict
			if !t.Run("driftprobe", func(t *testing.T) { ours = b.look(t, s) }) {
				return
			}
			all := slices.Concat(ours.Found, ours.Zone)
			line := []string{s.Name}
			for j, kind := range world.Recursives() {
				t.Run(kind.Name, func(t *testing.T) {
					// Faults may count, so everybody who looks has the row anew.
					seen, text := b.ask(t, situation.All()[i], b.resolvers[j], ours.Seen)
					line = append(line, text)
					want := seenBy(s, kind)
					if want == situation.Sometimes {
						seen = want
					}
					if seen != want {
						t.Errorf("clients see %s: %s; the row says %s", seen, text, want)
					}
					why, excepted := contradiction(seen, all), exceptions()[s.Name][kind.Name]
					if (why == "") != (excepted == "") {
						t.Errorf("contradiction %q, exception %q: clients see %s, we find %s", why, excepted, text, verdictText(all))
					}
				})
			}
			table[i] = append(line, verdictText(all))
		})
	}
}

// bench is a network, with a resolver of each kind that begins at its .1.
type bench struct {
	net       world.Net
	resolvers []*world.Resolver
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{net: world.Claim(t)}
	for i, kind := range world.Recursives() {
		b.resolvers = append(b.resolvers, kind.Start(t, b.net.Addr(byte(240+i)), b.net.Addr(1)))
	}
	return b
}

// look is our own verdict on the row.
func (b bench) look(t *testing.T, s situation.Situation) trial.Verdict {
	t.Helper()
	w := startSituation(t, s, b.net, 53)
	var resolvers []netip.AddrPort
	if w.Resolver != nil {
		resolvers = append(resolvers, w.Resolver.Addr())
	}
	return judge(t, s, b.net, 4*time.Second, resolvers, w.Change)
}

// ask lets a client of a resolver resolve the row's host, each time with an empty
// cache, until the resolver has happened to ask every server that is not as the
// others are. A change has been made by then, and nobody had read the host before
// it. The text is for the table.
func (b bench) ask(t *testing.T, s situation.Situation, r *world.Resolver, ours dnscheck.Observation) (situation.Seen, string) {
	t.Helper()
	w := startSituation(t, s, b.net, 53)
	if err := w.Change(); err != nil {
		t.Fatal(err)
	}
	var seen situation.Seen
	var texts []string
	for try := range 12 {
		began := time.Now()
		h := r.Resolve(t.Context(), ours.Host)
		if try == 0 && s.Clients == situation.Works && (h.A == world.Silence || h.AAAA == world.Silence) {
			// What an earlier row's servers were asked can end after the cache was
			// emptied, and these have the same addresses.
			r.Restart(t)
			continue
		}
		now := classify(h, s.Expected)
		if texts != nil && now != seen {
			now = situation.Sometimes
		}
		if seen = now; !slices.Contains(texts, clientText(h, s.Expected)) {
			texts = append(texts, clientText(h, s.Expected))
		}
		// Whom it had to wait for it can be asking still.
		slow := time.Since(began) > 200*time.Millisecond
		if slow {
			r.Restart(t)
		} else {
			r.Flush(t)
		}
		if seen == situation.Sometimes || met(w, s, ours) || h.A == world.Silence || h.AAAA == world.Silence {
			break
		}
	}
	slices.Sort(texts)
	return seen, strings.Join(texts, " or ")
}

// met tells whether every server that runs and is not as the others are has been
// asked for both families of the host, or of a name that it is an alias of.
func met(w *situation.World, s situation.Situation, ours dnscheck.Observation) bool {
	odd := slices.Concat(slices.Collect(maps.Keys(s.Faults)), slices.Collect(maps.Keys(s.Alone)), s.Empty)
	return !slices.ContainsFunc(odd, func(last byte) bool {
		asked := map[uint16]bool{}
		for _, q := range w.Tree.Server(w.Addr(last)).Queries.All() {
			if slices.ContainsFunc(ours.Steps, func(step dnscheck.Step) bool { return q.Name == step.Name+"." }) {
				asked[q.Type] = true
			}
		}
		return !slices.Contains(s.Down, last) && !(asked[dns.TypeA] && asked[dns.TypeAAAA])
	})
}

// seenBy is what the row says of a resolver's clients.
func seenBy(s situation.Situation, r world.Recursive) situation.Seen {
	if r.Name == "bind" && s.BIND != "" {
		return s.BIND
	}
	return s.Clients
}

// classify says what a client sees who was given these addresses.
func classify(h world.Heard, expected []netip.Addr) situation.Seen {
	wrong := func(a netip.Addr) bool { return len(expected) > 0 && !slices.Contains(expected, a) }
	switch {
	case len(h.Addresses) == 0:
		return situation.Fails
	case slices.ContainsFunc(h.Addresses, wrong):
		return situation.Stale
	}
	return situation.Works
}

// contradiction says why what clients see and what we say cannot both be true:
//
//	clients see   we must say                      we must not say
//	works                                          no-record, unresolvable, a stale record everywhere
//	stale         a stale record, or a stale cache
//	fails         something critical or unknown
//	sometimes     something
//
// The words for a stale record are stale-record (published), cached-stale and
// draining (cached). It returns "" if they agree.
func contradiction(seen situation.Seen, found []findings.Finding) string {
	has := func(codes ...findings.Code) bool {
		return slices.ContainsFunc(found, func(f findings.Finding) bool { return slices.Contains(codes, f.Code) })
	}
	grave := slices.ContainsFunc(found, func(f findings.Finding) bool {
		return f.Severity == findings.Critical || f.Severity == findings.Unknown
	})
	switch {
	case seen == situation.Works && has(findings.DNSNoRecord, findings.DNSUnresolvable):
		return "clients have right addresses, and we say that there are none"
	case seen == situation.Works && has(findings.DNSStaleRecord):
		return "clients have right addresses alone, and we say that some are stale"
	case seen == situation.Stale && !has(findings.DNSStaleRecord, findings.DNSCachedStale, findings.DNSDraining):
		return "clients have a wrong address, and we do not say so"
	case seen == situation.Fails && !grave:
		return "clients have no address, and we say nothing grave"
	case seen == situation.Sometimes && len(found) == 0:
		return "what clients have depends on whom they ask, and we say that all is well"
	}
	return ""
}

// exceptions are the rows, and in them the resolvers, where both are right though
// they contradict each other, with the reason.
func exceptions() map[string]map[string]string {
	both := func(why string) map[string]string { return map[string]string{"unbound": why, "bind": why} }
	return map[string]map[string]string{
		"all servers give the right answer without AA": both(
			"they believe it; we do not know whether it is what the zone holds, and say unknown: neither down nor well"),
		"the inner servers of a split zone are pinned, and right": both(
			"we are told to look inside; who begins at the public root sees the outside"),
		"servers answer NOTIMP to questions for AAAA": both(
			"clients have IPv4; whether there is an AAAA nobody says, and we say unknown of that alone"),
		"a balancer answers for A alone, and fails for all else": both(
			"clients have IPv4; whether there is an AAAA nobody says, and we say unknown of that alone"),
		"servers leave questions for AAAA unanswered": both(
			"clients have IPv4; whether there is an AAAA nobody says, and we say unknown of that alone"),
		"two zones have their servers in each other, and the parent gives the addresses": {
			"bind": "it takes no address of a zone beside; Unbound's clients are well, and we do not look for such circles (docs/dns.md)"},
		"the only server is an alias": {
			"bind": "it does not follow the alias; Unbound's clients are well, and we say nonconformant"},
		"a firewall drops questions with a cookie": {
			"bind": "it sends a cookie each time; Unbound's clients are well, and we say nonconformant"},
		"servers know EDNS, and say FORMERR to a cookie": {
			"bind": "it sends a cookie each time; Unbound's clients are well, and we say nonconformant"},
		"the set is larger than BIND takes": {
			"bind": "it takes 100 records; Unbound's clients are well, and we say nonconformant"},
		"servers know no EDNS, and say NOTIMP": {
			"bind": "it asks again without EDNS after FORMERR alone; Unbound's clients are well, and we say nonconformant"},
	}
}

// TestContradictions is the table of contradiction, each line from both sides.
func TestContradictions(t *testing.T) {
	f := func(code findings.Code, severity findings.Severity) []findings.Finding {
		return []findings.Finding{{Code: code, Severity: severity}}
	}
	degraded := f(findings.DNSServerDegraded, findings.Warning)
	for _, c := range []struct {
		seen  situation.Seen
		found []findings.Finding
		agree bool
	}{
		{situation.Works, nil, true},
		{situation.Works, degraded, true},
		{situation.Works, f(findings.DNSStaleRecord, findings.Critical), false},
		{situation.Works, f(findings.DNSNoRecord, findings.Critical), false},
		{situation.Works, f(findings.DNSUnresolvable, findings.Unknown), false},
		{situation.Stale, nil, false},
		{situation.Stale, degraded, false},
		{situation.Stale, f(findings.DNSStaleRecord, findings.Warning), true},
		{situation.Stale, f(findings.DNSCachedStale, findings.Warning), true},
		{situation.Stale, f(findings.DNSDraining, findings.Info), true},
		{situation.Fails, nil, false},
		{situation.Fails, degraded, false},
		{situation.Fails, f(findings.DNSNoRecord, findings.Critical), true},
		{situation.Fails, f(findings.DNSUnresolvable, findings.Unknown), true},
		{situation.Sometimes, nil, false},
		{situation.Sometimes, degraded, true},
	} {
		if why := contradiction(c.seen, c.found); (why == "") != c.agree {
			t.Errorf("%s × %s: %q, want agreement %t", c.seen, verdictText(c.found), why, c.agree)
		}
	}
}

// clientText is what clients see, and how the resolver said it when they fail.
func clientText(h world.Heard, expected []netip.Addr) string {
	seen := classify(h, expected)
	switch {
	case seen != situation.Fails:
		return string(seen)
	case h.A == h.AAAA:
		return fmt.Sprintf("%s (%s)", seen, strings.ReplaceAll(h.A, "NOERROR", "no data"))
	}
	return fmt.Sprintf("%s (A %s, AAAA %s)", seen, h.A, h.AAAA)
}

// verdictText is every code that was found, worst first, with its severity.
func verdictText(found []findings.Finding) string {
	var words []string
	for _, f := range found {
		if word := strings.TrimPrefix(string(f.Code), "dns/") + " (" + f.Severity.String() + ")"; !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func clientsTable(rows [][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head := []string{"situation"}
	for _, r := range world.Recursives() {
		head = append(head, "clients of "+r.Name)
	}
	for _, row := range append([][]string{append(head, "driftprobe finds")}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return b.String()
}
