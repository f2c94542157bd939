package monitor

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"driftprobe/finding"
	"driftprobe/lbcheck"
)

const (
	// hostedInterval is the time between two looks at a zone's records in a cloud
	// account: they only serve to name the record to edit.
	hostedInterval = 3 * time.Minute
	// maxHosted bounds the zones that are asked for.
	maxHosted = 20
)

// wrongZones are the zones in which a record is to be corrected, sorted; none if
// nobody can be asked for their records.
func (o Options) wrongZones(r finding.Report) []string {
	if o.Hosted == nil {
		return nil
	}
	var zones []string
	for _, f := range r.Findings {
		switch f.Code {
		case finding.DNSStaleRecord, finding.DNSMissingRecord, finding.DNSNoRecord:
			if f.Record != nil && f.Record.Zone != "" {
				zones = append(zones, f.Record.Zone)
			}
		}
	}
	slices.Sort(zones)
	zones = slices.Compact(zones)
	return zones[:min(len(zones), maxHosted)]
}

func (o Options) hostedLook() look[string, lbcheck.HostedZone] {
	return look[string, lbcheck.HostedZone]{
		bound: 3 * o.Timeout, done: new(atomic.Uint64), panics: &o.Stats.Panics, log: o.Log,
		begin: func(zone string) task[lbcheck.HostedZone] {
			return task[lbcheck.HostedZone]{
				name: "records of " + zone,
				see:  func(ctx context.Context) lbcheck.HostedZone { return o.Hosted(ctx, zone) },
				failed: func(at time.Time, why string) lbcheck.HostedZone {
					return lbcheck.HostedZone{Zone: zone, At: at, Failure: lookFailed + why}
				},
			}
		},
		settle: func(zone string, seen lbcheck.HostedZone) lbcheck.HostedZone {
			seen.Zone = zone
			return seen
		},
	}
}
