package issuance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// New sets below one domain have a budget of their own; a set that was there before we
// looked may be a renewal, and does not count.
func TestTheLimitOfTheDomain(t *testing.T) {
	h := History{}
	name := func(n int) string { return fmt.Sprintf("h%d.shop.co.uk", n) }
	for n := range 45 {
		h = h.Remember(serve([]string{name(n)}, letsEncrypt, 90*day, at(0.5), at(0)))
	}
	if got := Judge(Policy{}, at(1), h); len(got) != 0 {
		t.Errorf("what was there before counts: %v", got)
	}
	for n := range 45 {
		h = h.Remember(serve([]string{name(n), "www.shop.co.uk"}, letsEncrypt, 90*day, at(2), at(1)))
	}
	wantFindings(t, Judge(Policy{}, at(2), h), [][3]string{{"warning", "issuance/rate-limit", "below shop.co.uk"}})
	for n := range 45 {
		h = h.Remember(serve([]string{name(n), "www.shop.co.uk"}, letsEncrypt, 90*day, at(6), at(1), at(5)))
	}
	wantFindings(t, Judge(Policy{}, at(6), h), [][3]string{{"warning", "issuance/rate-limit", "at least 44 of 50"}}) // renewals take nothing
}

// A search service that was read to the end knows which sets are new.
func TestTheLimitOfTheDomainFromALog(t *testing.T) {
	read := func(h History, now float64, names func(n int) []string, p Position) History {
		r := Reading{Source: "SSLMate", At: at(now), Positions: []Position{p}}
		for n := range 48 {
			r.Seen = append(r.Seen, Seen{At: at(now), Names: names(n), CA: letsEncrypt, Serial: fmt.Sprint(now, n), Issued: at(now - 1), NotAfter: at(now).Add(90 * day), Log: "SSLMate"})
		}
		return h.Heard([]Reading{r})
	}
	old := func(n int) []string { return []string{fmt.Sprintf("old-%d.shop.example", n)} }
	fresh := func(n int) []string { return []string{fmt.Sprintf("pr-%d.shop.example", n)} }
	whole := Position{Source: "SSLMate", Domains: []string{"shop.example"}, After: "7", At: at(2)}
	part := Position{Source: "SSLMate", Domains: []string{"shop.example"}, After: "7"}
	log := Position{Source: "SSLMate", Domains: []string{"shop.example"}, Size: 7, Next: 7, At: at(2)}
	for _, c := range []struct {
		name string
		h    History
		want [][3]string
	}{
		{"what the first look brings may be old", read(History{}, 2, old, whole), nil},
		{"what comes later is new", read(read(History{}, 2, old, whole), 4, fresh, whole), [][3]string{{"warning", "issuance/rate-limit", "below shop.example are near the limit of Let's Encrypt: at least 48 of 50"}}},
		{"before it was read to the end it may be old", read(read(History{}, 2, old, part), 4, fresh, whole), nil},
		{"a log may not have been read from its beginning", read(read(History{}, 2, old, log), 4, fresh, log), nil},
		{"a renewal is not new", read(read(History{}, 2, old, whole), 4, old, whole), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFindings(t, Judge(Policy{}, at(4), c.h), c.want)
			wantFindings(t, Judge(Policy{}, at(4+168), c.h), nil)
		})
	}
}

// What counts for which limit, by the list of public suffixes with its private part.
func TestWhatANewSetCountsFor(t *testing.T) {
	for names, want := range map[string][2]string{
		"shop.example *.shop.example www.shop.example": {"shop.example", "shop.example"},
		"a.shop.example b.other.example":               {"other.example shop.example", "other.example shop.example"},
		"shop.co.uk api.shop.co.uk":                    {"shop.co.uk", "shop.co.uk"},
		"me.github.io www.you.github.io":               {"me.github.io you.github.io", "me.github.io you.github.io"},
		"github.io *.github.io":                        {"github.io", ""},
		"*.me.github.io":                               {"me.github.io", "me.github.io"},
		"xn--bcher-kva.example":                        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
		"www.xn--bcher-kva.xn--p1ai":                   {"xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai"},
		"192.0.2.10":                                   {"192.0.2.10", ""},
		"2001:db8::1 2001:db8::2 2001:db8:0:1::1":      {"2001:db8:0:1::/64 2001:db8::/64", ""},
		"": {"", ""}, "localhost": {"", ""}, "..": {"", ""},
	} {
		all := counted(strings.Fields(names))
		slices.Sort(all)
		if got := strings.Join(all, " "); got != want[0] {
			t.Errorf("%s counts for %q, want %q", names, got, want[0])
		}
		if got := strings.Join(Domains(strings.Fields(names)), " "); got != want[1] {
			t.Errorf("%s is below %q, want %q", names, got, want[1])
		}
	}
}

// Addresses have certificates too.
func TestTheLimitOfAnAddress(t *testing.T) {
	h := History{}.Remember(serve([]string{"203.0.113.7"}, letsEncrypt, 90*day, at(0.5), at(0)))
	for n := range 45 {
		s := serve([]string{"203.0.113.7", fmt.Sprintf("h%d.example", n)}, letsEncrypt, 90*day, at(1), at(0.5))
		h = h.Remember(s)
	}
	wantFindings(t, Judge(Policy{}, at(0.6).Add(time.Minute), h), [][3]string{{"warning", "issuance/rate-limit", "below 203.0.113.7"}})
}
