package dnscheck

import (
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// formerCases are about servers that the zone had, which caches know for an hour.
func formerCases() []judged {
	const right = "ns1: api.shop.example. 60 A 203.0.113.77\n"
	const still = "was9: api.shop.example. 300 A 203.0.113.10\n"
	const drains = "warning dns/draining api.shop.example 203.0.113.10 | at ns9 | clear +1h5m2s"
	return []judged{
		{
			rule: "a server that the zone had gives the old address: caches keep what they read there at the very last", expected: has("203.0.113.77"),
			seen: right + still, want: []string{drains},
			says: []string{"caches may still ask former servers of shop.example, and get 203.0.113.10 for api.shop.example, for another 66 min", "ns9 (192.0.2.99) still gives", "until 13:00:00 UTC", "ask the former provider to remove or correct the zone shop.example there, or wait until 13:05:02 UTC"},
		},
		{
			rule: "it is one draining with that of the record, and ends last", expected: has("203.0.113.77"),
			before: map[time.Duration]string{time.Minute: "ns9: api.shop.example. 300 A 203.0.113.10"},
			seen:   right + still, want: []string{drains},
		},
		{
			rule: "what it gave last stays in caches after it is corrected", expected: has("203.0.113.77"),
			before: map[time.Duration]string{time.Hour: "ns9: api.shop.example. 60 A 203.0.113.10", time.Minute: right + still},
			seen:   right, want: []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +4m0s"},
		},
		{
			rule: "an address that is accepted drains nowhere", expected: has("203.0.113.77", "203.0.113.10"),
			seen: right + "ns1: api.shop.example. 60 A 203.0.113.10\n" + "was9: api.shop.example. 300 A 203.0.113.10\n",
		},
		{
			rule: "without an expectation nobody can say what is wrong", expected: inventory.Expected{},
			seen: right + still,
		},
		{
			rule: "where the zone's servers give it too, it is stale, and clear when both have drained", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10\nwas9: api.shop.example. 300 A 203.0.113.10 \nwas9: api.shop.example. 300 A 203.0.113.11",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1h5m2s",
				"warning dns/draining api.shop.example 203.0.113.11 | at ns9 | clear +1h5m2s",
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1",
			},
		},
		{
			rule: "its alias leads caches to the old address, for the TTL of both", expected: has("203.0.113.77"),
			seen: right + "was9: api.shop.example. 300 CNAME old.lb.test.\nwas9: old.lb.test. 120 A 203.0.113.10",
			want: []string{"warning dns/draining api.shop.example 203.0.113.10 | at ns9 | clear +1h7m2s"},
		},
		{
			rule: "a resolver that gives it meanwhile has no other view", expected: has("203.0.113.77"),
			before: map[time.Duration]string{20 * time.Hour: right},
			seen:   right + still + "resolver: 8.8.8.8 300 A 203.0.113.10",
			want: []string{
				drains,
				"info dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +5m0s",
			},
		},
		{
			rule: "nor has one that denies what a server denies that the zone had", expected: has("203.0.113.77"),
			before: map[time.Duration]string{20 * time.Hour: right},
			seen:   right + "was9: api.shop.example. 300 NXDOMAIN\nresolver: 8.8.8.8 300 NXDOMAIN",
			want:   []string{"info dns/cached-stale api.shop.example 8.8.8.8 | at 8.8.8.8 | clear +5m0s"},
		},
	}
}

// What servers say that the zone had is left out of all other judgements.
func TestFormerServersAccuseNobody(t *testing.T) {
	const right = "ns1: api.shop.example. 60 A 203.0.113.77\nns2: api.shop.example. 60 A 203.0.113.77\n"
	for _, former := range []string{"60 NXDOMAIN", "60 NODATA", "60 A 203.0.113.77", "2147483647 A 203.0.113.77", "60 CNAME api.shop.example.", "60 CNAME nowhere.lb.test."} {
		j := judged{expected: has("203.0.113.77"), seen: right + "was9: api.shop.example. " + former, policy: Policy{MaxTTL: time.Hour}}
		if fs := Judge(j.policy, noon, j.given(t)); len(fs) > 0 {
			t.Errorf("%s: %s", former, texts(fs))
		}
	}
	late := judged{expected: has("203.0.113.77"), seen: right + "was9: api.shop.example. 60 A 203.0.113.10"}
	if fs := Judge(Policy{}, noon.Add(time.Hour), late.given(t)); len(fs) > 0 {
		t.Errorf("when caches know the server no more: %s", texts(fs))
	}
}
