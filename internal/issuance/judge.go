package issuance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// Policy is what the operator says of certificate authorities.
type Policy struct {
	// Authorities are the organisations from which certificates are expected; empty
	// means any.
	Authorities []string `json:"authorities,omitempty"`
	// SameNames are the limits for certificates with one set of names of authorities
	// other than Let's Encrypt, by organisation.
	SameNames map[string]Limit `json:"same_names,omitempty"`
}

// letsEncrypt is the organisation in the issuers of Let's Encrypt. Its staging
// environment has another.
const letsEncrypt = "Let's Encrypt"

func (p Policy) limit(ca string) (Limit, bool) {
	if ca == letsEncrypt {
		return SameNames(), true
	}
	l, known := p.SameNames[ca]
	return l, known && l.fits()
}

// week is the window in which loops are looked for: that of the limits.
const week = 168 * time.Hour

// Judge says which sets of names are near the authority's limits, which are ordered again
// for no reason, and which were issued by somebody unexpected. It counts what was seen,
// and so says "at least".
func Judge(p Policy, now time.Time, h History) []finding.Finding {
	var all []finding.Finding
	j := &judge{policy: p, now: now}
	rules := []func() (finding.Finding, bool){j.unexpected, j.sameNames, j.loop}
	for i := range h.Sets {
		s := &h.Sets[i]
		if len(s.Issuances) == 0 || len(s.Names) == 0 {
			continue // no history of ours: a file can say anything
		}
		j.set = s
		for _, rule := range rules {
			if f, ok := rule(); ok && !h.replaced(*s) {
				all = append(all, f)
			}
		}
	}
	all = append(all, sameDomain(now, h)...)
	finding.Sort(all)
	return all
}

type judge struct {
	policy Policy
	now    time.Time
	set    *Set
}

func (j *judge) finding(code finding.Code, severity finding.Severity, summary string) finding.Finding {
	return finding.Finding{
		Code: code, Severity: severity, Summary: summary, SeenAt: j.set.places(),
		Subject: finding.Subject{Host: j.set.host(), Certificate: j.set.Identity()},
	}
}

// sameNames judges the budget of certificates with the same names.
func (j *judge) sameNames() (finding.Finding, bool) {
	limit, known := j.policy.limit(j.set.CA)
	if !known || len(j.set.Issuances)*2 < limit.Tokens {
		return finding.Finding{}, false // as nearly all sets, so that it is asked first
	}
	issued := j.set.issued()
	left := limit.Left(issued, j.now)
	used := limit.Tokens - left.Free
	if used*2 < limit.Tokens {
		return finding.Finding{}, false
	}
	severity, what := finding.Warning, fmt.Sprintf("at least %d of %d used", used, limit.Tokens)
	if left.Free == 0 {
		severity, what = finding.Critical, fmt.Sprintf("all %d used: the next order is refused", limit.Tokens)
	}
	f := j.finding(finding.IssuanceRateLimit, severity,
		fmt.Sprintf("certificates for %s are near the limit of %s: %s", j.set.title(), printable(j.set.CA), what))
	f.Expected = fmt.Sprintf("fewer than %d certificates for exactly these names in %s", limit.Tokens, finding.Left(time.Duration(limit.Tokens)*limit.Every))
	f.Observed = fmt.Sprintf("issued %s; %s", moments(j.recent(issued)), left.next())
	if left.Free == 0 {
		f.ClearBy = left.Next
	} else {
		f.Observed += j.forecast()
	}
	f.Hint = "do not order again: find out what loses the certificate (driftprobe explain issuance/reissue-loop); one more name in the certificate makes it another set, which is not limited"
	return f, true
}

// forecast says when the authority refuses if orders go on as they did in the last week.
func (j *judge) forecast() string {
	limit, known := j.policy.limit(j.set.CA)
	if !known {
		return ""
	}
	at := limit.Refused(j.set.issued(), j.now, j.pace())
	if at.IsZero() {
		return ""
	}
	return "; at this pace an order is refused " + moment(at)
}

// unexpected judges who issued it, as long as anybody would believe it.
func (j *judge) unexpected() (finding.Finding, bool) {
	expired := !slices.ContainsFunc(j.set.Issuances, func(i Issuance) bool { return i.NotAfter.After(j.now) })
	if len(j.policy.Authorities) == 0 || slices.Contains(j.policy.Authorities, j.set.CA) || expired {
		return finding.Finding{}, false
	}
	f := j.finding(finding.IssuanceUnexpectedIssuer, finding.Warning,
		fmt.Sprintf("a certificate for %s was issued by %s", j.set.title(), printable(cmp.Or(j.set.CA, "an authority without a name"))))
	f.Expected = "a certificate from " + strings.Join(j.policy.Authorities, " or ")
	newest := j.set.newest()
	f.Observed = fmt.Sprintf("serial %s, issued %s", printable(newest.Serial), moment(newest.Issued))
	f.Hint = "ask who ordered it; if nobody did, revoke it and restrict issuance with a CAA record"
	return f, true
}

// recent are those of the last week.
func (j *judge) recent(issued []time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(issued), func(at time.Time) bool { return j.now.Sub(at) >= week })
}

// pace is the mean time between the orders of the last week; zero if there is only one.
func (j *judge) pace() time.Duration {
	recent := j.recent(j.set.issued())
	if len(recent) < 2 {
		return 0
	}
	return recent[len(recent)-1].Sub(recent[0]) / time.Duration(len(recent)-1)
}
