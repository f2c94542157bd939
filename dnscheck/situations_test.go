package dnscheck_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/situation"
)

const (
	// lookTime bounds one look. Silent servers cost most of it.
	lookTime = 9 * time.Second
	// atOnce is how many situations run side by side: they wait more than they work.
	atOnce = 20
)

// verdict is what is found in a situation.
type verdict struct {
	seen  dnscheck.Observation
	found []finding.Finding
	// zone is what a look at the host's zone adds.
	zone []finding.Finding
	err  error
}

// TestSituations serves each row of the table over real sockets, looks at it and
// judges: all findings that are made are wanted, and all that are wanted are made.
func TestSituations(t *testing.T) {
	t.Parallel()
	rows := situation.All()
	if len(rows) < 80 {
		t.Errorf("%d situations, want at least 80", len(rows))
	}
	verdicts := make([]chan verdict, len(rows))
	turns := make(chan struct{}, atOnce)
	for i := range rows {
		verdicts[i] = make(chan verdict, 1)
	}
	go func() {
		// Those in which servers may be silent take longest, and so begin first.
		for _, faulty := range []bool{true, false} {
			for i, s := range rows {
				if (len(s.Faults) > 0) == faulty {
					turns <- struct{}{}
					go func() {
						defer func() { <-turns }()
						verdicts[i] <- judgeSituation(t.Context(), s)
					}()
				}
			}
		}
	}()
	names := map[string]bool{}
	for i, s := range rows {
		t.Run(s.Name, func(t *testing.T) {
			if names[s.Name] || s.Refs == "" || s.Clients == "" {
				t.Errorf("the row has a name of its own: %t, references %q, and clients see %q", !names[s.Name], s.Refs, s.Clients)
			}
			names[s.Name] = true
			v := <-verdicts[i]
			if v.err != nil {
				t.Fatal(v.err)
			}
			for _, fault := range append(mismatches(s.Want, v.found), mismatches(s.Zone, v.zone)...) {
				t.Error(fault)
			}
			if t.Failed() {
				t.Logf("found:\n%sand about the zone:\n%sobserved:\n%s%s", findingTexts(v.found), findingTexts(v.zone), told(v.seen), resolverText(v.seen))
			}
		})
	}
}

// judgeSituation runs one row.
func judgeSituation(ctx context.Context, s situation.Situation) (v verdict) {
	n, err := lab.RandomNet()
	if err != nil {
		return verdict{err: err}
	}
	w, err := s.Start(n, 0)
	if err != nil {
		return verdict{err: err}
	}
	defer func() {
		if err := w.Close(); err != nil && v.err == nil {
			v.err = err
		}
	}()
	settings := dnscheck.Settings{Port: w.Tree.Port(), Timeout: lookTime, Servers: map[string][]netip.AddrPort{}}
	for _, root := range w.Tree.Roots() {
		settings.Roots = append(settings.Roots, netip.AddrPortFrom(root, w.Tree.Port()))
	}
	for _, last := range s.Pinned {
		settings.Servers["shop.example"] = append(settings.Servers["shop.example"], netip.AddrPortFrom(n.Addr(last), w.Tree.Port()))
	}
	if w.Resolver != nil {
		settings.Resolvers = append(settings.Resolvers, w.Resolver.Addr())
	}
	d := dnscheck.New(settings)
	defer d.Close()
	var looks []dnscheck.Observation
	if s.Later != nil {
		looks = append(looks, d.Observe(ctx, s.Host))
		if v.err = w.Change(); v.err != nil {
			return v
		}
	}
	v.seen = d.Observe(ctx, s.Host)
	looks = append(looks, v.seen) // right after the change, if there was one
	for i := range looks {
		looks[i].At = looks[i].At.Add(-s.After)
	}
	history := dnscheck.History{}.Remember(append(looks, v.seen))
	c := dnscheck.Case{
		Expected: inventory.Expected{Known: s.Expected != nil, Addresses: s.Expected},
		Observed: v.seen,
		Seen:     history.Of(v.seen.Host),
		Denied:   history.DeniedOf(v.seen.Host),
	}
	policy := dnscheck.Policy{MaxTTL: s.MaxTTL}
	if s.Public {
		policy.Special = ipspace.New().Special
	}
	v.found = dnscheck.Judge(policy, time.Now(), c)
	if first := v.seen.Steps[0]; first.Failure.Outcome == "" {
		v.zone = dnscheck.JudgeZone(time.Now(), d.ObserveZone(ctx, first.Zone))
	}
	v.zone = slices.DeleteFunc(v.zone, func(f finding.Finding) bool {
		return slices.ContainsFunc(v.found, func(g finding.Finding) bool { return f.ID() == g.ID() })
	})
	return v
}

// mismatches says where the findings are not those wanted.
func mismatches(want []situation.Want, found []finding.Finding) []string {
	var faults []string
	left := make(map[int]int, len(want))
	for i, w := range want {
		left[i] = max(1, w.Count)
	}
	for _, f := range found {
		met := false
		for i, w := range want {
			if met = left[i] > 0 && meets(w, f); met {
				left[i]--
				break
			}
		}
		if !met {
			faults = append(faults, fmt.Sprintf("%s %s %v is not wanted, or not so", f.Severity, f.Code, f.Subject))
		}
	}
	for i, w := range want {
		if left[i] > 0 {
			faults = append(faults, fmt.Sprintf("%s %s %q with %q is wanted %d more times", w.Severity, w.Code, w.Subject, w.Texts, left[i]))
		}
	}
	return faults
}

func meets(w situation.Want, f finding.Finding) bool {
	subject := fmt.Sprintf("%+v", f.Subject)
	said := strings.Join([]string{f.Summary, f.Expected, f.Observed, f.Hint}, "\n")
	for _, part := range w.Subject {
		if !strings.Contains(subject, part) {
			return false
		}
	}
	for _, text := range w.Texts {
		if !strings.Contains(said, text) {
			return false
		}
	}
	return string(f.Code) == w.Code && f.Severity.String() == w.Severity
}

func findingTexts(fs []finding.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "  %s %s %+v\n    %s\n    expected %s\n    observed %s\n    hint %s\n", f.Severity, f.Code, f.Subject, f.Summary, f.Expected, f.Observed, f.Hint)
	}
	return b.String()
}

// TestEveryCodeHasASituation keeps the table as wide as the catalogue.
func TestEveryCodeHasASituation(t *testing.T) {
	wanted := map[string]bool{}
	for _, s := range situation.All() {
		for _, w := range append(s.Want, s.Zone...) {
			wanted[w.Code] = true
		}
	}
	for _, e := range finding.Catalogue() {
		if e.Code.Family() == "dns" && !wanted[string(e.Code)] {
			t.Errorf("no situation wants %s", e.Code)
		}
	}
}
