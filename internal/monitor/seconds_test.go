package monitor

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// office is a cloud account: it lists once a minute, and answers for single balancers.
type office struct {
	mu    sync.Mutex
	at    time.Time
	list  map[string]string // id → address
	kept  map[string]lbcheck.Balancer
	lists int
	asked [][]string
}

func (o *office) observe(_ context.Context, news []string) lbcheck.Observation {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.at.IsZero() || now.Sub(o.at) >= 55*time.Second {
		o.at, o.kept = now, map[string]lbcheck.Balancer{}
		o.lists++
		for id, a := range o.list {
			o.kept[id] = lbcheck.Balancer{ID: id, Name: "lb-" + id, Status: "active", Addresses: addrs(a)}
		}
	} else {
		o.asked = append(o.asked, news)
		for _, id := range news {
			delete(o.kept, id)
			if a, ok := o.list[id]; ok {
				o.kept[id] = lbcheck.Balancer{ID: id, Name: "lb-" + id, Status: "active", Addresses: addrs(a), At: now}
			}
		}
	}
	out := lbcheck.Observation{Provider: "testcloud", At: o.at}
	for _, id := range slices.Sorted(maps.Keys(o.kept)) {
		out.Balancers = append(out.Balancers, o.kept[id])
	}
	return out
}

func (o *office) set(id, address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if address == "" {
		delete(o.list, id)
	} else {
		o.list[id] = address
	}
}

// seconds runs the loop over three names behind one Service, with looks a day apart, so
// that only a change can bring one about. change is what happens after a minute and a
// half; the reports after it are returned, with their ages.
func seconds(t *testing.T, change func(*cluster, *office), in time.Duration) (reports []finding.Report, ages []time.Duration, w *outside, cloud *office) {
	t.Helper()
	w, cloud = newOutside(10*time.Millisecond), &office{list: map[string]string{"a": "192.0.2.1"}}
	c := newCluster(behindTraefik("a", "192.0.2.1"))
	var mu sync.Mutex
	var changed time.Time
	o := w.options()
	o.Cluster, o.Interval, o.DNSInterval = c, 24*time.Hour, 24*time.Hour
	o.Clouds = []func(context.Context, []string) lbcheck.Observation{cloud.observe}
	o.Publish = func(_ snapshot.Snapshot, r finding.Report) {
		mu.Lock()
		defer mu.Unlock()
		if !changed.IsZero() {
			reports, ages = append(reports, r), append(ages, time.Since(changed))
		}
	}
	for _, h := range []string{"a.example", "b.example", "c.example"} {
		w.publish(h, "192.0.2.1")
	}
	stop := start(t.Context(), o)
	defer stop()
	time.Sleep(90*time.Second + 100*time.Millisecond)
	mu.Lock()
	changed = time.Now()
	mu.Unlock()
	w.forget()
	change(c, cloud)
	time.Sleep(in)
	mu.Lock()
	defer mu.Unlock()
	return reports, ages, w, cloud
}

// forget begins to count anew.
func (w *outside) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.asked)
	clear(w.went)
}

func behindTraefik(id string, addresses ...string) inventory.Inventory {
	ref := inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}
	inv := inventory.Inventory{Whole: true}
	if id != "" {
		inv.Services = []inventory.Service{{ServiceRef: ref, BalancerID: id, Addresses: addrs(addresses...)}}
	}
	for _, h := range []string{"a.example", "b.example", "c.example"} {
		t := site(h)
		t.Service = ref
		inv.Targets = append(inv.Targets, t)
	}
	return inv
}

func has(r finding.Report, code finding.Code) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool { return f.Code != code })
}

func TestANewAddressInTheStatusIsReportedBeforeAnyLookIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports, ages, w, cloud := seconds(t, func(c *cluster, o *office) {
			o.set("a", "192.0.2.7")
			c.set(behindTraefik("a", "192.0.2.7"))
		}, 2*time.Second)
		i := slices.IndexFunc(reports, func(r finding.Report) bool { return len(has(r, finding.LBReplaced)) > 0 })
		if i < 0 || ages[i] > gap/2 {
			t.Fatalf("lb/replaced is in none of %d reports, or late: %v", len(reports), ages)
		}
		stale := has(reports[i], finding.DNSStaleRecord)
		if len(stale) != 3 || stale[0].Record.TTL != 300 {
			t.Errorf("all names at risk, with their TTLs: %+v", stale)
		}
		if len(reports[i].Incidents) == 0 || len(reports[i].Incidents[0].Hosts) != 3 {
			t.Errorf("one incident for all: %+v", reports[i].Incidents)
		}
		for _, r := range reports {
			if len(has(r, finding.LBAddressMismatch)) > 0 {
				t.Error("a status that is newer than the cloud's list was called a disagreement")
			}
		}
		for _, h := range []string{"a.example", "b.example", "c.example"} {
			// Once when the status changed, once when the cloud confirmed it.
			if n := len(w.timesAsked(h)); n < 1 || n > 2 {
				t.Errorf("%s was asked for %d times after the change", h, n)
			}
			if n := len(w.timesAt(h, "192.0.2.7")); n == 0 {
				t.Errorf("%s was not probed at the new address", h)
			}
		}
		if cloud.lists != 2 || len(cloud.asked) != 1 || !slices.Equal(cloud.asked[0], []string{"a"}) {
			t.Errorf("%d lists in a minute and a half, then asked for %v", cloud.lists, cloud.asked)
		}
	})
}

func TestAnotherBalancerIsAskedForAtOnceAndTheOldOneToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports, ages, _, cloud := seconds(t, func(c *cluster, o *office) {
			o.set("a", "")
			o.set("b", "192.0.2.7")
			c.set(behindTraefik("b", "192.0.2.7"))
		}, 2*time.Second)
		i := slices.IndexFunc(reports, func(r finding.Report) bool { return len(has(r, finding.LBReplaced)) > 0 })
		if i < 0 || ages[i] > gap/2 {
			t.Fatalf("lb/replaced is in none of %d reports, or late: %v", len(reports), ages)
		}
		if in := reports[i].Incidents[0]; !strings.Contains(in.Cause, "no longer exists") {
			t.Errorf("cause: %s", in.Cause)
		}
		if cloud.lists != 2 || len(cloud.asked) != 1 || !slices.Equal(cloud.asked[0], []string{"b", "a"}) {
			t.Errorf("%d lists, then asked for %v", cloud.lists, cloud.asked)
		}
	})
}

func TestADeletedServiceIsReportedBeforeAnyLookIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports, ages, w, _ := seconds(t, func(c *cluster, _ *office) { c.set(behindTraefik("")) }, 2*time.Second)
		if len(reports) == 0 || ages[0] > gap/2 {
			t.Fatalf("reports %v after the change", ages)
		}
		missing := has(reports[0], finding.LBMissing)
		if len(missing) != 1 {
			t.Fatalf("the first report after the change has %+v", reports[0].Findings)
		}
		in := reports[0].Incidents[0]
		if in.Code != finding.LBMissing || len(in.Hosts) != 3 || !slices.ContainsFunc(in.Evidence, func(n finding.Note) bool { return strings.Contains(n.Text, "300 s") }) {
			t.Errorf("one incident for all names, with the TTL: %+v", in)
		}
		if n := len(w.timesAsked("b.example")); n != 1 {
			t.Errorf("the names were asked for %d times after the change", n)
		}
	})
}

// Every name behind a balancer is looked at again, however many there are.
func TestMoreNamesThanPlacesAreHurriedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(10 * time.Millisecond)
		l := newLane(w.options().withDefaults().dnsLook(), 24*time.Hour, 4, hashName)
		var keys []string
		for _, s := range sites(10) {
			keys = append(keys, s.Host)
			l.newest[s.Host] = published(s.Host, time.Now())
		}
		now := time.Now()
		l.sync(keys, now)
		l.hurry(keys, now)
		var waits []string
		for _, k := range keys {
			waits = append(waits, l.keys[k].due.Sub(now).String())
		}
		if got := strings.Join(waits, " "); got != "0s 0s 0s 0s 1s 1s 1s 1s 2s 2s" {
			t.Errorf("due in %s", got)
		}
	})
}

func TestOnlyZonesWithAWrongRecordAreReadAtTheirProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(time.Millisecond), &press{}
		w.publish("a.example", "192.0.2.1")
		var mu sync.Mutex
		var asked []string
		o := w.options()
		o.Targets, o.Publish = []inventory.Target{site("a.example", "192.0.2.1")}, p.publish
		o.Hosted = func(_ context.Context, zone string) lbcheck.HostedZone {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, zone)
			return lbcheck.HostedZone{Provider: "testcloud", Zone: "another name", Records: []lbcheck.HostedRecord{{ID: 7}}}
		}
		stop := start(t.Context(), o)
		defer stop()
		time.Sleep(5 * time.Minute)
		if len(asked) != 0 || p.last().Observations.Hosted != nil {
			t.Errorf("all is well, and it asked for %q", asked)
		}
		w.publish("a.example", "192.0.2.9")
		time.Sleep(65 * time.Second)
		mu.Lock()
		first := slices.Clone(asked)
		mu.Unlock()
		if hosted := p.last().Observations.Hosted; !slices.Equal(first, []string{"example"}) || len(hosted) != 1 || hosted[0].Zone != "example" || hosted[0].Records[0].ID != 7 {
			t.Errorf("asked for %q, have %+v", first, hosted)
		}
		time.Sleep(10 * time.Minute)
		mu.Lock()
		again := len(asked)
		mu.Unlock()
		if again < 3 || again > 5 {
			t.Errorf("asked %d times in ten minutes", again)
		}
		w.publish("a.example", "192.0.2.1")
		time.Sleep(2 * time.Minute)
		if p.last().Observations.Hosted != nil {
			t.Error("the zone is right again, and its records are still there")
		}
	})
}

func TestOnceReadsTheZonesThatAreWrong(t *testing.T) {
	w := newOutside(0)
	w.publish("a.example", "192.0.2.9")
	o := w.options()
	o.Targets = []inventory.Target{site("a.example", "192.0.2.1")}
	o.Hosted = func(_ context.Context, zone string) lbcheck.HostedZone {
		return lbcheck.HostedZone{Provider: "testcloud", Zone: zone}
	}
	if s, _ := Once(t.Context(), o, nil); len(s.Observations.Hosted) != 1 || s.Observations.Hosted[0].Zone != "example" {
		t.Errorf("%+v", s.Observations.Hosted)
	}
}

// From inside the cluster the way to a present address goes past the load balancer.
func TestProbesFromInsideAreMarked(t *testing.T) {
	ref := inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}
	inv := behindTraefik("a", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.5")
	inv.Services[0].Proxied, inv.Services[0].ProxyProtocol, inv.Services[0].TerminatesTLS = addrs("192.0.2.2"), true, true
	inv.Targets = inv.Targets[:1]
	key := inv.Targets[0].Key
	expected := map[string]inventory.Expected{key: {Known: true, Addresses: addrs("192.0.2.1", "192.0.2.2"), Uncertain: addrs("192.0.2.4"), Doubtful: addrs("192.0.2.5")}}
	steps := func() []step {
		var all []step
		for _, a := range addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.9") {
			all = append(all, stepTo(&inv.Targets[0], expected[key], a))
		}
		return all
	}
	want := map[string]*probe.Bypass{
		"192.0.2.1": {Service: ref, ProxyProtocol: true, TerminatesTLS: true},
		"192.0.2.2": nil,                                                      // ipMode Proxy
		"192.0.2.3": {Service: ref, TerminatesTLS: true},                      // a stranger's for this target: nothing is said to it
		"192.0.2.4": nil,                                                      // not in the status
		"192.0.2.5": {Service: ref, ProxyProtocol: true, TerminatesTLS: true}, // perhaps its own
		"192.0.2.9": nil,
	}
	for _, s := range marked(steps(), inv, expected) {
		a := s.address.Addr().String()
		if got := s.bypass; (got == nil) != (want[a] == nil) || got != nil && *got != *want[a] {
			t.Errorf("%s: %+v, want %+v", a, got, want[a])
		}
	}
	unmarked := steps()
	for i, s := range marked(steps(), inv, expected) {
		if sameWay(s, unmarked[i]) != (want[s.address.Addr().String()] == nil) {
			t.Errorf("%s: the way is the same", s.address)
		}
	}
}

func TestMarksAreMadeOnlyInsideTheCluster(t *testing.T) {
	for _, inside := range []bool{false, true} {
		w := newOutside(0)
		o := w.options()
		o.Cluster, o.InCluster = newCluster(behindTraefik("a", "192.0.2.1")), inside
		if _, _ = Once(t.Context(), o, nil); len(w.came) == 0 {
			t.Fatal("nothing was probed")
		}
		for _, r := range w.came {
			if (r.Bypass != nil) != inside {
				t.Errorf("inside %t: %+v", inside, r.Bypass)
			}
		}
	}
}

// A change of a load balancer is judged now, even if the last judgement was a moment ago;
// any other change waits for the pause.
func TestOnlyALoadBalancerIsJudgedWithoutThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, change := range map[string]func(*inventory.Inventory){
			"nothing":        func(*inventory.Inventory) {},
			"another target": func(inv *inventory.Inventory) { inv.Targets = inv.Targets[1:] },
			"endpoints":      func(inv *inventory.Inventory) { inv.Services[0].Endpoints = &inventory.Endpoints{Ready: 1, Total: 2} },
			"an address":     func(inv *inventory.Inventory) { inv.Services[0].Addresses = addrs("192.0.2.7") },
			"a deletion":     func(inv *inventory.Inventory) { inv.Services = nil },
			"a timestamp":    func(inv *inventory.Inventory) { inv.Services[0].Deleting = true },
		} {
			c := newCluster(behindTraefik("a", "192.0.2.1"))
			o := newOutside(0).options()
			o.Cluster = c
			l := newLoop(o.withDefaults())
			rounds := make(chan round, 1)
			l.rounds = rounds
			ended, end := context.WithCancel(t.Context())
			end() // no look is to begin in earnest
			time.Sleep(time.Minute)
			inv := behindTraefik("a", "192.0.2.1")
			change(&inv)
			c.set(inv)
			now := time.Now()
			l.stale, l.judged = true, now
			l.turn(ended, now)
			want := what != "nothing" && what != "another target" && what != "endpoints"
			if got := len(rounds) == 1; got != want {
				t.Errorf("%s: judged at once: %t", what, got)
			}
			if next := l.wake(now); want == false && next.Before(now.Add(time.Second)) && l.dirty && !next.After(now) {
				t.Errorf("%s: it wakes at once for nothing", what)
			}
			l.drain()
		}
	})
}
