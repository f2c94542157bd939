package dnscheck_test

import (
	"testing"

	"driftprobe/internal/lab"
)

// many is enough looks for either of two servers to have been asked first.
const many = 12

// twoParents is shop.net below a top-level domain on two servers.
func twoParents(t *testing.T) realm {
	t.Helper()
	return newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{
			{Name: "net.", Servers: []lab.NameServer{{Name: "a.nic.net.", Addr: r.net.Addr(4)}, {Name: "b.nic.net.", Addr: r.net.Addr(5)}}},
			r.oneServer("shop.net.", 11, "www 60 A 192.0.2.1"),
		}
	}, nil)
}

func TestOneParentServerAloneIsNotBelievedThatAZoneDoesNotExist(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault // of the second server of the top-level domain
		host  string
		want  string
	}{
		{"the other one delegates the zone", lab.NXDomain, "www.shop.net", `
		www.shop.net in shop.net
		  ns.shop.net A ok 192.0.2.1 ttl 60
		  ns.shop.net AAAA nodata ttl 300
		`},
		{"both deny it", nil, "www.other.net", `
		www.other.net in net: nxdomain at net, negative TTL 300
		`},
		{"the other one fails", lab.Refuse, "www.other.net", `
		www.other.net in net: nxdomain at net, negative TTL 300
		`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := twoParents(t)
			r.server(5).SetFault(c.fault)
			for range many {
				expect(t, r.fresh(t, nil).Observe(t.Context(), c.host), c.want)
			}
		})
	}
}

func TestOneServerAloneIsNotBelievedThatANameServerDoesNotExist(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		host := r.oneServer("host.test.", 21, "")
		host.Servers = append(host.Servers, lab.NameServer{Name: "ns2.host.test.", Addr: r.net.Addr(22)})
		return []lab.ZoneSpec{
			{Name: "shop.example.", Text: "www 60 A 192.0.2.1", Servers: []lab.NameServer{{Name: "web.host.test.", Addr: r.net.Addr(31)}}},
			host,
		}
	}, nil)
	r.server(22).SetFault(lab.ForName("web.host.test.", lab.NXDomain))
	for range many {
		expect(t, r.fresh(t, nil).Observe(t.Context(), "www.shop.example"), `
		www.shop.example in shop.example
		  web.host.test A ok 192.0.2.1 ttl 60
		  web.host.test AAAA nodata ttl 300
		`)
	}
}

func TestHeardTellsThatThereIsANetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		at    []byte
		want  bool
	}{
		{"answers", nil, nil, true},
		{"refusals", lab.Refuse, []byte{1}, true},
		{"a truncated answer, and no TCP", lab.TCPClosed, []byte{1}, true},
		{"a zone whose servers are all gone, below roots that answer", nil, []byte{11, 12, 13}, true},
		{"silence from the roots on", lab.Silent, []byte{1}, false},
		{"nothing but forged packets", lab.WrongID, []byte{1}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "www 60 A 192.0.2.1")
			for _, last := range c.at {
				r.server(last).SetFault(c.fault)
				if c.fault == nil {
					if err := r.server(last).Stop(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if o := r.fresh(t, inSilence).Observe(t.Context(), "www.shop.example"); o.Heard != c.want {
				t.Errorf("heard %t, want %t:\n%s", o.Heard, c.want, told(o))
			}
		})
	}
}
