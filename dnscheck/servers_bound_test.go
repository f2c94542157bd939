package dnscheck

import (
	"net/netip"
	"testing"
	"time"
)

// meetOthers is what a hostile delegation does.
func (v *servers) meetOthers(n int, meet func(*server)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := netip.MustParseAddr("10.0.0.0")
	for range n {
		at = at.Next()
		if s := v.entry(netip.AddrPortFrom(at, 53)); meet != nil {
			meet(s)
		}
	}
}

// Who names servers without end has none asked faster, nor a dead one asked more.
func TestWhatMattersOfAServerIsNotForgotten(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:53")
	for rule, c := range map[string]struct {
		known server
		meet  func(*server)
		still func(*server) bool
	}{
		"its pace": {
			server{pace: pace{each: time.Hour, next: time.Now().Add(48 * time.Hour)}}, nil,
			func(s *server) bool { return s.pace.take(time.Now()) > time.Hour },
		},
		"its pace, where the others are silent": {
			server{pace: pace{each: time.Hour, next: time.Now().Add(48 * time.Hour)}}, func(s *server) { s.silences = 1 },
			func(s *server) bool { return s.pace.take(time.Now()) > time.Hour },
		},
		"its silences": {server{silences: deadAfter}, nil, func(s *server) bool { return s.silences == deadAfter }},
		"its cookie":   {server{cookies: cookies{text: "00", heard: time.Now()}}, nil, func(s *server) bool { return s.cookies.text == "00" }},
	} {
		t.Run(rule, func(t *testing.T) {
			v := newServers(4, func(netip.Addr) int { return 1 })
			v.known[at] = &c.known
			v.meetOthers(4*knownLimit, c.meet)
			if len(v.known) > knownLimit {
				t.Errorf("%d servers are remembered", len(v.known))
			}
			if len(v.known) < knownLimit/2 {
				t.Errorf("only %d servers are remembered", len(v.known))
			}
			if s := v.known[at]; s == nil || !c.still(s) {
				t.Errorf("it was forgotten: %+v", s)
			}
		})
	}
}

// Of sockets that nobody uses, the one goes that was used the longest ago; one that is
// in use stays, however old.
func TestTheSocketNotUsedForLongestMakesRoom(t *testing.T) {
	v := newServers(3, unlimitedRate)
	defer v.close()
	at := newPeer(t, echo).at
	now := time.Now()
	var all []*socket
	for i := range 3 {
		s, _, err := v.acquire(netip.AddrPortFrom(at.Addr(), at.Port()^uint16(i)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for i, s := range all[1:] {
		v.release(s, twice, noSign)
		s.used = now.Add(-time.Duration(i+1) * time.Minute)
	}
	all[0].used = now.Add(-time.Hour)
	for _, want := range []*socket{all[2], all[1], nil} {
		var got []*socket
		locked(v, func() { got = v.evict() })
		if want == nil && len(got) != 0 || want != nil && (len(got) != 1 || got[0] != want) {
			t.Fatalf("%d sockets make room, and not the right one", len(got))
		}
		closeAll(got)
	}
}
