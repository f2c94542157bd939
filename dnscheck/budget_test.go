package dnscheck_test

import (
	"fmt"
	"testing"

	"driftprobe/internal/lab"
)

// longWay is www.z0.example, an alias through z1, z2 and z3. Each zone has eight
// servers with two addresses each, named in a zone of its own: about as much as a
// name of good will needs when nothing of it is known.
func longWay(tb testing.TB) realm {
	tb.Helper()
	return newRealm(tb, func(r realm) []lab.ZoneSpec {
		var specs []lab.ZoneSpec
		for i := range 4 {
			provider := r.oneServer(fmt.Sprintf("p%d.test.", i), byte(20+i), "")
			zone := lab.ZoneSpec{Name: fmt.Sprintf("z%d.example.", i), Text: fmt.Sprintf("www 60 CNAME www.z%d.example.", i+1)}
			if i == 3 {
				zone.Text = "www 60 A 192.0.2.1"
			}
			for n := range 8 {
				name := fmt.Sprintf("ns%d", n)
				for j := range 2 {
					addr := r.net.Addr(byte(40 + 16*i + 2*n + j))
					zone.Servers = append(zone.Servers, lab.NameServer{Name: name + "." + provider.Name, Addr: addr})
					provider.Text += fmt.Sprintf("%s 60 A %s\n", name, addr)
				}
			}
			specs = append(specs, provider, zone)
		}
		return specs
	}, nil)
}

func TestALongWayOfGoodWillIsWithinTheBounds(t *testing.T) {
	t.Parallel()
	r := longWay(t)
	o := r.dns.Observe(t.Context(), "www.z0.example")
	if o.Cut != "" || len(o.Steps) != 4 || len(o.Published()) != 1 {
		t.Fatalf("cut %q, %d steps, published %s", o.Cut, len(o.Steps), o.Published())
	}
	for _, s := range o.Steps {
		spoke := 0
		for _, a := range s.Answers {
			if a.Outcome.Speaks() {
				spoke++
			}
		}
		if spoke != 32 {
			t.Errorf("%s: %d answers, want two of each of 16 servers:\n%s", s.Name, spoke, told(o))
		}
	}
	r.expectTwoAQuestion(t)
}

// expectTwoAQuestion checks that no server was asked a question three times.
func (r realm) expectTwoAQuestion(t *testing.T) {
	t.Helper()
	for last := range 255 {
		s := r.server(byte(last))
		if s == nil {
			continue
		}
		times := map[string]int{}
		for _, q := range questions(&s.Queries) {
			if times[q.String()]++; times[q.String()] == 3 {
				t.Errorf("server .%d was asked a third time: %s", last, q)
			}
		}
	}
}

// A delegation to names that nobody has, in the zone of a victim (NXNSAttack).
func TestADelegationToNamesThatDoNotExistCostsTheVictimLittle(t *testing.T) {
	t.Parallel()
	b := newBadlands(t, []string{"refers to names in the victim's zone"})
	o := b.fresh(t, nil).Observe(t.Context(), "www."+b.hosts[0])
	// A busy machine asks both servers.
	asked := map[string]bool{}
	b.count(func(q lab.Query) bool { asked[q.String()] = true; return true }, 11, 12)
	n := len(asked)
	if o.Cut != "8 name servers have no address; the others were not looked up" || n > 20 {
		t.Errorf("%d questions to the victim's servers, for 8 names; cut %q", n, o.Cut)
	}
}

func TestWildcardsAlongAChainAreBounded(t *testing.T) {
	t.Parallel()
	b := newBadlands(t, []string{"leads through names under many wildcards"})
	o := b.fresh(t, nil).Observe(t.Context(), b.hosts[0])
	n := 0
	for server := range selves {
		n += b.count(forWildcards, selfOf(0, server))
	}
	if n == 0 || n > 24 {
		t.Errorf("%d questions about the wildcards of %d names; cut %q", n, len(o.Steps), o.Cut)
	}
}

func TestAServerThatIsWellIsAskedATypeTwiceAtMost(t *testing.T) {
	t.Parallel()
	for rule, text := range map[string]string{
		"a record":         "www 60 A 192.0.2.1",
		"both families":    "www 60 A 192.0.2.1\nwww 60 AAAA 2001:db8::1",
		"a wildcard":       "* 60 A 192.0.2.1",
		"no record":        "",
		"an alias":         "www 60 CNAME web\nweb 60 A 192.0.2.1",
		"a circle":         "www 60 CNAME web\nweb 60 CNAME www",
		"an alias and DNS": "www 60 DNAME www2\nwww 60 A 192.0.2.1",
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, text)
			r.dns.Observe(t.Context(), "www.shop.example")
			r.expectTwoAQuestion(t)
			for last := byte(11); last <= 13; last++ {
				n := r.asked("www.shop.example.", last)
				if n > 3 { // A, AAAA, and SOA to find the zone
					t.Errorf("server .%d was asked %d times for the name", last, n)
				}
			}
		})
	}
}
