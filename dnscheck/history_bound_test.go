package dnscheck

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/state"
)

// sighting is one address that was last seen some minutes after noon, with a TTL in
// minutes; gone by then, or published.
func sighting(host string, last, ttl int, gone bool) Sighting {
	s := Sighting{
		Host: host, Address: netip.MustParseAddr("203.0.113.10"), LastSeen: noon.Add(time.Duration(last) * time.Minute),
		Path: []Link{{Owner: host, Type: "A", Value: "203.0.113.10", TTL: uint32(60 * ttl)}},
	}
	if s.FirstSeen = s.LastSeen; gone {
		s.Gone = s.LastSeen
		s.End = s.Gone.Add(time.Duration(ttl) * time.Minute)
	}
	return s
}

// jsonSize is what the estimate estimates.
func jsonSize(tb testing.TB, h History) int {
	tb.Helper()
	text, err := json.Marshal(h)
	if err != nil {
		tb.Fatal(err)
	}
	return len(text)
}

func estimated(h History) (n int) {
	for _, s := range h.Sightings {
		n += s.bytes()
	}
	for _, d := range h.Denials {
		n += d.bytes()
	}
	return n
}

// As a load balancer of a cloud does it: two addresses out of a pool of forty.
func TestHostsOfALargePoolFitIntoTheHistory(t *testing.T) {
	const hosts = 100
	var h History
	for k := range 90 {
		var looks []Observation
		for i := range hosts {
			looks = append(looks, at(t, time.Duration(k)*time.Minute, fmt.Sprintf(`ns1: h%d.shop.example. 300 CNAME ingress-1234567890.eu-central-1.elb.cloud.example.
				ns4: ingress-1234567890.eu-central-1.elb.cloud.example. 60 A 198.51.100.%d 198.51.100.%d`, i, k%40, (k+1)%40)))
		}
		h = h.Remember(looks)
	}
	for i := range hosts {
		if size := estimated(History{Sightings: h.Of(fmt.Sprintf("h%d.shop.example", i))}); size > maxHostHistory {
			t.Fatalf("host %d has %d bytes", i, size)
		}
	}
	if real, guess := jsonSize(t, h), estimated(h); guess < real || guess > real*3/2 {
		t.Errorf("estimated %d bytes, they are %d", guess, real)
	}
}

func TestLongNamesCountInTheHistory(t *testing.T) {
	label := strings.Repeat(`\001`, 61)
	long := func(i int) string { return fmt.Sprintf("x%02d.%s.%s.%s.evil.example", i, label, label, label) }
	var h History
	for k := range 10 {
		o := Observation{Host: "victim.example", At: noon.Add(time.Duration(k) * time.Minute), Heard: true}
		for i := range MaxSteps {
			a := Answer{Server: Server{Name: long(99)}, Type: A, Outcome: Alias, Target: long(i + 1), TTL: 300}
			s := Step{Name: long(i), Zone: "evil.example"}
			if i == 0 {
				s.Name = o.Host
			}
			if i == MaxSteps-1 {
				a = Answer{Server: a.Server, Type: A, Outcome: OK, TTL: 300, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(k)})}}
			}
			s.Answers = []Answer{a}
			o.Steps = append(o.Steps, s)
		}
		h = h.Remember([]Observation{o})
		if newest := h.Sightings; len(newest) != 1 || newest[0].LastSeen != o.At {
			t.Fatalf("look %d: %d sightings, want the newest alone", k, len(newest))
		}
		if real, guess := jsonSize(t, h), estimated(h); guess < real || guess > real*3/2 {
			t.Fatalf("estimated %d bytes, they are %d", guess, real)
		}
	}
}

func TestOfManyAddressesOnlyThoseThatMatterStay(t *testing.T) {
	var all []Sighting
	for i := range 14 {
		s := sighting("api.shop.example", -200+i, 1, true) // drained for hours
		s.Address = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		all = append(all, s)
	}
	count := func(all []Sighting) int { return len(boundHost(slices.Clone(all), noon)) }
	if n := count(all); n != fewPerHost {
		t.Errorf("%d are kept of a host with too many", n)
	}
	if n := count(all[:fewPerHost]); n != fewPerHost {
		t.Errorf("%d are kept of a host with few", n)
	}
	for _, end := range []int{1, -59} { // drains, and has drained a short while ago
		for i := range all {
			all[i].End = noon.Add(time.Duration(end) * time.Minute)
		}
		if n := count(all); n != len(all) {
			t.Errorf("%d of %d are kept that end %d min after noon", n, len(all), end)
		}
	}
}

// Many hosts that come once fill nothing: the state file takes the history, and what
// drains is still known.
func TestTheHistoryFitsIntoTheStateFile(t *testing.T) {
	var h History
	add := func(s Sighting) { h.Sightings = append(h.Sightings, s) }
	const n = 17_000
	for i := range n {
		name := strings.Repeat(fmt.Sprintf("%05d", i), 10)
		add(sighting("a"+name+".shop.example", -i%300-300, 60*24, true)) // drains
		add(sighting("b"+name+".shop.example", -i%300, 1, false))        // published
		add(sighting("c"+name+".shop.example", -i%300-5, 1, true))       // drained
	}
	slices.SortFunc(h.Sightings, compareSightings)
	before := slices.Clone(h.Sightings)
	if size := jsonSize(t, h); size < state.MaxSize {
		t.Fatalf("%d bytes are no test", size)
	}
	o := at(t, 0, "ns1: z.shop.example. 60 A 203.0.113.10")
	got := h.Remember([]Observation{o})
	if size := jsonSize(t, got); size > someHistory || size < someHistory/2 {
		t.Errorf("%d bytes are kept", size)
	}
	kinds := map[byte]int{}
	oldest := noon
	for _, s := range got.Sightings {
		kinds[s.Host[0]]++
		if s.Host[0] == 'b' && s.LastSeen.Before(oldest) {
			oldest = s.LastSeen
		}
	}
	for _, s := range before {
		if s.Host[0] == 'b' && s.LastSeen.After(oldest) && len(got.Of(s.Host)) == 0 {
			t.Fatalf("%s is forgotten, and older ones are not", s.Host)
		}
	}
	if kinds['a'] != n || kinds['b'] == 0 || kinds['b'] == n || kinds['c'] != 0 || kinds['z'] != 1 {
		t.Errorf("kept %v: first goes what is drained, then what is published, then what drains", kinds)
	}
	if !reflect.DeepEqual(h.Sightings, before) {
		t.Error("Remember changed its receiver")
	}
	if again := h.Remember([]Observation{o}); !reflect.DeepEqual(again, got) {
		t.Error("what is forgotten differs from time to time")
	}
}

func TestLongDenialsCountInTheHistory(t *testing.T) {
	var h History
	long := strings.Repeat(`\001`, 200)
	for i := range 3000 {
		d := Denial{Host: fmt.Sprintf("h%05d.example", i), Type: A, Owner: long + ".example", FirstSeen: noon, LastSeen: noon}
		for range 6 {
			d.Aliases = append(d.Aliases, Link{Owner: long, Type: "CNAME", Value: long, TTL: 60})
		}
		h.Denials = append(h.Denials, d)
	}
	h = h.bounded(noon)
	if size := jsonSize(t, h); size > maxHistory || size < someHistory/2 {
		t.Errorf("%d bytes are kept", size)
	}
}
