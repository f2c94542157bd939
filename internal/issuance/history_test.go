package issuance

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func one(n int, now time.Time) Seen {
	return Seen{
		At: now, Host: fmt.Sprintf("h%d.example", n), Address: edge, Names: []string{fmt.Sprintf("h%d.example", n)},
		CA: letsEncrypt, Serial: "1", Issued: at(0), NotAfter: at(90 * 24),
	}
}

func TestHistorySurvivesARestart(t *testing.T) {
	h := History{}.Remember(serve([]string{"b.example", "*.A.example"}, letsEncrypt, 90*day, at(30), every(6*time.Hour, 4)...))
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back History
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, back) {
		t.Errorf("%+v\nis not\n%+v", back, h)
	}
	if n := len(h.Sets[0].Issuances); n != 4 {
		t.Errorf("%d issuances, want 4", n)
	}
}

func TestRememberLeavesTheReceiver(t *testing.T) {
	h := History{}.Remember([]Seen{one(1, at(1))})
	before, _ := json.Marshal(h)
	next := h.Remember([]Seen{{At: at(2), Host: "other.example", Address: netip.MustParseAddr("192.0.2.11"), Names: []string{"h1.example"}, CA: letsEncrypt, Serial: "1"}})
	if after, _ := json.Marshal(h); string(after) != string(before) {
		t.Errorf("the receiver became %s", after)
	}
	if got := next.Sets[0].Issuances[0]; len(got.Hosts) != 2 || len(got.Addresses) != 2 || !got.LastSeen.Equal(at(2)) || !got.FirstSeen.Equal(at(1)) {
		t.Errorf("%+v", got)
	}
}

// Whoever holds an address chooses what it serves.
func TestHistoryIsBounded(t *testing.T) {
	var all []Seen
	for n := range maxSets + 100 {
		all = append(all, one(n, at(float64(n)/1000)))
	}
	h := History{}.Remember(all)
	if len(h.Sets) != maxSets {
		t.Errorf("%d sets", len(h.Sets))
	}
	if _, old := h.get(keyOf([]string{"h0.example"}, letsEncrypt)); old {
		t.Error("the oldest is kept in place of a newer one")
	}
	hostile := Seen{At: at(1), Host: strings.Repeat("h", 5000), Address: edge, CA: strings.Repeat("c", 5000), Names: make([]string, 500)}
	for n := range hostile.Names {
		hostile.Names[n] = strings.Repeat("n", n)
	}
	h = History{}
	for n := range 5 * maxIssuances {
		hostile.Serial, hostile.Issued, hostile.Host = fmt.Sprint(n), at(float64(n)), fmt.Sprint(strings.Repeat("h", 500), n)
		h = h.Remember([]Seen{hostile})
	}
	text, _ := json.Marshal(h)
	if s := h.Sets[0]; len(s.Issuances) != maxBusy || len(s.Names) != maxNames || len(text) > 40<<10 {
		t.Errorf("%d issuances, %d names, %d bytes", len(s.Issuances), len(s.Names), len(text))
	}
	hostile.At, hostile.Serial, hostile.Issued = at(20*24), "late", at(20*24)
	if s := h.Remember([]Seen{hostile}).Sets[0]; len(s.Issuances) != maxIssuances || s.newest().Serial != "late" {
		t.Errorf("%d issuances after two weeks", len(s.Issuances))
	}
	if s := (Seen{At: at(1), Names: []string{"a.example"}, Serial: strings.Repeat("1", 5000)}); len(History{}.Remember([]Seen{s}).Sets) != 0 {
		t.Error("a serial that no authority gives is kept")
	}
}

func TestWhatIsOldIsForgotten(t *testing.T) {
	h := History{}.Remember([]Seen{one(1, at(0)), one(2, at(0))})
	h = h.Remember([]Seen{one(2, at(100*24))})
	if len(h.Sets) != 1 || h.Sets[0].Names[0] != "h2.example" {
		t.Errorf("%+v", h.Sets)
	}
	// What a clock saw that was a year ahead is dated anew when it is seen again.
	h = History{}.Remember([]Seen{one(3, at(400*24))})
	h = h.Remember([]Seen{one(2, at(30*24))}).Remember([]Seen{one(3, at(31*24))})
	if h = h.Remember([]Seen{one(2, at(131*24))}); len(h.Sets) != 1 {
		t.Errorf("what a wrong clock saw is kept: %+v", h.Sets)
	}
}

func FuzzRemember(f *testing.F) {
	f.Add("a.example", "B.example", "Let's Encrypt", "1", int64(0), int64(1))
	f.Add("", "", "", "", int64(-1<<62), int64(1<<62))
	f.Fuzz(func(t *testing.T, name, other, ca, serial string, issued, ends int64) {
		s := Seen{At: at(1), Host: name, Address: edge, Names: []string{name, other}, CA: ca, Serial: serial, Issued: time.Unix(issued%(1<<36), 0).UTC(), NotAfter: time.Unix(ends%(1<<36), 0).UTC()}
		again := s
		again.At, again.Names, again.Serial = at(2), []string{strings.ToUpper(other), name}, serial+"1"
		h := History{}.Remember([]Seen{s, again})
		for _, found := range Judge(Policy{Authorities: []string{"x"}}, at(3), h) {
			for _, text := range []string{found.Summary, found.Observed, found.Expected} {
				if strings.ContainsAny(text, "\x1b\n\x00") {
					t.Errorf("%q is not escaped", text)
				}
			}
		}
	})
}

func TestWithinKeepsWhatWasOrderedAgain(t *testing.T) {
	var all []Seen
	for n := range 1000 {
		all = append(all, one(n, at(float64(n)/1000)))
	}
	again := one(0, at(1))
	again.Serial = "2"
	h := History{}.Remember(append(all, again))
	for _, size := range []int{0, 5000, 100_000} {
		cut := h.Within(size)
		if text, _ := json.Marshal(cut.Sets); len(text) > max(size, len("null")) {
			t.Errorf("%d bytes, want at most %d", len(text), size)
		}
		for name, want := range map[string]bool{"h0.example": size > 0, "h999.example": size > 0, "h1.example": false} {
			if _, there := cut.get(keyOf([]string{name}, letsEncrypt)); there != want {
				t.Errorf("%s in %d bytes: %v", name, size, there)
			}
		}
	}
	if len(h.Sets) != 1000 {
		t.Error("the receiver is changed")
	}
}

// Most looks meet what the look before met.
func TestALookThatSaysNothingNewCostsLittle(t *testing.T) {
	h := History{}.Remember([]Seen{one(1, at(0))})
	again := slices.Repeat([]Seen{one(1, at(0.1))}, 100)
	if n := testing.AllocsPerRun(100, func() { h = h.Remember(again) }); n > 20 {
		t.Errorf("%v allocations for 100 looks", n)
	}
	if last := h.Sets[0].Issuances[0].LastSeen; !last.Equal(at(0)) {
		t.Errorf("last seen %v", last)
	}
	if h = h.Remember([]Seen{one(1, at(0.2))}); !h.Sets[0].Issuances[0].LastSeen.Equal(at(0.2)) {
		t.Error("the look after a stride is not kept")
	}
}

// A set whose names are not in order must not be put in order in the observation.
func TestRememberLeavesTheNames(t *testing.T) {
	names := []string{"b.example", "a.example", "a.example"}
	s := one(1, at(0))
	s.Names = names
	h := History{}.Remember([]Seen{s})
	if names[0] != "b.example" || len(h.Sets[0].Names) != 2 {
		t.Errorf("%v became %v", names, h.Sets[0].Names)
	}
}
