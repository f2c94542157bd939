package issuance

import (
	"slices"
	"time"
)

// Limit is a rate limit as a token bucket: Tokens at most, and one comes back after
// each Every. It is kept as Let's Encrypt keeps it, by the generic cell rate algorithm:
// one moment says all, that at which the bucket is full again.
// https://letsencrypt.org/docs/rate-limits/
type Limit struct {
	Tokens int           `json:"tokens"`
	Every  time.Duration `json:"every_ns"`
}

// fits tells whether there can be such a limit: one that a file names can be anything.
func (l Limit) fits() bool {
	const most = 10 * 365 * 24 * time.Hour
	return l.Tokens > 0 && l.Every > 0 && l.Every <= most/time.Duration(l.Tokens)
}

// SameNames is Let's Encrypt's limit for certificates with exactly the same set of
// names, over all accounts: 5, one back in 33.6 hours.
func SameNames() Limit { return Limit{Tokens: 5, Every: 168 * time.Hour / 5} }

// SameDomain is Let's Encrypt's limit for certificates with new sets of names below one
// registered domain: 50, one back in 201.6 minutes.
func SameDomain() Limit { return Limit{Tokens: 50, Every: 168 * time.Hour / 50} }

// Budget is what is left of a limit at a moment.
type Budget struct {
	// Free is how many orders are accepted at once.
	Free int
	// Next is when one token comes back; zero if the bucket is full.
	Next time.Time
}

// Left returns what these issuances leave at a moment. Those that lie ahead of it (a
// clock was set back) count as if they had been made at it.
func (l Limit) Left(issued []time.Time, now time.Time) Budget {
	return l.left(l.full(issued, now), now)
}

// full is the moment at which the bucket is full again. An issuance that finds the bucket
// empty was exempt from the limit, and takes nothing.
func (l Limit) full(issued []time.Time, now time.Time) time.Time {
	var full time.Time
	for _, at := range slices.SortedFunc(slices.Values(issued), time.Time.Compare) {
		full = l.spend(full, earlier(at, now))
	}
	return full
}

func (l Limit) spend(full, at time.Time) time.Time {
	next := later(full, at).Add(l.Every)
	if next.Sub(at) > l.size() {
		return full
	}
	return next
}

func (l Limit) left(full, now time.Time) Budget {
	owed := full.Sub(now)
	if full.IsZero() || owed <= 0 {
		return Budget{Free: l.Tokens}
	}
	free := int((l.size() - owed) / l.Every)
	return Budget{Free: free, Next: full.Add(-time.Duration(l.Tokens-free-1) * l.Every)}
}

func (l Limit) size() time.Duration { return time.Duration(l.Tokens) * l.Every }

// horizon is how far a forecast looks: nobody goes on like this for longer unseen.
const horizon = 4 * 7 * 24 * time.Hour

// Refused returns when the first order is refused if orders go on at the pace given,
// counted from the newest issuance; zero if tokens come back as fast as they are spent, or
// nearly so that it takes more than horizon.
func (l Limit) Refused(issued []time.Time, now time.Time, pace time.Duration) time.Time {
	if len(issued) == 0 || pace <= 0 || pace >= l.Every {
		return time.Time{}
	}
	full := l.full(issued, now)
	newest := earlier(slices.MaxFunc(issued, time.Time.Compare), now)
	// What was due by now was not ordered: the next can come at once. Each order of this
	// pace takes more than comes back, so that it ends.
	for at := later(newest.Add(pace), now); at.Sub(now) < horizon; at = at.Add(pace) {
		next := l.spend(full, at)
		if next.Equal(full) {
			return at
		}
		full = next
	}
	return time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
