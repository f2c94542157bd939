package issuance

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// client is one of several ACME clients behind one name, at an address of its own: it orders
// at each of the hours, and its certificates are met each hour until the next.
func client(n int, lifetime time.Duration, until float64, hours ...float64) []Seen {
	var all []Seen
	for i, h := range hours {
		to := until
		if i+1 < len(hours) {
			to = hours[i+1]
		}
		for look := h + 0.1; look <= to; look++ {
			all = append(all, Seen{
				At: at(look), Host: "shop.example", Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Names: []string{"shop.example"},
				CA: "Example Trust", Serial: fmt.Sprint(n, " ", i), Issued: at(h), NotAfter: at(h).Add(lifetime),
			})
		}
	}
	return all
}

// steps are the hours of so many orders.
func steps(from, pace float64, n int) []float64 {
	var all []float64
	for i := range n {
		all = append(all, from+float64(i)*pace)
	}
	return all
}

// unseen is the same, told by a log alone.
func unseen(all []Seen) []Seen {
	for n := range all {
		all[n].Host, all[n].Address, all[n].Log = "", netip.Addr{}, "SSLMate"
	}
	return all
}

func TestALoopIsToldFromRenewals(t *testing.T) {
	const short, long = 160 * time.Hour, 90 * day
	for _, c := range []struct {
		name string
		seen []Seen
		now  float64
		loop bool
	}{
		{"two replicas that renew those of six days by turns", slices.Concat(client(1, short, 800, steps(0, 80, 10)...), client(2, short, 800, steps(40, 80, 9)...)), 790, false},
		{"three of them", slices.Concat(client(1, short, 800, steps(0, 80, 10)...), client(2, short, 800, steps(20, 80, 9)...), client(3, short, 800, steps(50, 80, 9)...)), 790, false},
		{"one of two loops", slices.Concat(client(1, short, 800, steps(0, 80, 10)...), client(2, short, 800, append(steps(40, 80, 9), 720, 730, 740, 750)...)), 790, true},
		{"three replicas that renew within a day", slices.Concat(client(1, long, 1500, 0, 1440), client(2, long, 1500, 5, 1445), client(3, long, 1500, 9, 1449)), 1450, false},
		{"three that only a log knows", unseen(slices.Concat(client(1, long, 1500, 0, 1440), client(2, long, 1500, 5, 1445), client(3, long, 1500, 9, 1449))), 1450, false},
		{"four orders that only a log knows", unseen(client(1, long, 60, 0, 10, 20, 30)), 40, true},
		{"a loop, after one of two months ago", client(1, long, 1500, 0, 8, 16, 24, 1440, 1450, 1460), 1465, true},
		{"a loop, after a certificate that was due", client(1, long, 1500, 0, 1440, 1450, 1460), 1465, true},
		{"a loop, after a certificate that was not due", client(1, long, 1000, 0, 720, 730, 740), 745, true},
		{"those of six days, renewed each day", client(1, short, 240, steps(0, 24, 10)...), 239, true},
		{"those of six days, renewed at two thirds", client(1, short, 1000, steps(0, 107, 9)...), 990, false},
		{"those of 45 days, renewed at two thirds", client(1, 45*day, 3600, steps(0, 720, 5)...), 3500, false},
		{"a renewal that the authority asked for early (RFC 9773)", client(1, long, 1000, 0, 480), 490, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got string
			for _, f := range Judge(Policy{}, at(c.now), History{}.Remember(c.seen)) {
				got = string(f.Code) + ": " + f.Observed
			}
			if (got != "") != c.loop {
				t.Errorf("found %q", got)
			}
		})
	}
}

// Seven looks a week, as of --once in a crontab, meet a certificate seldom before it is renewed.
func TestRenewalsOfShortOnesAndFewLooks(t *testing.T) {
	for _, pace := range []float64{24, 48, 168} {
		all := slices.DeleteFunc(client(1, 160*time.Hour, 2000, steps(0, 80, 25)...), func(s Seen) bool {
			return int(s.At.Sub(start).Hours())%int(pace) != 0
		})
		for now := 200.0; now < 1990; now += 7 {
			seen := slices.DeleteFunc(slices.Clone(all), func(s Seen) bool { return s.At.After(at(now)) })
			if fs := Judge(Policy{}, at(now), History{}.Remember(seen)); len(fs) != 0 {
				t.Fatalf("looks each %.0f h, after %.0f h: %s", pace, now, fs[0].Observed)
			}
		}
	}
}
