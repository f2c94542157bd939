package dnscheck

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// mixed are looks that deny, give and say nothing, several of them at one time.
func mixed(tb testing.TB, random *rand.Rand) []Observation {
	said := []string{
		"ns1: %[1]s. %[2]d NXDOMAIN",
		"ns1: %[1]s. %[2]d NODATA\n ns2: %[1]s. silent",
		"ns1: %[1]s. 60 A 203.0.113.10\n ns2: %[1]s. %[2]d NXDOMAIN",
		"ns1: %[1]s. 60 A 203.0.113.10\n ns1: %[1]s. 60 AAAA 2001:db8::10",
		"ns1: %[1]s. 60 A 203.0.113.10",
		"ns1: %[1]s. silent",
		"ns1: %[1]s. %[2]d CNAME lb.edge.example.\n ns4: lb.edge.example. 300 NXDOMAIN",
		"ns1: %[1]s. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.10",
		"parent: %[1]s. %[2]d NXDOMAIN",
	}
	var looks []Observation
	for i := range 600 {
		host := fmt.Sprintf("h%d.shop.example", i%4)
		looks = append(looks, at(tb, time.Duration(i/8)*time.Minute, fmt.Sprintf(said[random.IntN(len(said))], host, 60*(1+random.IntN(9)))))
	}
	return looks
}

func TestDenialsDoNotDependOnTheOrderOfLooks(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	looks := mixed(t, random)
	base := History{}.Remember(looks[:200])
	before := slices.Clone(base.Denials)
	want := base.Remember(looks[200:])
	if len(want.Denials) == 0 {
		t.Fatal("nothing was denied")
	}
	for range 10 {
		if got := base.Remember(shuffled(random, looks[200:])); !reflect.DeepEqual(got.Denials, want.Denials) {
			t.Fatalf("in another order\n%+v\nbefore\n%+v", got.Denials, want.Denials)
		}
	}
	if !reflect.DeepEqual(base.Denials, before) {
		t.Error("Remember changed its receiver")
	}
}

// However looks follow each other, what is promised holds: no cache that asked when a
// server denied the name denies it after the all-clear.
func TestNoCacheDeniesLongerThanIsSaid(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 30 {
		cached := map[string]time.Time{} // by host: the end of what a cache may hold
		var h History
		for _, o := range mixed(t, random) {
			h = h.Remember([]Observation{o})
			if d, denied := o.denies(A); denied {
				cached[o.Host] = later(cached[o.Host], o.At.Add(seconds(d.TTL)))
			}
			for _, d := range h.DeniedOf(o.Host) {
				end, gone := d.ClearBy(o)
				if d.Type == A && gone && end.Before(cached[o.Host]) {
					t.Fatalf("clear at %s, a cache denies it until %s: %+v", end, cached[o.Host], d)
				}
			}
			if o.givenByAll(A) && cached[o.Host].After(o.At) && !slices.ContainsFunc(h.DeniedOf(o.Host), func(d Denial) bool { return d.Type == A }) {
				t.Fatalf("forgotten, though a cache denies %s until %s", o.Host, cached[o.Host])
			}
		}
	}
}

func TestDenialsAreBounded(t *testing.T) {
	var h History
	random := rand.New(rand.NewPCG(11, 12))
	for _, o := range mixed(t, random) {
		h = h.Remember([]Observation{o})
	}
	if n := len(h.Denials); n > 8 {
		t.Errorf("%d denials of 4 hosts and 2 types", n)
	}
	h = h.Remember([]Observation{at(t, keep+2*time.Hour, "ns1: other.shop.example. 60 A 203.0.113.10")})
	if len(h.Denials) != 0 {
		t.Errorf("kept for ever: %+v", h.Denials)
	}
}

func TestDenialsAreKeptInTheStateFile(t *testing.T) {
	h := History{}.Remember([]Observation{
		at(t, 0, "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 300 NXDOMAIN"),
		at(t, time.Minute, "ns1: api.shop.example. 300 NXDOMAIN"),
	})
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back History
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back.Denials, h.Denials) {
		t.Errorf("read back %+v, %v; want %+v", back.Denials, err, h.Denials)
	}
	if got := back.DeniedOf("www.shop.example"); len(got) != 2 || got[0].Owner != "lb.edge.example" || got[0].Zone != "edge.example" || len(got[0].Aliases) != 1 {
		t.Errorf("of www.shop.example: %+v", got)
	}
}

// A name that is denied since a clock that was ahead drains by the clock of now.
func TestADenialOfAClockThatWasAhead(t *testing.T) {
	h := History{}.Remember([]Observation{at(t, 90*24*time.Hour, "ns1: api.shop.example. 300 NXDOMAIN")})
	o := at(t, 0, "ns1: api.shop.example. 60 A 203.0.113.10")
	h = h.Remember([]Observation{o})
	if d := h.DeniedOf("api.shop.example"); len(d) == 0 {
		t.Fatal("forgotten")
	} else if end, gone := d[0].ClearBy(o); !gone || !end.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("clear at %s (%t), want 5 min after noon", end, gone)
	}
}
