// Package trial looks at a situation that is being served, judges it, and compares what
// was found with what the row wants. Only tests import it: ours, where the lab serves the
// rows, and those where real name servers do.
package trial

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/situation"
)

// Verdict is what is made of a row.
type Verdict struct {
	Seen dnscheck.Observation
	// Found is about the host; Zone is what a look at its zone adds.
	Found, Zone []finding.Finding
}

// Judge looks at the row's host from settings, to which it adds the servers that the row
// pins: at gives the address of a server by its number. change makes the row's Later come
// true. An error is one of change.
func Judge(ctx context.Context, s situation.Situation, settings dnscheck.Settings, at func(last byte) netip.AddrPort, change func() error) (Verdict, error) {
	settings.Servers = map[string][]netip.AddrPort{}
	for _, last := range s.Pinned {
		settings.Servers["shop.example"] = append(settings.Servers["shop.example"], at(last))
	}
	d := dnscheck.New(settings)
	defer func() { d.Close() }()
	var looks []dnscheck.Observation
	if s.Later != nil {
		looks = append(looks, d.Observe(ctx, s.Host))
		if err := change(); err != nil {
			return Verdict{}, err
		}
		if s.Restarted {
			d.Close()
			d = dnscheck.New(settings)
			d.Recall(dnscheck.History{}.Remember(looks).Servings)
		}
	}
	v := Verdict{Seen: d.Observe(ctx, s.Host)}
	looks = append(looks, v.Seen) // right after the change, if there was one
	for i := range looks {
		looks[i].At = looks[i].At.Add(-s.After)
	}
	history := dnscheck.History{}.Remember(append(looks, v.Seen))
	policy := dnscheck.Policy{MaxTTL: s.MaxTTL}
	if s.Public {
		policy.Special = ipspace.New().Special
	}
	v.Found = dnscheck.Judge(policy, time.Now(), dnscheck.Case{
		Expected: inventory.Expected{Known: s.Expected != nil, Addresses: s.Expected},
		Observed: v.Seen,
		Seen:     history.Of(v.Seen.Host),
		Denied:   history.DeniedOf(v.Seen.Host),
	})
	if first := v.Seen.Steps[0]; first.Failure.Outcome == "" {
		v.Zone = dnscheck.JudgeZone(time.Now(), d.ObserveZone(ctx, first.Zone))
	}
	v.Zone = slices.DeleteFunc(v.Zone, func(f finding.Finding) bool {
		return slices.ContainsFunc(v.Found, func(g finding.Finding) bool { return f.ID() == g.ID() })
	})
	return v, nil
}

// Faults says where the findings are not those that the row wants: all that are made are
// wanted, and all that are wanted are made. None if it is right.
func (v Verdict) Faults(s situation.Situation) []string {
	return append(mismatches(s.Want, v.Found), mismatches(s.Zone, v.Zone)...)
}

func mismatches(want []lab.Want, found []finding.Finding) []string {
	var faults []string
	left := make([]int, len(want))
	for i, w := range want {
		left[i] = max(1, w.Count)
	}
	for _, f := range found {
		at := 0
		for at < len(want) && (left[at] == 0 || !meets(want[at], f)) {
			at++
		}
		if at == len(want) {
			faults = append(faults, "not wanted, or not so:\n"+Text(f))
			continue
		}
		left[at]--
	}
	for i, w := range want {
		if left[i] > 0 {
			faults = append(faults, fmt.Sprintf("%s %s %q with %q is wanted %d more times", w.Severity, w.Code, w.Subject, w.Texts, left[i]))
		}
	}
	return faults
}

func meets(w lab.Want, f finding.Finding) bool {
	subject := fmt.Sprintf("%+v", f.Subject)
	said := strings.Join([]string{f.Summary, f.Expected, f.Observed, f.Hint}, "\n")
	lacks := func(text string) func(string) bool {
		return func(part string) bool { return !strings.Contains(text, part) }
	}
	return string(f.Code) == w.Code && f.Severity.String() == w.Severity &&
		!slices.ContainsFunc(w.Subject, lacks(subject)) && !slices.ContainsFunc(w.Texts, lacks(said))
}

// Text writes findings for a person who reads a test's log.
func Text(fs ...finding.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "  %s %s %+v\n    %s\n    expected %s\n    observed %s\n    hint %s\n", f.Severity, f.Code, f.Subject, f.Summary, f.Expected, f.Observed, f.Hint)
	}
	return b.String()
}
