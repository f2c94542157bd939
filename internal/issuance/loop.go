package issuance

import (
	"cmp"
	"fmt"
	"time"

	"driftprobe/finding"
)

const (
	// early is the share of its lifetime that a certificate must have lived for its
	// successor to be a planned renewal. Renewal comes at two thirds, or at half for those
	// of a few days (RFC 9773 lets the authority choose).
	early = 0.45
	// idle is the share of its lifetime after which a certificate that nobody met any more
	// had been replaced already.
	idle = early / 2
	// together is how near to the newest look a certificate was seen that is still served.
	together = time.Hour
)

// due tells whether after can be the planned renewal of a certificate. Of one that only
// logs told of nobody knows how long it was in use.
func (i Issuance) due(after Issuance) bool {
	life := float64(i.NotAfter.Sub(i.Issued))
	used := i.LastSeen.IsZero() || after.Issued.Sub(i.LastSeen) < time.Duration(idle*life)
	return used && after.Issued.Sub(i.Issued) >= time.Duration(early*life)
}

// hasty counts the certificates of the last week that came before it was time. Several
// clients can order the same names, each for itself: a certificate is planned if there is
// any that it can renew, and each is renewed once.
func (s Set) hasty(now time.Time) int {
	renewed := make([]bool, len(s.Issuances))
	planned := func(n int) bool {
		for b, before := range s.Issuances[:n] {
			if !renewed[b] && before.due(s.Issuances[n]) {
				renewed[b] = true
				return true
			}
		}
		return false
	}
	hasty := 0
	for n := 1; n < len(s.Issuances); n++ {
		if !planned(n) && now.Sub(s.Issuances[n].Issued) < week {
			hasty++
		}
	}
	return hasty
}

// loop judges certificates that were replaced long before it was time. Several that are
// served at once belong to several clients, each of which has its own.
func (j *judge) loop() (finding.Finding, bool) {
	if len(j.set.Issuances) < 3 {
		return finding.Finding{}, false
	}
	served := 0
	for _, i := range j.set.Issuances {
		if !i.LastSeen.IsZero() && j.set.seen().Sub(i.LastSeen) < together {
			served++
		}
	}
	if j.set.hasty(j.now)-max(0, served-1) < 2 {
		return finding.Finding{}, false
	}
	recent := j.recent(j.set.issued())
	f := j.finding(finding.IssuanceReissueLoop, finding.Warning,
		fmt.Sprintf("certificates for %s are ordered again and again: %d in a week", j.set.title(), len(recent)))
	f.Expected = "one certificate until most of its lifetime is over"
	f.Observed = fmt.Sprintf("issued %s by %s", moments(recent), printable(cmp.Or(j.set.CA, "an authority without a name"))) + j.forecast()
	f.Hint = "see where the ACME client keeps its certificates, and whether a restart loses them"
	return f, true
}
