package inventory

import (
	"fmt"
	"testing"
)

func manyHosts() []string {
	var hosts []string
	for i := range 10_000 {
		hosts = append(hosts, fmt.Sprintf("host-%d.shop%d.example", i, i%7))
	}
	return hosts
}

// holder is the one shard that holds a name.
func holder(t *testing.T, count int, name string) int {
	t.Helper()
	found := -1
	for i := range count {
		if (Shard{i, count}).Holds(name) {
			if found >= 0 {
				t.Fatalf("%s is in the shards %d and %d of %d", name, found, i, count)
			}
			found = i
		}
	}
	if found < 0 {
		t.Fatalf("%s is in none of %d shards", name, count)
	}
	return found
}

func TestEachHostIsInOneShard(t *testing.T) {
	t.Parallel()
	hosts := manyHosts()
	for _, count := range []int{1, 2, 3, 7, 16, MaxShards} {
		held := make([]int, count)
		for _, h := range hosts {
			held[holder(t, count, h)]++
		}
		// Five standard deviations of a fair division.
		fair := float64(len(hosts)) / float64(count)
		for i, n := range held {
			if d := float64(n) - fair; d*d > 25*fair {
				t.Errorf("shard %d/%d holds %d hosts, want about %.0f", i, count, n, fair)
			}
		}
	}
}

// With one shard more, what moves goes to the new one, and it is no more than its part.
func TestAnotherCountMovesFewHosts(t *testing.T) {
	t.Parallel()
	hosts := manyHosts()
	for _, count := range []int{1, 2, 3, 8} {
		moved := 0
		for _, h := range hosts {
			before, after := holder(t, count, h), holder(t, count+1, h)
			if before == after {
				continue
			}
			if moved++; after != count {
				t.Fatalf("%s moves from %d to %d, and not to the new shard %d", h, before, after, count)
			}
		}
		if fair := len(hosts) / (count + 1); moved < fair*9/10 || moved > fair*11/10 {
			t.Errorf("from %d shards to %d move %d hosts, want about %d", count, count+1, moved, fair)
		}
	}
}

// A division that changes with a version of the program would give hosts to nobody, or
// to two, while it is rolled out.
func TestTheDivisionIsStable(t *testing.T) {
	t.Parallel()
	got := ""
	for _, h := range []string{"shop.example", "www.shop.example", "*.shop.example", "xn--bcher-kva.example", ""} {
		got += fmt.Sprint(holder(t, 5, h))
	}
	if want := "03410"; got != want {
		t.Errorf("shards %s, want %s", got, want)
	}
}

func TestAllURLsOfAHostAreInOneShard(t *testing.T) {
	t.Parallel()
	targets := []Target{{Key: "https://a.example/", Host: "a.example"}, {Key: "https://a.example/x", Host: "a.example"}, {Key: "https://b.example/", Host: "b.example"}}
	total := 0
	for i := range 2 {
		own := Shard{i, 2}.Of(targets)
		total += len(own)
		for _, o := range own {
			if (Shard{1 - i, 2}).Holds(o.Host) {
				t.Errorf("%s is in both", o.Key)
			}
		}
	}
	if total != len(targets) || len(Shard{}.Of(targets)) != len(targets) {
		t.Errorf("%d of %d targets are in a shard", total, len(targets))
	}
}

func TestShardInWords(t *testing.T) {
	t.Parallel()
	for s, want := range map[Shard]string{{}: "", {0, 1}: "", {0, 3}: "0/3", {2, 3}: "2/3"} {
		if got := s.String(); got != want || !s.Valid() {
			t.Errorf("%#v is %q (valid: %v), want %q", s, got, s.Valid(), want)
		}
	}
	for _, s := range []Shard{{1, 1}, {3, 3}, {-1, 3}, {0, 65}, {1, 0}, {0, -2}} {
		if s.Valid() {
			t.Errorf("%#v is valid", s)
		}
	}
}
