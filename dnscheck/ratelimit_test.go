package dnscheck

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAServerIsAskedAtItsPace(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.53:53")
	synctest.Test(t, func(t *testing.T) {
		v := newServers(1, func(netip.Addr) int { return 50 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		ask := func(want time.Duration) {
			t.Helper()
			if err := v.turn(ctx, at, time.Second); err != nil || time.Since(begin) != want {
				t.Fatalf("turn after %s, want %s; %v", time.Since(begin), want, err)
			}
		}
		for range 100 {
			ask(0) // the burst
		}
		ask(20 * time.Millisecond)
		ask(40 * time.Millisecond)
		if err := v.turn(ctx, netip.MustParseAddrPort("192.0.2.54:53"), time.Second); err != nil || time.Since(begin) != 40*time.Millisecond {
			t.Error("another server had to wait", err)
		}
		time.Sleep(time.Minute / 2)
		begin = time.Now()
		for range 100 {
			ask(0) // no more than one burst was saved up
		}
		ask(20 * time.Millisecond)
	})
}

func TestATurnThatComesTooLateIsGivenBack(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.53:53")
	synctest.Test(t, func(t *testing.T) {
		v := newServers(1, func(netip.Addr) int { return 1 })
		short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		for range 2 {
			if err := v.turn(short, at, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if err := v.turn(short, at, time.Second); err == nil || !strings.Contains(err.Error(), "limit of 1 questions a second") || time.Since(begin) != 0 {
				t.Errorf("no time left for a question: %v, after %s", err, time.Since(begin))
			}
		}
		gone, leave := context.WithTimeout(t.Context(), time.Hour)
		leave()
		if err := v.turn(gone, at, time.Second); err == nil {
			t.Error("a question whose observation ended got its turn")
		}
		long, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		if err := v.turn(long, at, time.Second); err != nil || time.Since(begin) != time.Second {
			t.Errorf("the next turn came after %s: %v", time.Since(begin), err)
		}
	})
}

func TestOnlyServersOfTheInternetAreLimitedUnlessTheUserSaysSo(t *testing.T) {
	for _, c := range []struct {
		addr       string
		rate, want int
	}{
		{"8.8.8.8", 0, DefaultRate},
		{"127.0.0.1", 0, 0},
		{"10.0.0.53", 0, 0},
		{"10.0.0.53", 7, 7},
		{"8.8.8.8", 7, 7},
		{"8.8.8.8", -1, -1},
	} {
		r := New(Settings{})
		if got := r.rate(c.rate)(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("Rate %d gives %d for %s, want %d", c.rate, got, c.addr, c.want)
		}
		r.Close()
	}
	p := paceOf(-1)
	for range 2 {
		if p.take(time.Now()) != 0 {
			t.Error("a negative rate limits")
		}
	}
}
