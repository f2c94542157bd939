package inventory

import (
	"net/netip"
	"reflect"
	"testing"
)

func TestJoined(t *testing.T) {
	a, b, c := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.3")
	list := func(as ...netip.Addr) []netip.Addr { return as }
	one, two := ServiceRef{"edge", "one"}, ServiceRef{"edge", "two"}
	cases := []struct {
		name string
		of   []Expected
		want Expected
	}{
		{"one stands as it is", []Expected{{Addresses: list(b, a), Why: "x"}}, Expected{Addresses: list(b, a), Why: "x"}},
		{"of those that are not known the first", []Expected{{Why: "x"}, {Why: "y"}}, Expected{Why: "x"}},
		{"what is not known does not count beside what is", []Expected{{Addresses: list(c)}, {Known: true, Addresses: list(a)}}, Expected{Known: true, Addresses: list(a)}},
		{
			"two balancers, each with its own past",
			[]Expected{{Known: true, Service: two, Addresses: list(b), Former: list(a, c)}, {Known: true, Service: one, Addresses: list(a), Uncertain: list(b), OneFamily: true}},
			Expected{Known: true, Service: two, Others: []ServiceRef{one}, Addresses: list(a, b), Uncertain: list(), Former: list(c), OneFamily: true},
		},
		{
			"what only annotations lead to is accepted, and not asked for beside what more leads to",
			[]Expected{{Known: true, Service: two, Addresses: list(a, b), Told: list(a, b)}, {Known: true, Service: one, Addresses: list(b, c), Told: list(c)}, {Known: true, Service: one, Addresses: list(b)}},
			Expected{Known: true, Service: one, Others: []ServiceRef{two}, Addresses: list(b), Uncertain: list(a, c)},
		},
		{
			"and is asked for where nothing else leads anywhere",
			[]Expected{{Known: true, Addresses: list(b), Told: list(b)}, {Known: true, Addresses: list(a), Told: list(a)}},
			Expected{Known: true, Addresses: list(a, b), Told: list(b, a)},
		},
		{
			"and the other way round",
			[]Expected{{Known: true, Addresses: list(b)}, {Known: true, Addresses: list(b), Told: list(b)}},
			Expected{Known: true, Addresses: list(b)},
		},
		{"what one doubts both do", []Expected{{Known: true}, {Known: true, Doubtful: list(a)}}, Expected{Known: true, Doubtful: list(a)}},
		{
			"a Service that fronts both is one", []Expected{{Known: true, Service: one}, {Known: true, Service: one, Others: []ServiceRef{two}}},
			Expected{Known: true, Service: one, Others: []ServiceRef{two}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Joined(c.of); !reflect.DeepEqual(plain(got), plain(c.want)) {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestFrontsNamesServicesAlone(t *testing.T) {
	one, two := ServiceRef{Namespace: "a", Name: "one"}, ServiceRef{Namespace: "a", Name: "two"}
	for want, e := range map[string]Expected{
		"":              {},
		"a/one":         {Service: one},
		"a/one + a/two": {Service: one, Others: []ServiceRef{two}},
		"a/two":         {Others: []ServiceRef{two}}, // an annotation that names no Service leads elsewhere too
	} {
		if got := e.Fronts(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// plain makes empty lists nil.
func plain(e Expected) Expected {
	for _, l := range []*[]netip.Addr{&e.Addresses, &e.Told, &e.Uncertain, &e.Former} {
		if len(*l) == 0 {
			*l = nil
		}
	}
	return e
}
