package monitor

import (
	"context"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
)

func TestLooksAreSpreadEvenlyOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts, minutes = 600, 1
		w := newOutside(20 * time.Millisecond)
		o := w.options()
		o.Targets, o.Workers, o.DNSInterval, o.Interval = sites(hosts), 50, time.Minute, time.Minute
		began := time.Now()
		stop := start(t.Context(), o)
		time.Sleep(155 * time.Second)
		stop()

		from, to := began.Add(90*time.Second), began.Add((90+60*minutes)*time.Second)
		perSecond := map[int]int{}
		for host, times := range w.asked {
			n := 0
			for _, at := range times {
				if !at.Before(from) && at.Before(to) {
					n++
					perSecond[int(at.Sub(from)/time.Second)]++
				}
			}
			if n != minutes {
				t.Fatalf("%s was resolved %d times in %d intervals", host, n, minutes)
			}
		}
		for second := range 60 * minutes {
			if n := perSecond[second]; n < 1 || n > 30 {
				t.Errorf("second %d: %d lookups, the mean is 10", second, n)
			}
		}
		// The start is no burst either: nobody is asked more often than there are
		// places at once, and the rest follow in their turn.
		first := 0
		for _, times := range w.asked {
			if times[0].Sub(began) < time.Second {
				first++
			}
		}
		if first < 50 || first > 50+30 {
			t.Errorf("%d lookups in the first second", first)
		}
	})
}

func TestANewAddressIsProbedWithinASecondOfBeingSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(10 * time.Millisecond)
		w.publish("a.example", "192.0.2.1")
		o := w.options()
		o.Targets, o.DNSInterval, o.Interval = []inventory.Target{site("a.example")}, time.Minute, time.Hour
		stop := start(t.Context(), o)
		time.Sleep(2 * time.Minute)
		w.publish("a.example", "192.0.2.1", "192.0.2.9")
		time.Sleep(2 * time.Minute)
		last := stop()

		asked, went := w.timesAsked("a.example"), w.timesAt("a.example", "192.0.2.9")
		if len(went) == 0 {
			t.Fatal("the new address was not probed")
		}
		var seen time.Time
		for _, at := range asked {
			if at.Before(went[0]) {
				seen = at.Add(w.took)
			}
		}
		if wait := went[0].Sub(seen); wait > time.Second {
			t.Errorf("probed %v after it was seen", wait)
		}
		if got := probedKeys(last); got != "a.example@192.0.2.1 a.example@192.0.2.9" {
			t.Errorf("probes: %s", got)
		}
	})
}

func TestAnAddressThatIsNoLongerPublishedLeavesTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(time.Millisecond), &press{}
		w.publish("a.example", "192.0.2.1", "192.0.2.2")
		o := w.options()
		o.Targets, o.Publish = []inventory.Target{site("a.example")}, p.publish
		stop := start(t.Context(), o)
		defer stop()
		time.Sleep(time.Minute)
		w.publish("a.example", "192.0.2.1")
		time.Sleep(2 * time.Minute)
		if got := probedKeys(p.last()); got != "a.example@192.0.2.1" {
			t.Errorf("probes: %s", got)
		}
	})
}

func TestVanishedTargetsTakeTheirObservationsWithThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(time.Millisecond), &press{}
		c := newCluster(inventory.Inventory{Targets: []inventory.Target{site("a.example"), site("b.example")}})
		o := w.options()
		o.Cluster, o.Publish = c, p.publish
		stop := start(t.Context(), o)
		defer stop()
		time.Sleep(5 * time.Second)
		if got := resolvedHosts(p.last()) + " " + probedKeys(p.last()); got != "a.example b.example a.example@192.0.2.1 b.example@192.0.2.1" {
			t.Fatalf("before: %s", got)
		}
		c.set(inventory.Inventory{Targets: []inventory.Target{site("b.example")}})
		time.Sleep(2 * time.Second)
		if got := resolvedHosts(p.last()) + " " + probedKeys(p.last()); got != "b.example b.example@192.0.2.1" {
			t.Errorf("after: %s", got)
		}
		before := len(w.timesAsked("a.example"))
		time.Sleep(10 * time.Minute)
		if after := len(w.timesAsked("a.example")); after != before {
			t.Errorf("the vanished host was still asked for")
		}
	})
}

func TestJudgedAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(30*time.Millisecond), &press{}
		o := w.options()
		o.Targets, o.Publish, o.Workers = sites(500), p.publish, 16
		stop := start(t.Context(), o)
		time.Sleep(2 * time.Minute)
		stop()
		if len(p.times) < 60 {
			t.Fatalf("only %d reports in two minutes", len(p.times))
		}
		for i := range p.times[1:] {
			if d := p.times[i+1].Sub(p.times[i]); d < time.Second {
				t.Fatalf("reports %d and %d are %v apart", i, i+1, d)
			}
		}
	})
}

func TestTheFirstReportWaitsUntilAllWasLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(3*time.Second), &press{}
		o := w.options()
		o.Targets, o.Publish = []inventory.Target{site("a.example"), site("b.example")}, p.publish
		began := time.Now()
		stop := start(t.Context(), o)
		time.Sleep(20 * time.Second)
		stop()
		if d := p.times[0].Sub(began); d < 6*time.Second || d > 8*time.Second {
			t.Errorf("published after %v: the DNS takes 3 s and the probes 3 s more", d)
		}
		if got := probedKeys(p.papers[0]); got != "a.example@192.0.2.1 b.example@192.0.2.1" {
			t.Errorf("probes: %s", got)
		}
	})
}

func TestAChangeInTheClusterIsActedOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(time.Millisecond), &press{}
		traefik := inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}
		target := site("a.example")
		target.Service = traefik
		inv := func(address string) inventory.Inventory {
			return inventory.Inventory{
				Targets:  []inventory.Target{target},
				Services: []inventory.Service{{ServiceRef: traefik, Addresses: addrs(address)}},
			}
		}
		c := newCluster(inv("192.0.2.1"))
		var lists atomic.Int32
		o := w.options()
		o.Cluster, o.Publish = c, p.publish
		o.Interval, o.DNSInterval, o.CloudInterval = 24*time.Hour, 24*time.Hour, 24*time.Hour
		o.Clouds = []func(context.Context, []string) lbcheck.Observation{func(context.Context, []string) lbcheck.Observation {
			lists.Add(1)
			return lbcheck.Observation{Provider: "testcloud", Failure: "no token"}
		}}
		stop := start(t.Context(), o)
		time.Sleep(time.Minute)
		asked, went, listed := len(w.timesAsked("a.example")), len(w.timesAt("a.example", "192.0.2.1")), lists.Load()
		changed := time.Now()
		c.set(inv("192.0.2.7"))
		time.Sleep(3 * time.Second)
		stop()
		judged := p.times[len(p.times)-1]

		if got := p.last().Inventory.Services[0].Addresses; !reflect.DeepEqual(got, addrs("192.0.2.7")) {
			t.Errorf("the report is about %v", got)
		}
		if judged.Before(changed) {
			t.Error("the change was not judged")
		}
		if at := w.timesAt("a.example", "192.0.2.7"); len(at) == 0 || at[0].Sub(changed) > 2*time.Second {
			t.Errorf("the new address was probed at %v, the change was at %v", at, changed)
		}
		if n := len(w.timesAsked("a.example")); n != asked+1 {
			t.Errorf("the host was resolved %d times after the change, want once", n-asked)
		}
		if n := len(w.timesAt("a.example", "192.0.2.1")); n != went+1 {
			t.Errorf("the old address was probed %d times after the change, want once", n-went)
		}
		if n := lists.Load(); n != listed+1 {
			t.Errorf("the cloud was listed %d times after the change, want once", n-listed)
		}
	})
}

func TestASlowPublishDelaysNoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Millisecond)
		o := w.options()
		o.Targets, o.DNSInterval = []inventory.Target{site("a.example")}, 10*time.Second
		o.Publish = func(snapshot.Snapshot, finding.Report) { time.Sleep(5 * time.Minute) }
		stop := start(t.Context(), o)
		time.Sleep(2 * time.Minute)
		asked := len(w.timesAsked("a.example"))
		stop()
		if asked < 11 {
			t.Errorf("only %d lookups in two minutes at one each 10 s", asked)
		}
	})
}

func TestTheEndOfTheContextEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Second)
		o := w.options()
		o.Targets, o.Workers = sites(300), 20
		stop := start(t.Context(), o)
		time.Sleep(30*time.Second + 500*time.Millisecond)
		asked := time.Now()
		last := stop()
		if d := time.Since(asked); d != 0 {
			t.Errorf("it took %v", d)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.busy != 0 {
			t.Errorf("%d looks are still under way", w.busy)
		}
		// What is seen while we end tells of our end, not of the target.
		for _, o := range last.Observations.DNS {
			if o.Cut != "" {
				t.Errorf("%s: an interrupted look was kept", o.Host)
			}
		}
		for _, o := range last.Observations.Probes {
			if o.Fault.Kind != "" {
				t.Errorf("%s: an interrupted probe was kept", o.Target)
			}
		}
	})
}

func TestTenThousandTargetsNeedNoMoreWorkersThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(50 * time.Millisecond)
		o := w.options()
		o.Targets, o.Workers, o.Interval, o.DNSInterval = sites(10000), 250, 3*time.Second, 3*time.Second
		o.Stats = new(Stats)
		stop := start(t.Context(), o)
		time.Sleep(7*time.Second + 500*time.Millisecond)
		last := stop()
		if w.busiest > 500 {
			t.Errorf("%d looks at the same time, want at most 250 of each kind", w.busiest)
		}
		if d, p := len(last.Observations.DNS), len(last.Observations.Probes); d != 10000 || p != 10000 {
			t.Errorf("%d hosts and %d addresses were observed", d, p)
		}
		if n := o.Stats.DNSLooks.Load(); n < 2*10000 {
			t.Errorf("%d DNS looks in more than two intervals", n)
		}
	})
}

func TestTooFewWorkersShowAsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Second)
		o := w.options()
		o.Targets, o.Workers, o.Stats = sites(400), 2, new(Stats)
		stop := start(t.Context(), o)
		time.Sleep(3 * time.Minute)
		lag := time.Duration(o.Stats.LagNanoseconds.Load())
		stop()
		if lag < time.Minute {
			t.Errorf("lag %v, although two workers can do a third of the work", lag)
		}
	})
}
