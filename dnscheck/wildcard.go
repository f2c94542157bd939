package dnscheck

import (
	"context"
	"strings"
	"time"
)

// The questions about wildcards go to one server of the zone. A step asks at most
// 2 types on 4 levels, and 4 times whether a name stands in the zone: 12 questions.
// All but one of them are the same for every name under one wildcard, and so are
// asked once for all in keepWildcard. A name without data asks none.
const (
	wildcardLevels = 4
	// keepWildcard makes the many names under one wildcard share its questions. It
	// is short, as a wildcard that was just repaired must not look like another record.
	keepWildcard = 10 * time.Second
)

// probeLabel is a name that nobody has. It tells those who read the query log of a
// server who asked.
const probeLabel = "driftprobe-check"

// wildcard finds the wildcard record that gives the same answer as the name, so
// that the record to repair can be named. A literal record that repeats the data
// of the wildcard above it is no work of the wildcard, and neither is a lower
// wildcard that repeats a higher one.
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
		owner := wildcardOf(parent)
		found, next := w.wildcardAt(ctx, zone, owner, got)
		if found != nil {
			if s.Wildcard == nil && w.stands(ctx, zone, wildcardOf(name), got[0]) {
				return // the record is the name's own
			}
			s.Wildcard, s.WildcardOwner = found, bare(owner)
		}
		if !next || found == nil && s.Wildcard != nil || parent == zone {
			return
		}
		if found != nil && level+1 < wildcardLevels && w.stands(ctx, zone, owner, got[0]) {
			return // the record is this one, whatever a higher one says
		}
		parent = parentOf(parent)
	}
}

// stands tells whether a wildcard, or the name it hangs below, is in the zone as a
// node of its own. If it is not, a higher wildcard answers for it and for all that
// is below it. If it is, nothing answers below it: no wildcard reaches past a name
// that exists (RFC 4592 sections 2.2.2 and 3.3.1), and the wildcard that would hang
// there, "*.*.…", is one that nobody has. A question below the name itself could
// not tell the name's own wildcard from the one above.
//
// Only a denial counts. When it cannot be told (no answer, a server that does not
// keep to RFC 4592) the higher wildcard stays named, as a record that repeats its
// wildcard is the rare case, and the other error is the worse one: a fix for a
// literal record that was never there would hide the name from its wildcard for good.
func (w *walk) stands(ctx context.Context, zone, wildcard string, like Answer) bool {
	name := probeLabel + "." + wildcard
	if !isName(name) {
		return false // too long to ask for
	}
	a := w.askShared(ctx, zone, like.Server, question{name: name, qtype: qtypeOf(like.Type)}, w.spendWildcard)
	return a.Outcome == NoName || a.Outcome == NoData
}

// dataOfOne are the answers with data of the first server that gave some: the
// same server for all names of a zone, so that its wildcards are asked once.
func dataOfOne(answers []Answer) []Answer {
	var got []Answer
	for _, a := range answers {
		if a.hasData() && a.DNAME == "" && (len(got) == 0 || got[0].Server == a.Server) {
			got = append(got, a)
		}
	}
	return got
}

// wildcardAt asks for one wildcard. found is set if it has the same data as got;
// next tells whether a higher one can still be the one that counts. A wildcard also
// answers for the literal question "*.…" one level below it.
func (w *walk) wildcardAt(ctx context.Context, zone, owner string, got []Answer) (found []Answer, next bool) {
	for _, g := range got {
		a := w.askShared(ctx, zone, g.Server, question{name: owner, qtype: qtypeOf(g.Type)}, w.spendWildcard)
		switch a.Outcome {
		case NoName, NoData:
			return nil, true
		case OK, Alias:
			if !sameData(&a, &g) {
				return nil, false
			}
			found = append(found, a)
		default:
			return nil, false
		}
	}
	return found, true
}

// askShared is askOne, remembered for a short while; spend takes a question that must
// be put from its budget. Whoever leads waits only for the network, so nobody waits in
// a circle.
func (w *walk) askShared(ctx context.Context, zone string, server Server, q question, spend func() bool) Answer {
	key := server.Address.String() + " " + q.String()
	for ctx.Err() == nil {
		if known, ok := w.r.wildcards.get(key); ok {
			return known
		}
		if leave := w.r.wildcards.lead(ctx, key); leave != nil {
			defer leave()
			if !spend() {
				break
			}
			a, _ := w.askOne(ctx, zone, server, q)
			if a.Outcome != unasked {
				w.r.wildcards.put(key, a, keepWildcard)
			}
			return a
		}
	}
	return Answer{Outcome: unasked}
}
