package test

import (
	"slices"
	"testing"
)

// TestTheRightsOfShards runs the two shards of a release: what only one of them has needs
// rights of its own, and each of these is used.
func TestTheRightsOfShards(t *testing.T) {
	t.Parallel()
	s := startFurnished(t)
	first := &release{cluster: s.cluster, name: "parts", shards: 2}
	s.deploy(t, first)
	second := *first
	second.shard = 1
	shards := []*release{first, &second}
	for i, r := range shards {
		r.damage(t)
		r.watcher = r.pod(t, s.w.Net.Addr(byte(40+i)))
	}
	hosts := 0
	for _, r := range shards {
		hosts += r.await(t, "its hosts, and nothing wrong", func(now report) bool { return now.Coverage.Hosts > 0 && len(serious(now)) == 0 }).Coverage.Hosts
	}
	if hosts != len(shopHosts()) {
		t.Errorf("the shards look at %d hosts, want %d", hosts, len(shopHosts()))
	}
	s.replace(t)
	var told []string
	for _, r := range shards {
		all := serious(r.await(t, "its part of the post-mortem", func(now report) bool {
			return len(serious(now)) == 1 && len(now.all("dns/stale-record")) == now.Coverage.Hosts
		}))
		told = append(told, all[0].Hosts...)
		r.kill(t)
	}
	slices.Sort(told)
	if !slices.Equal(told, shopHosts()) {
		t.Errorf("the shards tell of %q, want %q", told, shopHosts())
	}
	first.helm(t, "upgrade", s.values(t, first, "3s"))
	for _, r := range shards {
		r.goesOn(t, func(now report) bool { return len(serious(now)) == 1 && len(now.all("lb/replaced")) == 1 })
	}
	first.spends(t)
}
