package issuance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// maxEndless is how long a refusal without an end is told.
const maxEndless = 24 * time.Hour

// Refused says which of cert-manager's orders an authority refuses because of a limit, one
// finding for each Certificate. It is a warning: cert-manager keeps certificates where no
// restart loses them, so that the one before is still served until it ends.
func Refused(now time.Time, orders []inventory.RefusedOrder) []finding.Finding {
	var all []finding.Finding
	for _, o := range orders {
		until, said := retryAfter(o.Reason)
		if said && !until.After(now) || !said && now.Sub(o.At) >= maxEndless {
			continue
		}
		f := refused(o)
		if said {
			f.Summary += ": refused by the CA until " + moment(until)
			f.ClearBy = until
		}
		if !slices.ContainsFunc(all, func(g finding.Finding) bool { return g.Subject == f.Subject }) {
			all = append(all, f)
		}
	}
	finding.Sort(all)
	return all
}

func refused(o inventory.RefusedOrder) finding.Finding {
	what := "Order " + o.Namespace + "/" + o.Name
	f := finding.Finding{
		Code: finding.IssuanceRateLimit, Severity: finding.Warning,
		Subject:  finding.Subject{Namespace: o.Namespace, Name: o.Name},
		Summary:  "cert-manager gets no certificate for " + printable(what),
		Expected: "an order that the certificate authority takes",
		Observed: printableText(o.Reason),
		SeenAt:   []string{printable(what)},
		Hint:     fmt.Sprintf("do not order again before that: kubectl describe order -n %s %s; find out why it was ordered so often", printable(o.Namespace), printable(o.Name)),
	}
	if o.Certificate != "" {
		f.Subject.Name = o.Certificate
		f.Summary = "cert-manager gets no certificate for Certificate " + printable(o.Namespace+"/"+o.Certificate)
	}
	if len(o.Hosts) > 0 {
		shown := make([]string, len(o.Hosts))
		for n, h := range o.Hosts {
			shown[n] = printable(h)
		}
		f.Observed += "; ordered for " + finding.List(shown, 3)
	}
	if !o.At.IsZero() {
		f.Observed += ", refused " + moment(o.At)
	}
	if o.Requests > 0 {
		f.Observed += "; " + finding.Count(o.Requests, "CertificateRequest is", "CertificateRequests are") + " there"
	}
	return f
}

// maxReason is how much of the authority's words is shown, in characters.
const maxReason = 300

func printableText(s string) string { return finding.Printable(strings.TrimSpace(s), maxReason) }

// retryAfter finds the moment from which the authority takes orders again, as Boulder
// writes it: "…, retry after 2026-11-24 10:00:00 UTC: see https://…".
// https://letsencrypt.org/docs/rate-limits/
func retryAfter(reason string) (time.Time, bool) {
	m := regexp.MustCompile(`retry after (\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?: UTC|Z)`).FindStringSubmatch(reason)
	if m == nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.DateTime, strings.Replace(m[1], "T", " ", 1))
	return at, err == nil
}
