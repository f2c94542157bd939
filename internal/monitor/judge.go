package monitor

import (
	"hash/maphash"
	"slices"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// round is all that one judgement reads. Nothing in it is changed afterwards.
type round struct {
	inventory inventory.Inventory
	seen      snapshot.Observations
	// fresh are the names and probes looked at since the last round, for the history.
	fresh snapshot.Observations
	// answered: there is something of every cloud account.
	answered bool
	// publish: hand the report out even if something was not looked at yet.
	publish bool
}

// outcome is what a judgement says to the loop: first the plan that follows from
// the newest expectations, then, when the report is published, that it is over.
type outcome struct {
	steps []step
	// zones are those to look at.
	zones []string
	// moved are the keys of targets whose expected addresses changed.
	moved map[string]bool
	over  bool
	// wrong are the zones that a report found a wrong record in; only if reported.
	wrong    []string
	reported bool
	// took is what judging cost, without handing the report out.
	took time.Duration
}

// judge makes Reports. It remembers what must outlive a round, and belongs to one
// goroutine.
type judge struct {
	o       Options
	history snapshot.History
	// expected are the digests of what was expected of each target: to see that it
	// changed is all that it is kept for.
	expected  map[string]uint64
	seed      maphash.Seed
	published bool
}

// serve judges rounds until there are no more.
func (j *judge) serve(rounds <-chan round, out chan<- outcome) {
	for r := range rounds {
		began := time.Now()
		s, next := j.prepare(r, began)
		out <- next
		took := time.Since(began)
		end := outcome{over: true}
		if j.published || r.publish || r.answered && complete(s, next, j.o.zoneSlots()) {
			j.published = true
			j.o.Stats.Judgements.Add(1)
			report := diagnose.Diagnose(j.o.Policy, s.At, s)
			took = time.Since(began)
			end.wrong, end.reported = j.o.wrongZones(report), true
			j.o.Publish(s, report)
		}
		end.took = took
		out <- end
	}
}

// prepare brings the history up to date and makes the Snapshot and the plan that
// follows from it. Probes of addresses that are not in the plan any more are left
// out, and zones that hold no name any more: they say nothing about what is.
func (j *judge) prepare(r round, now time.Time) (snapshot.Snapshot, outcome) {
	s := snapshot.Snapshot{
		Version: snapshot.Version, At: now, InCluster: j.o.InCluster,
		Inventory: r.inventory, Observations: r.seen, History: j.history,
	}
	j.history = diagnose.Remember(now, s, r.fresh)
	s.History = j.history
	expected := diagnose.Expectations(s)
	moved := j.changed(expected)
	steps := plan(r.inventory.Targets, expected, byHost(r.seen.DNS), j.history.Records)
	if j.o.InCluster {
		steps = marked(steps, r.inventory, expected)
	}
	s.Observations.Probes = onlyPlanned(r.seen.Probes, steps)
	next := outcome{steps: steps, zones: j.o.zones(r.seen.DNS), moved: moved}
	s.Observations.Zones = onlyHeld(r.seen.Zones, next.zones)
	return s, next
}

// changed returns the keys whose expected addresses differ from those of the last
// round; not those that are new, because they are looked at anyway.
func (j *judge) changed(now map[string]inventory.Expected) map[string]bool {
	moved, digests := map[string]bool{}, make(map[string]uint64, len(now))
	for key, e := range now {
		digests[key] = j.digest(e)
		if was, ok := j.expected[key]; ok && was != digests[key] {
			moved[key] = true
		}
	}
	j.expected = digests
	return moved
}

// digest stands for where a target is expected to be.
func (j *judge) digest(e inventory.Expected) uint64 {
	var h maphash.Hash
	h.SetSeed(j.seed)
	maphash.WriteComparable(&h, e.Known)
	maphash.WriteComparable(&h, e.Service)
	for _, a := range e.Addresses {
		maphash.WriteComparable(&h, a)
	}
	maphash.WriteComparable(&h, len(e.Addresses)) // where one list ends
	for _, a := range e.Uncertain {
		maphash.WriteComparable(&h, a)
	}
	return h.Sum64()
}

func byHost(os []dnscheck.Observation) map[string]dnscheck.Observation {
	m := make(map[string]dnscheck.Observation, len(os))
	for _, o := range os {
		m[o.Host] = o
	}
	return m
}

// onlyPlanned walks along both lists, which are sorted by the same key. Mostly they are
// of the same probes.
func onlyPlanned(os []probe.Observation, steps []step) []probe.Observation {
	if slices.EqualFunc(os, steps, func(o probe.Observation, s step) bool { return o.Target == s.target.Key && o.Address == s.address }) {
		return os
	}
	kept := make([]probe.Observation, 0, len(os))
	for _, s := range steps {
		k := s.key()
		for len(os) > 0 && (probeKey{os[0].Target, os[0].Address}).compare(k) < 0 {
			os = os[1:]
		}
		if len(os) > 0 && (probeKey{os[0].Target, os[0].Address}) == k {
			kept = append(kept, os[0])
		}
	}
	return kept
}

// complete tells whether everything was looked at once; of the zones, as many as
// are looked at together. Before that a first report would call things unknown, or
// leave them out, that will be known in a moment.
func complete(s snapshot.Snapshot, next outcome, together int) bool {
	return len(s.Observations.DNS) == len(hosts(s.Inventory)) &&
		len(s.Observations.Probes) == len(next.steps) && len(s.Observations.Zones) >= min(len(next.zones), together)
}
