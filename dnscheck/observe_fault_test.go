package dnscheck_test

import (
	"testing"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

func TestAStoppedServerIsUnreachableAndTheOthersSpeak(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	if err := r.server(11).Stop(); err != nil {
		t.Fatal(err)
	}
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in shop.example
	  ns1.shop.example A unreachable
	  ns1.shop.example AAAA unreachable
	  ns2.shop.example A ok 192.0.2.1 ttl 60
	  ns2.shop.example AAAA nodata ttl 300
	  ns3.shop.example A ok 192.0.2.1 ttl 60
	  ns3.shop.example AAAA nodata ttl 300
	`)
}

func TestWhenNobodyOfAZoneAnswersTheZoneIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		at    []byte
		want  string
	}{
		{"silent roots", lab.Silent, []byte{1}, `
		www.shop.example in .: silent at ., negative TTL 0
		`},
		{"a top-level domain that refuses", lab.Refuse, []byte{2}, `
		www.shop.example in example: refused at example, negative TTL 0
		`},
		{"all servers of the zone lame: each of them is heard", lab.Lame, []byte{11, 12, 13}, `
		www.shop.example in shop.example
		  ns1.shop.example A lame
		  ns1.shop.example AAAA lame
		  ns2.shop.example A lame
		  ns2.shop.example AAAA lame
		  ns3.shop.example A lame
		  ns3.shop.example AAAA lame
		`},
		{"all servers of the zone silent: each of them is heard", lab.Silent, []byte{11, 12, 13}, `
		www.shop.example in shop.example
		  ns1.shop.example A silent
		  ns1.shop.example AAAA silent
		  ns2.shop.example A silent
		  ns2.shop.example AAAA silent
		  ns3.shop.example A silent
		  ns3.shop.example AAAA silent
		`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "www 60 A 192.0.2.1")
			for _, last := range c.at {
				r.server(last).SetFault(c.fault)
			}
			expect(t, r.fresh(t, inSilence).Observe(t.Context(), "www.shop.example"), c.want)
		})
	}
}

func TestStoppedRootsAreUnreachable(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	if err := r.server(1).Stop(); err != nil {
		t.Fatal(err)
	}
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in .: unreachable at ., negative TTL 0
	`)
}

func TestASilentServerDoesNotDelayTheAlias(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.shop("www 60 CNAME pool.lb.test."), r.oneServer("lb.test.", 21, "pool 30 A 192.0.2.1")}
	}, func(s *dnscheck.Settings, _ *lab.DNSTree) { s.Timeout = silentTime })
	r.server(13).SetFault(lab.Silent)
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if len(o.Steps) != 2 || len(o.Published()) != 1 || o.Cut != "" {
		t.Errorf("observed:\n%s", told(o))
	}
	if a := answersOf(t, o, "ns3.shop.example"); len(a) != 2 || a[0].Outcome != dnscheck.Silent {
		t.Errorf("ns3: %+v", a)
	}
}

func TestAfterAFaultTheDelegationIsReadAnew(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	r.dns.Observe(t.Context(), "www.shop.example")
	for last := byte(11); last <= 13; last++ {
		r.server(last).RemoveZone("shop.example.")
	}
	// The zone moves to the server of its parent's other child.
	moved, err := lab.NewZone("shop.example. 60 SOA ns.new. m.new. 1 2 3 4 5\nshop.example. 60 NS new.shop.example.\nwww.shop.example. 60 A 192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	r.server(3).SetZone(moved)
	text := "shop 60 NS new.shop\nnew.shop 60 A " + r.net.Addr(3).String()
	if err := r.tree.SetRecords("example.", text); err != nil {
		t.Fatal(err)
	}
	r.dns.Observe(t.Context(), "www.shop.example")
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in shop.example
	  new.shop.example A ok 192.0.2.7 ttl 60
	  new.shop.example AAAA nodata ttl 5
	`)
}
