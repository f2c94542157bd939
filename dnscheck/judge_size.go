package dnscheck

import (
	"fmt"
	"slices"

	"driftprobe/finding"
)

// mostRecords is how many records of one set BIND takes since 9.18.28 and 9.20.0
// (max-records-per-type, against CVE-2024-1737). With more, its clients have SERVFAIL.
const mostRecords = 100

// judgeSizes reports sets of addresses that are larger than resolvers bear with. What a
// server gave by turns is no set.
func judgeSizes(c *Case) []finding.Finding {
	var fs []finding.Finding
	for i := range c.Observed.Steps {
		s := &c.Observed.Steps[i]
		var most *Answer
		var servers []string
		for k := range s.Answers {
			if a := &s.Answers[k]; a.Outcome == OK && len(a.Addresses) > mostRecords && !s.Rotates {
				servers = append(servers, a.Server.String())
				if most == nil || len(a.Addresses) > len(most.Addresses) {
					most = a
				}
			}
		}
		if len(servers) == 0 {
			continue
		}
		slices.Sort(servers)
		rec := finding.Record{Zone: s.Zone, Owner: s.Owner(), Type: string(most.Type), TTL: most.TTL}
		count := fmt.Sprint(len(most.Addresses))
		if len(most.Addresses) == addressLimit {
			count = "at least " + count
		}
		fs = append(fs, finding.Finding{
			Code: finding.DNSNonconformant, Severity: finding.Warning,
			// With a Name it is another finding than that about a zone of this name.
			Subject:  finding.Subject{Host: c.Observed.Host, Name: s.Name},
			Summary:  fmt.Sprintf("%s has more %s records than BIND takes: its clients cannot resolve %s", rec.Owner, rec.Type, c.Observed.Host),
			Expected: fmt.Sprintf("at most %d records of one type (BIND: max-records-per-type)", mostRecords),
			Observed: fmt.Sprintf("%s %s records of %s in the zone %s", count, rec.Type, rec.Owner, s.Zone),
			Hint:     "publish fewer addresses, or let the servers give a part of them by turns",
			SeenAt:   slices.Compact(servers),
			Record:   &rec,
		})
	}
	return fs
}
