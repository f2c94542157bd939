package dnscheck

import (
	"context"
	"strings"
	"time"
)

const (
	wildcardLevels = 3
	// keepWildcard makes the many names under one wildcard share its questions. It
	// is short, as a wildcard that was just repaired must not look like another record.
	keepWildcard = 10 * time.Second
)

// wildcard finds the wildcard record that gives the same answer as the name, so
// that the record to repair can be named. A wildcard also answers for the literal
// question "*.…" one level below it; so of several levels that agree without a
// gap the highest is the record.
func (w *walk) wildcard(ctx context.Context, s *Step, zone, name string) {
	if name == zone || strings.HasPrefix(name, "*.") {
		return
	}
	got := dataOfOne(s.Answers)
	if len(got) == 0 {
		return
	}
	parent := parentOf(name)
	for level := 0; level < wildcardLevels && within(zone, parent); level++ {
		found, next := w.wildcardAt(ctx, zone, wildcardOf(parent), got)
		if found != nil {
			s.Wildcard, s.WildcardOwner = found, bare(wildcardOf(parent))
		}
		if !next || found == nil && s.Wildcard != nil || parent == zone {
			return
		}
		parent = parentOf(parent)
	}
}

// dataOfOne are the answers with data of the first server that gave some: the
// same server for all names of a zone, so that its wildcards are asked once.
func dataOfOne(answers []Answer) []Answer {
	var got []Answer
	for _, a := range answers {
		hasData := a.Outcome == OK || a.Outcome == Alias
		if hasData && (len(got) == 0 || got[0].Server == a.Server) {
			got = append(got, a)
		}
	}
	return got
}

// wildcardAt asks for one wildcard. found is set if it has the same data as got;
// next tells whether a higher one can still be the one that counts.
func (w *walk) wildcardAt(ctx context.Context, zone, owner string, got []Answer) (found []Answer, next bool) {
	for _, g := range got {
		a := w.askShared(ctx, zone, g.Server, question{name: owner, qtype: qtypeOf(g.Type)})
		switch a.Outcome {
		case NoName, NoData:
			return nil, true
		case OK, Alias:
			if !sameData(a, g) {
				return nil, false
			}
			found = append(found, a)
		default:
			return nil, false
		}
	}
	return found, true
}

// askShared is askOne, remembered for a short while. Whoever leads waits only for
// the network, so nobody waits in a circle.
func (w *walk) askShared(ctx context.Context, zone string, server Server, q question) Answer {
	key := server.Address.String() + " " + q.String()
	for ctx.Err() == nil {
		if known, ok := w.r.wildcards.get(key); ok {
			return known
		}
		if leave := w.r.wildcards.lead(ctx, key); leave != nil {
			defer leave()
			a, _ := w.askOne(ctx, zone, server, q)
			if a.Outcome != unasked {
				w.r.wildcards.put(key, a, keepWildcard)
			}
			return a
		}
	}
	return Answer{Outcome: unasked}
}
