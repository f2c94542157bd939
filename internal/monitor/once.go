package monitor

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/snapshot"
)

// Once looks at everything one time and judges once: first the clouds and all
// names together, then the addresses that follow from them. progress, if not nil,
// is called before and after each look, never concurrently; total grows when the
// addresses are known. If ctx ends early, what is missing says so.
//
// Of Options it does not use the intervals, Publish and Previous' observations
// (but for a cloud's last list, if the cloud fails now).
func Once(ctx context.Context, o Options, progress func(done, total int)) (snapshot.Snapshot, finding.Report) {
	o = o.withDefaults()
	t := &tally{report: progress}
	j := &judge{o: o, history: o.Previous.History, seed: maphash.MakeSeed()}
	s := snapshot.Snapshot{Version: snapshot.Version, Began: time.Now().Round(0), InCluster: o.InCluster}
	r := round{inventory: o.current()}
	clouds := newAccounts(len(o.Clouds), o.Previous.Observations.Clouds)

	names := hosts(r.inventory)
	t.expect(len(names) + len(o.Clouds))
	awaitLogs := o.readLogs(ctx, r.inventory.Targets, t)
	var lists sync.WaitGroup
	lists.Go(func() {
		gather(ctx, o.cloudLook(clouds, func() []string { return nil }), numbers(o.Clouds), len(o.Clouds), t)
	})
	dns := gather(ctx, o.dnsLook(), names, o.Workers, t)
	lists.Wait()
	r.seen = snapshot.Observations{DNS: inOrder(names, dns), Clouds: clouds.list()}
	r.fresh.DNS = r.seen.DNS
	planned, next := j.prepare(r, time.Now())

	byKey := make(map[probeKey]step, len(next.steps))
	keys := make([]probeKey, 0, len(next.steps))
	for _, p := range next.steps {
		byKey[p.key()] = p
		keys = append(keys, p.key())
	}
	t.expect(len(keys) + len(next.zones))
	var delegations sync.WaitGroup
	delegations.Go(func() {
		r.seen.Zones = inOrder(next.zones, gather(ctx, o.zoneLook(), next.zones, o.zoneSlots(), t))
	})
	probes := gather(ctx, o.probeLook(func(k probeKey) step { return byKey[k] }), keys, o.Workers, t)
	delegations.Wait()
	s.Inventory, s.History = r.inventory, planned.History
	s.Observations = r.seen
	s.Observations.Probes = inOrder(keys, probes)
	logs := awaitLogs()
	s.At = time.Now().Round(0)
	s.Observations.Logs = brought(logs)
	s.History = diagnose.Remember(s.At, s, snapshot.Observations{Probes: s.Observations.Probes, Logs: logs})
	o.Stats.Judgements.Add(1)
	report := diagnose.Diagnose(o.Policy, s.At, s)
	if wrong := o.wrongZones(report); len(wrong) > 0 {
		// Which records to edit is worth one more question.
		t.expect(len(wrong))
		s.Observations.Hosted = inOrder(wrong, gather(ctx, o.hostedLook(), wrong, maxHosted, t))
		report = diagnose.Diagnose(o.Policy, s.At, s)
	}
	return s, report
}

// tally counts looks for a progress display.
type tally struct {
	mu          sync.Mutex
	done, total int
	report      func(done, total int)
}

func (t *tally) expect(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += n
	t.tell()
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	t.tell()
}

func (t *tally) tell() {
	if t.report != nil {
		t.report(t.done, t.total)
	}
}
