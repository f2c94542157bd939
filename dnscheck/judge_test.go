package dnscheck

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
)

// judged is one row of the tables: what is expected and observed, the whole of the
// findings, and what their texts must say.
type judged struct {
	rule     string
	expected inventory.Expected
	// before are looks of the past, with their age.
	before map[time.Duration]string
	seen   string
	met    map[netip.Addr]Stranger
	policy Policy
	// publisher is by whose annotations external-dns writes the records.
	publisher inventory.Declaration
	want      []string
	says      []string
}

// has expects addresses of traefik/traefik.
func has(words ...string) inventory.Expected {
	return inventory.Expected{Known: true, Addresses: ips(words...), Service: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}}
}

func (j judged) given(tb testing.TB) Case {
	var h History
	for _, age := range slices.Backward(slices.Sorted(maps.Keys(j.before))) {
		o := look(tb, j.before[age])
		o.At = noon.Add(-age)
		h = h.Remember([]Observation{o})
	}
	o := look(tb, j.seen)
	h = h.Remember([]Observation{o})
	return Case{Expected: j.expected, Observed: o, Seen: h.Of(o.Host), Denied: h.DeniedOf(o.Host), Strangers: j.met, Publisher: j.publisher}
}

func allCases() []judged {
	return slices.Concat(externalCases(), oddCases(), lagCases(), turnCases(), addressCases(), absenceCases(), serverCases(), cacheCases(), heldCases(), formerCases(), deniedCases(), bogusCases(), recordCases(), wayCases(), silentCases())
}

func TestJudge(t *testing.T) {
	for _, j := range allCases() {
		t.Run(j.rule, func(t *testing.T) {
			fs := Judge(j.policy, noon, j.given(t))
			var got []string
			for _, f := range fs {
				got = append(got, line(f))
			}
			if !slices.Equal(got, j.want) {
				t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(j.want, "\n  "))
			}
			for _, s := range j.says {
				if !strings.Contains(texts(fs), s) {
					t.Errorf("texts do not say %q:\n%s", s, texts(fs))
				}
			}
			sound(t, fs)
		})
	}
}

// sound checks what is true of every finding, whatever was observed.
func sound(t *testing.T, fs []finding.Finding) {
	t.Helper()
	seen := map[finding.ID]bool{}
	for _, f := range fs {
		if _, ok := finding.Lookup(f.Code); !ok {
			t.Errorf("%s is not in the catalogue", f.Code)
		}
		for _, text := range []string{f.Summary, f.Expected, f.Observed, f.Hint} {
			if text == "" || len(text) > 2000 {
				t.Errorf("%s has a text of %d bytes: %.100q", f.Code, len(text), text)
			}
		}
		if f.Code == finding.DNSStaleRecord && len(f.SeenAt) == 0 {
			t.Errorf("a stale record that no server gave: %+v", f)
		}
		if seen[f.ID()] {
			t.Errorf("%v is found twice", f.ID())
		}
		seen[f.ID()] = true
	}
}

func TestEveryCodeIsJudgedSomewhere(t *testing.T) {
	produced := map[finding.Code]bool{}
	for _, j := range allCases() {
		for _, f := range Judge(j.policy, noon, j.given(t)) {
			produced[f.Code] = true
		}
	}
	for _, c := range zoneCases() {
		o := wellZone()
		c.bend(&o)
		for _, f := range JudgeZone(noon, o) {
			produced[f.Code] = true
		}
	}
	for _, e := range finding.Catalogue() {
		if e.Code.Family() == "dns" && !produced[e.Code] {
			t.Errorf("no case produces %s", e.Code)
		}
	}
}

func TestOrderOfAnswersDoesNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, j := range allCases() {
		c := j.given(t)
		want := Judge(j.policy, noon, c)
		for range 20 {
			c.Observed.Steps = slices.Clone(c.Observed.Steps)
			for i, s := range c.Observed.Steps {
				c.Observed.Steps[i].Answers = shuffled(random, s.Answers)
				c.Observed.Steps[i].Wildcard = shuffled(random, s.Wildcard)
			}
			c.Observed.Resolvers = shuffled(random, c.Observed.Resolvers)
			if got := Judge(j.policy, noon, c); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: in another order\n%+v\nbefore\n%+v", j.rule, got, want)
				break
			}
		}
	}
}

func shuffled[E any](r *rand.Rand, list []E) []E {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	return list
}

func TestSilenceIsNeverDrift(t *testing.T) {
	mute := []Outcome{Silent, Unreachable, Refused, Failed, Lame, Malformed, Forbidden}
	random := rand.New(rand.NewPCG(3, 4))
	for _, j := range allCases() {
		c := j.given(t)
		c.Observed.Steps = slices.Clone(c.Observed.Steps)
		for i := range c.Observed.Steps {
			s := &c.Observed.Steps[i]
			s.Answers = slices.Clone(s.Answers)
			if s.Failure.Outcome == NoName {
				s.Failure.Outcome = Silent
			}
			// The values stay: what comes with such an outcome must not be read.
			for k := range s.Answers {
				s.Answers[k].Outcome = mute[random.IntN(len(mute))]
			}
		}
		for _, f := range Judge(j.policy, noon, c) {
			switch f.Code {
			case finding.DNSUnresolvable, finding.DNSResolverDegraded:
			default:
				t.Errorf("%s: silence gives %s", j.rule, line(f))
			}
		}
	}
}

func addressCases() []judged {
	public := Policy{Special: ipspace.New().Special}
	return []judged{
		{
			rule: "published right is nothing to tell", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77",
		},
		{
			rule: "an address that the balancer does not have is stale, and the right one missing", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 3600 A 203.0.113.10\n ns2: api.shop.example. 3600 A 203.0.113.10",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 3600 A 203.0.113.77 | at ns1 ns2 | clear +1h0m0s",
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 3600 A 203.0.113.77 | at ns1 ns2",
			},
			says: []string{"203.0.113.10 on 2 of 2 authoritative servers of shop.example", "203.0.113.77 (traefik/traefik)", "set api.shop.example A 203.0.113.77 (zone shop.example)"},
		},
		{
			rule: "one stale address beside two right ones is stale", expected: has("203.0.113.77", "203.0.113.78"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10\n ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 A 203.0.113.78",
			want: []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 203.0.113.78 | at ns1 | clear +1m0s"},
			says: []string{"beside 2 other addresses"},
		},
		{
			rule: "a stale address on one server of three is stale there, and the servers disagree", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 90 A 203.0.113.10\n ns3: api.shop.example. 60 A 203.0.113.77",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 90 A 203.0.113.77 | at ns2 | clear +1m30s",
				"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2 ns3",
			},
			says: []string{"203.0.113.10 on 1 of 3 authoritative servers", "A 203.0.113.10 on ns2 (192.0.2.2)", "A 203.0.113.77 on ns1 (192.0.2.1), ns3 (192.0.2.3)"},
		},
		{
			rule: "an AAAA is stale if the balancer has no IPv6, whatever the A says", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 120 AAAA 2001:db8::10",
			want: []string{"critical dns/stale-record api.shop.example 2001:db8::10 | shop.example: api.shop.example 120 AAAA | at ns1 | clear +2m0s"},
			says: []string{"no AAAA record (traefik/traefik)", "delete api.shop.example AAAA 2001:db8::10"},
		},
		{
			rule: "an IPv6 of the balancer that is not published is only worth knowing", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77",
			want: []string{"info dns/missing-record api.shop.example 2001:db8::77 | shop.example: api.shop.example 60 AAAA 2001:db8::77 | at ns1"},
			says: []string{"if clients shall come over IPv6"},
		},
		{
			rule: "a second IPv6 that is not published makes the load uneven", expected: has("2001:db8::77", "2001:db8::78"),
			seen: "ns1: api.shop.example. 60 AAAA 2001:db8::77",
			want: []string{"warning dns/missing-record api.shop.example 2001:db8::78 | shop.example: api.shop.example 60 AAAA 2001:db8::77 2001:db8::78 | at ns1"},
		},
		{
			rule: "an address that one server of two publishes is not missing", expected: has("203.0.113.77", "203.0.113.78"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 A 203.0.113.78\n ns2: api.shop.example. 60 A 203.0.113.77",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2"},
		},
		{
			rule: "an old balancer that still has a valid certificate is a warning", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10\n ns1: api.shop.example. 60 A 203.0.113.77",
			met:  map[netip.Addr]Stranger{netip.MustParseAddr("203.0.113.10"): {Valid: true, Text: "a valid certificate still answers", Owner: "the load balancer blue"}},
			want: []string{"warning dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s"},
			says: []string{"there: a valid certificate still answers", "belongs to the load balancer blue"},
		},
		{
			rule:     "an address that only one source names is neither stale nor missing",
			expected: inventory.Expected{Known: true, Addresses: ips("2001:db8::77"), Uncertain: ips("203.0.113.10", "203.0.113.77")},
			seen:     "ns1: api.shop.example. 60 A 203.0.113.10\n ns1: api.shop.example. 60 AAAA 2001:db8::77",
		},
		{
			rule:     "a third address beside two in dispute is stale, and no address in dispute is deleted for it",
			expected: inventory.Expected{Known: true, Uncertain: ips("203.0.113.10", "203.0.113.77")},
			seen:     "ns1: api.shop.example. 60 A 203.0.113.9\n ns1: api.shop.example. 60 A 203.0.113.10",
			want:     []string{"critical dns/stale-record api.shop.example 203.0.113.9 | shop.example: api.shop.example 60 A 203.0.113.10 | at ns1 | clear +1m0s"},
			says:     []string{"perhaps 203.0.113.10, 203.0.113.77"},
		},
		{
			rule:     "nothing is drift if the expectation is not known",
			expected: inventory.Expected{Addresses: ips("203.0.113.77"), Former: ips("203.0.113.10"), Why: "the cloud could not be read"},
			before:   map[time.Duration]string{time.Minute: "ns1: api.shop.example. 3600 A 203.0.113.11"},
			seen:     "ns1: api.shop.example. 3600 A 203.0.113.10\n resolver: 8.8.8.8 60 A 203.0.113.11",
			policy:   Policy{MaxTTL: time.Minute},
		},
		{
			rule:     "a CDN in an allowed range stands in for both families of the balancer",
			expected: inventory.Expected{Known: true, Addresses: ips("203.0.113.77", "2001:db8::77"), Allow: prefixes("198.51.100.0/24")},
			seen:     "ns1: api.shop.example. 60 A 198.51.100.7",
		},
		{
			rule:     "beside a CDN the stale address is removed, not replaced by the balancer's",
			expected: inventory.Expected{Known: true, Addresses: ips("203.0.113.77"), Allow: prefixes("198.51.100.0/24")},
			seen:     "ns1: api.shop.example. 60 A 198.51.100.7\n ns1: api.shop.example. 60 A 203.0.113.10",
			want:     []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 198.51.100.7 | at ns1 | clear +1m0s"},
		},
		{
			rule:     "with ranges alone an address outside is stale, and the hint names the ranges",
			expected: inventory.Expected{Known: true, Allow: prefixes("198.51.100.0/24")},
			seen:     "ns1: api.shop.example. 60 A 203.0.113.10",
			want:     []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A | at ns1 | clear +1m0s"},
			says:     []string{"or set it to an address in 198.51.100.0/24"},
		},
		{
			rule: "a private address in the public DNS is special, if nothing is known of the target", policy: public,
			seen: "ns1: api.shop.example. 60 A 10.0.0.7",
			want: []string{"warning dns/special-address api.shop.example 10.0.0.7 | shop.example: api.shop.example 60 A 10.0.0.7 | at ns1"},
			says: []string{"the private address 10.0.0.7; it was not connected to"},
		},
		{
			rule: "a private address that is not the balancer's is stale, once", policy: public, expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 10.0.0.7\n ns1: api.shop.example. 60 A 203.0.113.77",
			want: []string{"critical dns/stale-record api.shop.example 10.0.0.7 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s"},
		},
		{
			rule: "a private address that is expected is right", policy: public, expected: has("10.0.0.7"),
			seen: "ns1: api.shop.example. 60 A 10.0.0.7",
		},
		{
			rule: "a private address that is allowed is right", policy: public, expected: inventory.Expected{Allow: prefixes("10.0.0.0/8")},
			seen: "ns1: api.shop.example. 60 A 10.0.0.7",
		},
		{
			rule: "a private address in a private tree is right", seen: "ns1: api.shop.example. 60 A 10.0.0.7",
		},
	}
}

func prefixes(words ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, w := range words {
		all = append(all, netip.MustParsePrefix(w))
	}
	return all
}
