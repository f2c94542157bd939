package dnscheck

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

// at is a look some time after noon.
func at(tb testing.TB, after time.Duration, text string) Observation {
	o := look(tb, text)
	o.At = noon.Add(after)
	return o
}

func TestRemember(t *testing.T) {
	const old, fresh = "ns1: api.shop.example. 60 A 203.0.113.10", "ns1: api.shop.example. 60 A 203.0.113.77"
	cases := []struct {
		rule  string
		looks []Observation
		want  []string
	}{
		{"an address is first and last seen", []Observation{at(t, 0, old), at(t, time.Hour, old)}, []string{"api.shop.example 203.0.113.10 0s-1h0m0s"}},
		{"an old address stays beside the new one", []Observation{at(t, 0, old), at(t, time.Hour, fresh)}, []string{"api.shop.example 203.0.113.10 0s-0s", "api.shop.example 203.0.113.77 1h0m0s-1h0m0s"}},
		{"an address seen again keeps its first time", []Observation{at(t, 0, old), at(t, time.Hour, fresh), at(t, 2*time.Hour, old)}, []string{"api.shop.example 203.0.113.10 0s-2h0m0s", "api.shop.example 203.0.113.77 1h0m0s-1h0m0s"}},
		{"silence forgets nothing", []Observation{at(t, 0, old), at(t, time.Hour, "ns1: api.shop.example. silent")}, []string{"api.shop.example 203.0.113.10 0s-0s"}},
		{"an address that is gone for a week is forgotten", []Observation{at(t, 0, old), at(t, keep, fresh)}, []string{"api.shop.example 203.0.113.77 168h0m0s-168h0m0s"}},
		{"a way that caches keep longer is remembered longer", []Observation{at(t, 0, "ns1: api.shop.example. 864000 CNAME lb.edge.example.\n ns4: lb.edge.example. 864000 A 203.0.113.10"), at(t, keep, fresh)}, []string{"api.shop.example 203.0.113.10 0s-0s", "api.shop.example 203.0.113.77 168h0m0s-168h0m0s"}},
		{"a host that is observed no more is forgotten too", []Observation{at(t, 0, old), at(t, keep, "ns1: www.shop.example. 60 A 203.0.113.77")}, []string{"www.shop.example 203.0.113.77 168h0m0s-168h0m0s"}},
		{"hosts do not mix", []Observation{at(t, 0, old), at(t, time.Hour, "ns1: www.shop.example. 60 A 203.0.113.77")}, []string{"api.shop.example 203.0.113.10 0s-0s", "www.shop.example 203.0.113.77 1h0m0s-1h0m0s"}},
		{"a look with a clock set back moves no time back", []Observation{at(t, time.Hour, old), at(t, 0, old)}, []string{"api.shop.example 203.0.113.10 0s-1h0m0s"}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			var one History
			for _, o := range c.looks {
				one = one.Remember([]Observation{o})
			}
			if got := sightings(one); !slices.Equal(got, c.want) {
				t.Errorf("one by one: %q, want %q", got, c.want)
			}
			if got := sightings(History{}.Remember(c.looks)); !slices.Equal(got, c.want) {
				t.Errorf("at once: %q, want %q", got, c.want)
			}
		})
	}
}

func sightings(h History) []string {
	var all []string
	for _, s := range h.Sightings {
		all = append(all, fmt.Sprintf("%s %s %s-%s", s.Host, s.Address, s.FirstSeen.Sub(noon), s.LastSeen.Sub(noon)))
	}
	return all
}

func TestRememberDoesNotDependOnTheOrderOfLooks(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var looks []Observation
	for i := range 300 {
		// Several looks have one time and one host, and differ.
		after := time.Duration(i/3) * 6 * time.Hour
		looks = append(looks, at(t, after, fmt.Sprintf("ns1: h%d.shop.example. %d A 203.0.113.%d", i%4, 60*(i%7), random.IntN(60))))
	}
	base := History{}.Remember(looks[:100])
	want := base.Remember(looks[100:])
	for range 10 {
		if got := base.Remember(shuffled(random, looks[100:])); !reflect.DeepEqual(got, want) {
			t.Fatal("another order gives another history")
		}
	}
}

func TestRememberIsPure(t *testing.T) {
	h := History{}.Remember([]Observation{at(t, 0, "ns1: api.shop.example. 60 A 203.0.113.10"), at(t, 0, "ns1: www.shop.example. 60 A 203.0.113.10")})
	before := slices.Clone(h.Sightings)
	for i := range 40 {
		h.Remember([]Observation{at(t, time.Duration(i)*time.Hour, fmt.Sprintf("ns1: api.shop.example. 60 A 203.0.113.%d", i))})
	}
	if !reflect.DeepEqual(h.Sightings, before) {
		t.Errorf("changed to %q", sightings(h))
	}
}

func TestAHostileZoneCannotFillTheHistory(t *testing.T) {
	var h History
	for i := range 200 {
		o := at(t, time.Duration(i)*time.Minute, "ns1: api.shop.example. 2147483647 A 203.0.113.10")
		a := &o.Steps[0].Answers[0]
		a.Addresses = nil
		for k := range 50 {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte{198, 51, byte(i), byte(k)}))
		}
		h = h.Remember([]Observation{o})
		if len(h.Sightings) > maxPerHost {
			t.Fatalf("%d sightings after look %d", len(h.Sightings), i)
		}
	}
	if h.Sightings[0].LastSeen != noon.Add(199*time.Minute) {
		t.Errorf("the oldest must go first, kept %q", sightings(h))
	}
}

func TestOfGivesOneHost(t *testing.T) {
	var looks []Observation
	for _, host := range []string{"a.shop.example", "aa.shop.example", "b.shop.example"} {
		looks = append(looks, at(t, 0, "ns1: "+host+". 60 A 203.0.113.10\n ns1: "+host+". 60 A 203.0.113.77"))
	}
	h := History{}.Remember(looks)
	for _, host := range []string{"a.shop.example", "aa.shop.example", "b.shop.example"} {
		mine := h.Of(host)
		if len(mine) != 2 || mine[0].Host != host || mine[1].Host != host {
			t.Errorf("Of(%s) = %q", host, sightings(History{Sightings: mine}))
		}
	}
	if got := h.Of("c.shop.example"); len(got) != 0 {
		t.Errorf("Of an unknown host = %v", got)
	}
}

func TestClearBy(t *testing.T) {
	const alias = "ns1: www.shop.example. 300 CNAME lb.edge.example.\n"
	cases := []struct {
		rule   string
		before string
		now    string
		want   time.Duration
		gone   bool
	}{
		{"a way that is still published does not clear", alias + "ns4: lb.edge.example. 3600 A 203.0.113.10", alias + "ns4: lb.edge.example. 60 A 203.0.113.10", 0, false},
		{"an address record that changed clears after its TTL", "ns1: api.shop.example. 3600 A 203.0.113.10", "ns1: api.shop.example. 60 A 203.0.113.77", time.Hour, true},
		{"an address record that changed under a stable alias clears after its own TTL", alias + "ns4: lb.edge.example. 3600 A 203.0.113.10", alias + "ns4: lb.edge.example. 60 A 203.0.113.77", time.Hour, true},
		{"an alias that was switched clears after its TTL and that of the old target, which can be read anew", alias + "ns4: lb.edge.example. 3600 A 203.0.113.10", "ns1: www.shop.example. 300 CNAME new.edge.example.\n ns4: new.edge.example. 60 A 203.0.113.77\n ns4: lb.edge.example. 3600 A 203.0.113.10", 65 * time.Minute, true},
		{"an alias that was switched clears after its TTL, if its old target is looked at no more", alias + "ns4: lb.edge.example. 3600 A 203.0.113.10", "ns1: www.shop.example. 60 A 203.0.113.77", 5 * time.Minute, true},
		{"an alias and its target that both changed clear after the longer TTL", alias + "ns4: lb.edge.example. 3600 A 203.0.113.10", "ns1: www.shop.example. 60 CNAME mid.edge.example.\n ns2: www.shop.example. 60 CNAME lb.edge.example.\n ns4: mid.edge.example. 60 A 203.0.113.77\n ns4: lb.edge.example. 60 A 203.0.113.77", time.Hour, true},
		{"a short address behind a long alias clears after the alias", "ns1: www.shop.example. 7200 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.10", "ns1: www.shop.example. 60 A 203.0.113.77", 2 * time.Hour, true},
		{"a link that is still published before a gone address adds nothing", "ns1: www.shop.example. 300 CNAME mid.shop.example.\n ns1: mid.shop.example. 3600 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.10", "ns1: www.shop.example. 300 CNAME new.shop.example.\n ns1: mid.shop.example. 3600 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77", 5 * time.Minute, true},
		{"the longest of two ways counts", "ns1: www.shop.example. 300 CNAME a.edge.example.\n ns2: www.shop.example. 600 CNAME b.edge.example.\n ns4: a.edge.example. 9000 A 203.0.113.10\n ns4: b.edge.example. 60 A 203.0.113.10", "ns1: www.shop.example. 60 A 203.0.113.77", 10 * time.Minute, true},
		{"the largest TTL that any server gave counts", "ns1: api.shop.example. 60 A 203.0.113.10\n ns2: api.shop.example. 900 A 203.0.113.10", "ns1: api.shop.example. 60 A 203.0.113.77", 15 * time.Minute, true},
		{"no cache keeps the largest TTL of all for longer than a week", "ns1: api.shop.example. 2147483647 A 203.0.113.10", "ns1: api.shop.example. 60 A 203.0.113.77", maxCached, true},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			h := History{}.Remember([]Observation{look(t, c.before)})
			end, gone := h.Sightings[0].ClearBy(look(t, c.now))
			if gone != c.gone || gone && end.Sub(noon) != c.want {
				t.Errorf("clear %s after it was last seen (%t), want %s (%t)", end.Sub(noon), gone, c.want, c.gone)
			}
		})
	}
}

// Servers that all disagree make as many ways as there are orders of the names; the
// walk must not try them all.
func TestDisagreeingAliasesAreWalkedInBoundedTime(t *testing.T) {
	var o Observation
	for i := range MaxSteps {
		s := Step{Name: fmt.Sprintf("n%d.example", i), Zone: "example"}
		for k := range MaxSteps {
			server := Server{Name: "ns", Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(k)}), 53)}
			s.Answers = append(s.Answers, Answer{Server: server, Type: A, Outcome: Alias, Target: fmt.Sprintf("n%d.example", k), TTL: uint32(i + k)})
		}
		o.Steps = append(o.Steps, s)
	}
	last := &o.Steps[MaxSteps-1]
	last.Answers[0] = Answer{Type: A, Outcome: OK, Addresses: ips("203.0.113.10"), TTL: 60}
	if path := o.paths()[ips("203.0.113.10")[0]]; len(path) < 2 || len(path) > MaxSteps {
		t.Errorf("the way is %v", path)
	}
}

func BenchmarkRemember(b *testing.B) {
	var all []Observation
	for i := range 10_000 {
		all = append(all, at(b, 0, fmt.Sprintf("ns1: h%05d.shop.example. 60 A 203.0.113.10\n ns1: h%05d.shop.example. 60 AAAA 2001:db8::10", i, i)))
	}
	h := History{}.Remember(all)
	fresh := slices.Clone(all[3000:3500])
	for i := range fresh {
		fresh[i].At = noon.Add(time.Minute)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Remember(fresh)
	}
}

func BenchmarkJudgeClean(b *testing.B) {
	j := judged{expected: has("203.0.113.77", "2001:db8::77"), policy: Policy{MaxTTL: time.Hour}}
	for n := range 3 {
		j.seen += fmt.Sprintf("ns%d: api.shop.example. 60 A 203.0.113.77\n ns%d: api.shop.example. 60 AAAA 2001:db8::77\n", n+1, n+1)
	}
	j.seen += "resolver: 8.8.8.8 60 A 203.0.113.77\n resolver: 1.1.1.1 60 A 203.0.113.77"
	c := j.given(b)
	b.ReportAllocs()
	for b.Loop() {
		if fs := Judge(j.policy, noon, c); len(fs) != 0 {
			b.Fatal(fs)
		}
	}
}
