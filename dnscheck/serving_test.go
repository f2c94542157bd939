package dnscheck

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// serverNamed reads "ns1/11": a name, and the last byte of its address; "ns1" has none.
func serverNamed(word string) Server {
	name, last, found := strings.Cut(word, "/")
	s := Server{Name: name + ".host.test"}
	if found {
		s.Address = netip.AddrPortFrom(netip.MustParseAddr("192.0.2."+last), 53)
	}
	return s
}

func servingOf(after time.Duration, ttl time.Duration, words string) Serving {
	s := Serving{Zone: "shop.example", TTL: uint32(ttl / time.Second), LastSeen: noon.Add(after)}
	for _, w := range strings.Fields(words) {
		s.Servers = append(s.Servers, serverNamed(w))
	}
	return s
}

// servingLines writes servings as "ns1/11 until 1h0m0s", with "gone 5m0s" before it.
func servingLines(all []Serving) []string {
	var lines []string
	for _, s := range all {
		var b strings.Builder
		for _, server := range s.Servers {
			fmt.Fprintf(&b, "%s/%d ", strings.TrimSuffix(server.Name, ".host.test"), server.Address.Addr().As4()[3])
		}
		if !s.Gone.IsZero() {
			fmt.Fprintf(&b, "gone %s ", s.Gone.Sub(noon))
		}
		lines = append(lines, fmt.Sprintf("%suntil %s", b.String(), s.Until.Sub(noon)))
	}
	return lines
}

func TestServingsSucceedEachOther(t *testing.T) {
	const minute = time.Minute
	for rule, c := range map[string]struct {
		looks []Serving
		want  []string
	}{
		"a zone that stays has what it had": {
			[]Serving{servingOf(0, time.Hour, "a/1 b/2"), servingOf(minute, time.Hour, "a/1 b/2")}, []string{"a/1 b/2 until 1h1m0s"},
		},
		"the TTL counts from the look that saw them gone": {
			[]Serving{servingOf(0, time.Hour, "a/1 b/2"), servingOf(5*minute, 2*time.Hour, "b/2 c/3")},
			[]string{"b/2 c/3 until 2h5m0s", "a/1 gone 5m0s until 1h5m0s"},
		},
		"later looks put the end off no more": {
			[]Serving{servingOf(0, time.Hour, "a/1"), servingOf(5*minute, time.Hour, "b/2"), servingOf(50*minute, time.Hour, "b/2")},
			[]string{"b/2 until 1h50m0s", "a/1 gone 5m0s until 1h5m0s"},
		},
		"when the TTL is over it is forgotten": {
			[]Serving{servingOf(0, time.Hour, "a/1"), servingOf(5*minute, time.Hour, "b/2"), servingOf(65*minute, time.Hour, "b/2")},
			[]string{"b/2 until 2h5m0s"},
		},
		"a TTL that was longer counts, as people lower it before they move": {
			[]Serving{servingOf(0, 24*time.Hour, "a/1"), servingOf(minute, 5*minute, "a/1"), servingOf(2*minute, 5*minute, "b/2")},
			[]string{"b/2 until 24h0m0s", "a/1 gone 2m0s until 24h0m0s"},
		},
		"no longer than two days": {
			[]Serving{servingOf(0, 7*24*time.Hour, "a/1"), servingOf(minute, time.Hour, "b/2")},
			[]string{"b/2 until 48h0m0s", "a/1 gone 1m0s until 48h1m0s"},
		},
		"a server that comes back is none that the zone had": {
			[]Serving{servingOf(0, time.Hour, "a/1"), servingOf(minute, time.Hour, "b/2"), servingOf(2*minute, time.Hour, "a/1 b/2")},
			[]string{"a/1 b/2 until 1h2m0s"},
		},
		"an address that its name has no more": {
			[]Serving{servingOf(0, time.Hour, "a/1"), servingOf(minute, time.Hour, "a/2")}, []string{"a/2 until 1h1m0s", "a/1 gone 1m0s until 1h1m0s"},
		},
		"a name without an address in this look has that which it had": {
			[]Serving{servingOf(0, time.Hour, "a/1 b/2"), servingOf(minute, time.Hour, "a b/2")}, []string{"b/2 a/1 until 1h1m0s"},
		},
		"of two moves the last comes first": {
			[]Serving{servingOf(0, time.Hour, "a/1"), servingOf(minute, time.Hour, "b/2"), servingOf(2*minute, time.Hour, "c/3")},
			[]string{"c/3 until 1h2m0s", "b/2 gone 2m0s until 1h2m0s", "a/1 gone 1m0s until 1h1m0s"},
		},
		"a look that ended late changes nothing": {
			[]Serving{servingOf(0, time.Hour, "a/1"), servingOf(minute, time.Hour, "b/2"), servingOf(minute/2, time.Hour, "a/1")},
			[]string{"b/2 until 1h1m0s", "a/1 gone 1m0s until 1h1m0s"},
		},
		"what a clock that was ahead remembers is forgotten": {
			[]Serving{servingOf(90*minute, time.Hour, "a/1"), servingOf(0, time.Hour, "b/2")}, []string{"b/2 until 1h0m0s"},
		},
		"eight addresses, of each name one before the second of any": {
			[]Serving{servingOf(0, time.Hour, "a/1 a/2 a/3 a/4 a/5 a/6 a/7 a/8 b/9 c/10"), servingOf(minute, time.Hour, "d/11")},
			[]string{"d/11 until 1h1m0s", "a/1 a/2 a/3 a/4 a/5 a/6 b/9 c/10 gone 1m0s until 1h1m0s"},
		},
	} {
		t.Run(rule, func(t *testing.T) {
			var all []Serving
			for _, s := range c.looks {
				before := slices.Clone(all)
				all = succeed(all, s)
				if !reflect.DeepEqual(before, slices.Clone(before)) {
					t.Error("what was known is changed")
				}
			}
			if got := servingLines(all); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A look that does not know all servers, as limits ended it, says nothing of those that it lacks.
func TestTheHistoryKeepsServings(t *testing.T) {
	with := func(after time.Duration, ttl uint32, text string) Observation {
		o := at(t, after, text)
		o.Steps[0].NSTTL = ttl
		return o
	}
	const one, two = "ns1: api.shop.example. 60 A 203.0.113.10", "ns2: api.shop.example. 60 A 203.0.113.77"
	h := History{}.Remember([]Observation{with(0, 3600, one)}).Remember([]Observation{with(time.Minute, 0, two)})
	if len(h.Servings) != 1 || !h.Servings[0].Gone.IsZero() || !h.Servings[0].LastSeen.Equal(noon) {
		t.Errorf("after a look that was cut: %+v", h.Servings)
	}
	h = h.Remember([]Observation{with(3*time.Minute, 3600, two), with(2*time.Minute, 3600, one)})
	if len(h.Servings) != 2 || !h.Servings[1].Gone.Equal(noon.Add(3*time.Minute)) || !h.Servings[1].Until.Equal(noon.Add(63*time.Minute)) {
		t.Errorf("after the move: %+v", h.Servings)
	}
	if got := h.LastChange(); !got.Equal(noon.Add(3 * time.Minute)) {
		t.Errorf("the last change was at %s", got)
	}
	text, err := json.Marshal(h)
	var back History
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || !reflect.DeepEqual(back.Servings, h.Servings) {
		t.Errorf("wrote %+v, read %+v: %v", h.Servings, back.Servings, err)
	}
	if later := h.Remember([]Observation{at(t, 63*time.Minute, "ns1: www.edge.example. 60 A 203.0.113.10")}); len(later.Servings) != 1 {
		t.Errorf("when the TTL is over: %+v", later.Servings)
	}
	if later := h.Remember([]Observation{at(t, keep+3*time.Minute, "ns1: www.edge.example. 60 A 203.0.113.10")}); len(later.Servings) != 0 {
		t.Errorf("of a zone that nobody looks at: %+v", later.Servings)
	}
}

func TestServingsAreBounded(t *testing.T) {
	var h History
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 4000 {
		o := at(t, time.Duration(i%2)*time.Minute, "ns1: api.shop.example. 60 A 203.0.113.10")
		o.Host = fmt.Sprintf("host%d.example", i)
		s := &o.Steps[0]
		s.Zone, s.NSTTL, s.Answers = fmt.Sprintf("zone%d.example", i/2), 172800, nil
		for k := range 20 {
			server := Server{Name: fmt.Sprintf("ns%d.%d.%s", k, i, strings.Repeat(`<`, 60)), Address: netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(r.Uint32()), byte(r.Uint32()), 15: 1}), 53)}
			s.Answers = append(s.Answers, Answer{Server: server, Type: A, Outcome: NoData})
		}
		h = h.Remember([]Observation{o})
	}
	size := 0
	for _, s := range h.Servings {
		size += s.bytes()
		if len(s.Servers) > maxServed {
			t.Fatalf("%d servers of %s", len(s.Servers), s.Zone)
		}
	}
	text, err := json.Marshal(h.Servings)
	if err != nil || size > maxServings || len(text) > size || len(text) < size/2 {
		t.Errorf("%d bytes estimated, %d written: %v", size, len(text), err)
	}
	small := h.Within(noon, 100<<10)
	if text, err := json.Marshal(small); err != nil || len(text) > 100<<10 || len(small.Servings) == 0 {
		t.Errorf("cut to 100 KiB: %d bytes, %d servings: %v", len(text), len(small.Servings), err)
	}
	if slices.ContainsFunc(small.Servings, func(s Serving) bool { return s.Gone.IsZero() }) {
		t.Error("those that zones have should go first")
	}
	if again := h.Within(noon, 100<<10); len(h.Servings) < 100 || !reflect.DeepEqual(again, small) {
		t.Error("to cut a history changes it")
	}
}
