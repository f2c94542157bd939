package monitor

import (
	"cmp"
	"slices"

	"driftprobe/lbcheck"
)

// unknownProvider stands in an observation of a cloud that failed before it ever
// said its name.
const unknownProvider = "cloud"

// accounts holds the last complete list of each cloud account over failures and
// restarts. An account has no name of its own until it answers, so the lists from
// before a restart wait until their provider reports.
type accounts struct {
	total  int
	before []lbcheck.Observation
	last   map[int]lbcheck.Observation
}

func newAccounts(total int, before []lbcheck.Observation) *accounts {
	return &accounts{total: total, before: slices.Clone(before), last: map[int]lbcheck.Observation{}}
}

// settle completes what one account said: after a failure its last complete list
// still stands.
func (a *accounts) settle(i int, seen lbcheck.Observation) lbcheck.Observation {
	old, ok := a.last[i]
	if !ok {
		old = a.claim(seen.Provider)
	}
	if seen.Provider == unknownProvider && old.Provider != "" {
		seen.Provider = old.Provider
	}
	if seen.Failure != "" && seen.At.IsZero() {
		seen.At, seen.Balancers = old.At, old.Balancers
	}
	a.last[i] = seen
	return seen
}

// claim takes the list from before that belongs to a provider.
func (a *accounts) claim(provider string) lbcheck.Observation {
	at := slices.IndexFunc(a.before, func(o lbcheck.Observation) bool { return o.Provider == provider })
	if at < 0 && provider == unknownProvider && a.total == 1 && len(a.before) == 1 {
		at = 0
	}
	if at < 0 {
		return lbcheck.Observation{}
	}
	old := a.before[at]
	a.before = slices.Delete(a.before, at, at+1)
	return old
}

// answered tells whether there is something of every account, if only from before.
func (a *accounts) answered() bool { return len(a.last)+len(a.before) >= a.total }

// list returns the newest of each account, by provider. Lists from before stand
// in for accounts that have not reported yet; where there is none, that is said:
// without it, the status of a Service would pass for the whole truth.
func (a *accounts) list() []lbcheck.Observation {
	all := make([]lbcheck.Observation, 0, a.total)
	for i := range a.total {
		if o, ok := a.last[i]; ok {
			all = append(all, o)
		}
	}
	if missing := a.total - len(all); missing > 0 {
		all = append(all, a.before[:min(missing, len(a.before))]...)
	}
	for len(all) < a.total {
		all = append(all, lbcheck.Observation{
			Provider: unknownProvider, Failure: "it has not answered yet", FailureHint: "nothing: it is being asked",
		})
	}
	slices.SortStableFunc(all, func(a, b lbcheck.Observation) int { return cmp.Compare(a.Provider, b.Provider) })
	return all
}
