package dnscheck

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// A large parent has each of its servers asked for some zones, and a zone always the
// same servers.
func TestTheServersOfALargeParentShareTheQuestions(t *testing.T) {
	var servers []Server
	for i := range 13 {
		for _, text := range []string{"192.0.2.%d", "2001:db8::%d"} {
			at := netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf(text, i+1)), 53)
			servers = append(servers, Server{Name: fmt.Sprintf("%c.gtld.test", 'a'+i), Address: at})
		}
	}
	asked := map[string]int{}
	const zones = 1300
	for i := range zones {
		zone := fmt.Sprintf("shop%d.test.", i)
		some := someOf(slices.Clone(servers), zone)
		if len(some) != parentLimit || !reflect.DeepEqual(some, someOf(slices.Clone(servers), zone)) {
			t.Fatalf("%s: %v, then %v", zone, some, someOf(slices.Clone(servers), zone))
		}
		names := map[string]bool{}
		for _, s := range some {
			names[s.Name] = true
			asked[s.Name]++
		}
		if len(names) != parentLimit {
			t.Errorf("%s: %v are not %d servers", zone, some, parentLimit)
		}
	}
	for _, s := range servers {
		if n, fair := asked[s.Name], zones*parentLimit/13; n < fair/2 || n > 2*fair {
			t.Errorf("%s is asked for %d of %d zones, want about %d", s.Name, n, zones, fair)
		}
	}
	few := servers[:2*parentLimit]
	if some := someOf(few, "shop.test."); len(some) != parentLimit || some[0].Name != "a.gtld.test" {
		t.Errorf("of a small parent: %v", some)
	}
}
