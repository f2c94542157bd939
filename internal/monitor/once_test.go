package monitor

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
)

func TestOnceLooksAtEverythingExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(10 * time.Millisecond)
		w.publish("a.example", "192.0.2.1", "198.51.100.9")
		lists := 0
		o := w.options()
		o.Targets = []inventory.Target{site("a.example", "192.0.2.1"), site("b.example")}
		o.Cluster = newCluster(inventory.Inventory{
			Services: []inventory.Service{{ServiceRef: inventory.ServiceRef{Namespace: "x", Name: "y"}, Hostnames: []string{"lb.example"}}},
		})
		o.Clouds = []func(context.Context, []string) lbcheck.Observation{func(context.Context, []string) lbcheck.Observation {
			lists++
			return lbcheck.Observation{Provider: "testcloud", At: time.Now()}
		}}
		began := time.Now()
		var progress [][2]int
		s, r := Once(t.Context(), o, func(done, total int) { progress = append(progress, [2]int{done, total}) })

		for host, times := range w.asked {
			if len(times) != 1 {
				t.Errorf("%s was resolved %d times", host, len(times))
			}
		}
		for k, times := range w.went {
			if len(times) != 1 {
				t.Errorf("%v was probed %d times", k, len(times))
			}
		}
		if lists != 1 {
			t.Errorf("the cloud was listed %d times", lists)
		}
		if got := resolvedHosts(s); got != "a.example b.example lb.example" {
			t.Errorf("hosts: %s", got)
		}
		if got := probedKeys(s); got != "a.example@192.0.2.1 a.example@198.51.100.9 b.example@192.0.2.1" {
			t.Errorf("probes: %s", got)
		}
		if !s.Began.Equal(began) || !s.At.Equal(time.Now()) || !r.At.Equal(s.At) || s.Version != snapshot.Version {
			t.Errorf("began %v, at %v, report at %v, version %d", s.Began, s.At, r.At, s.Version)
		}
		if len(s.History.Records.Sightings) != 4 {
			t.Errorf("the history has %d records", len(s.History.Records.Sightings))
		}
		if first, last := progress[0], progress[len(progress)-1]; first != [2]int{0, 4} || last != [2]int{7, 7} {
			t.Errorf("progress from %v to %v", first, last)
		}
	})
}

func TestOnlyAnExpectedAddressIsSentTheHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Millisecond)
		w.publish("a.example", "192.0.2.1", "198.51.100.9", "203.0.113.5")
		target := site("a.example", "192.0.2.1")
		target.Allow = nil
		o := w.options()
		o.Targets = []inventory.Target{target}
		Once(t.Context(), o, nil)
		for _, r := range w.came {
			own := r.Address.Addr() == addrs("192.0.2.1")[0]
			if r.Stranger == own || (r.Headers != nil) != own || r.Pinned != own {
				t.Errorf("%v: stranger %v, pinned %v, headers %v", r.Address, r.Stranger, r.Pinned, r.Headers)
			}
		}
		if len(w.came) != 3 {
			t.Errorf("%d probes", len(w.came))
		}
	})
}

func TestWhatWasKnownBeforeARestartStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(time.Millisecond), &press{}
		o := w.options()
		o.Targets = []inventory.Target{site("a.example"), site("b.example")}
		first, _ := Once(t.Context(), o, nil)
		asked := len(w.timesAsked("a.example"))

		o.Previous, o.Publish, o.DNSInterval = first, p.publish, time.Hour
		began := time.Now()
		stop := start(t.Context(), o)
		synctest.Wait()
		if len(p.times) != 1 || !p.times[0].Equal(began) {
			t.Fatalf("reports at %v, want one at once", p.times)
		}
		if !reflect.DeepEqual(p.last().Observations, first.Observations) {
			t.Errorf("observations: %+v", p.last().Observations)
		}
		if n := len(w.timesAsked("a.example")); n != asked {
			t.Errorf("looked again at once")
		}
		last := stop()
		if !reflect.DeepEqual(last.History.Records, first.History.Records) {
			t.Errorf("the history was lost: %+v", last.History)
		}

		// After a long sleep the history still counts, the observations do not.
		time.Sleep(24 * time.Hour)
		o.Previous, o.Resolve = last, nil
		l := newLoop(o.withDefaults())
		if len(l.dns.newest)+len(l.probes.newest) != 0 {
			t.Error("observations of yesterday were taken for those of today")
		}
	})
}
