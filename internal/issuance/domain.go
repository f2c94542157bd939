package issuance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"

	"golang.org/x/net/publicsuffix"
)

// Below stands before a registered domain as the Subject.Certificate of what is found of all
// sets below it.
const Below = "below "

// sameDomain judges the budget of new sets of names below one registered domain. A
// renewal takes nothing of it, so that only sets count that are known to be new.
func sameDomain(now time.Time, h History) []finding.Finding {
	issued, example := map[string][]time.Time{}, map[string]Set{}
	for i := range h.Sets {
		s := &h.Sets[i]
		if len(s.Issuances) == 0 {
			continue
		}
		first := &s.Issuances[0]
		if !s.New || s.CA != letsEncrypt || now.Sub(first.Issued) >= week {
			continue
		}
		for _, domain := range counted(s.Names) {
			issued[domain] = append(issued[domain], first.Issued)
			example[domain] = *s
		}
	}
	var all []finding.Finding
	limit := SameDomain()
	for domain, at := range issued {
		left := limit.Left(at, now)
		if used := limit.Tokens - left.Free; used*5 >= limit.Tokens*4 {
			all = append(all, domainFinding(domain, example[domain], limit, left))
		}
	}
	return all
}

func domainFinding(domain string, one Set, limit Limit, left Budget) finding.Finding {
	used := limit.Tokens - left.Free
	severity := finding.Warning
	if left.Free == 0 {
		severity = finding.Critical
	}
	return finding.Finding{
		Code: finding.IssuanceRateLimit, Severity: severity,
		SeenAt:   one.places(),
		Subject:  finding.Subject{Certificate: Below + domain},
		Summary:  fmt.Sprintf("new certificates below %s are near the limit of %s: at least %d of %d used", domain, letsEncrypt, used, limit.Tokens),
		Expected: fmt.Sprintf("fewer than %d new sets of names in a week", limit.Tokens),
		Observed: fmt.Sprintf("at least %d; %s", used, left.next()),
		Hint:     "put several names into one certificate, or use a wildcard; renewals of known sets are not limited",
	}
}

// counted are what a new set of names counts for, each once: registered domains, a public
// suffix that is a name itself, addresses of IPv4 and networks of 64 bits of IPv6.
// https://letsencrypt.org/docs/rate-limits/#new-certificates-per-registered-domain
func counted(names []string) []string {
	all := domains(names)
	for _, name := range names {
		name = strings.TrimPrefix(name, "*.")
		a, err := netip.ParseAddr(name)
		suffix, listed := publicsuffix.PublicSuffix(name)
		switch {
		case err == nil && a.Is6():
			name = netip.PrefixFrom(a, 64).Masked().String()
		case err != nil && (suffix != name || !listed && !strings.Contains(name, ".")):
			continue
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// domains are the registered domains of the names, each once. An address has none.
func domains(names []string) []string {
	var all []string
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		if domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimPrefix(name, "*.")); err == nil && !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}
