package test

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	findings "driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/situation"
	"driftprobe/test/world"
)

// labNet is the network of a test, as the lab names it.
func labNet(n world.Net) lab.Net {
	b := n.Addr(0).As4()
	return lab.NewNet(b[1], b[2])
}

// startSituation serves the row by the lab, on port 53 or, with 0, on a free one.
func startSituation(t *testing.T, s situation.Situation, n world.Net, port uint16) *situation.World {
	t.Helper()
	var w *situation.World
	// A process that another test starts has our sockets until it is itself, so a
	// port that was closed a moment ago can be in use.
	err := world.Poll(t, 10*time.Second, func(context.Context) (err error) {
		w, err = s.Start(labNet(n), port)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// judged is what driftprobe makes of a row.
type judged struct {
	seen dnscheck.Observation
	// found is about the host, and zone is what a look at its zone adds.
	found, zone []findings.Finding
}

// judge looks at the row's host in a network whose servers run, and judges; limit
// bounds each look. change makes the row's Later come true.
func judge(t *testing.T, s situation.Situation, n world.Net, limit time.Duration, resolvers []netip.AddrPort, change func() error) judged {
	t.Helper()
	ctx := t.Context()
	settings := dnscheck.Settings{
		Roots: []netip.AddrPort{netip.AddrPortFrom(n.Addr(1), 53)}, Timeout: limit,
		Resolvers: resolvers, Servers: map[string][]netip.AddrPort{},
	}
	for _, last := range s.Pinned {
		settings.Servers["shop.example"] = append(settings.Servers["shop.example"], netip.AddrPortFrom(n.Addr(last), 53))
	}
	d := dnscheck.New(settings)
	defer d.Close()
	var looks []dnscheck.Observation
	if s.Later != nil {
		looks = append(looks, d.Observe(ctx, s.Host))
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	j := judged{seen: d.Observe(ctx, s.Host)}
	looks = append(looks, j.seen)
	for i := range looks {
		looks[i].At = looks[i].At.Add(-s.After)
	}
	history := dnscheck.History{}.Remember(append(looks, j.seen))
	policy := dnscheck.Policy{MaxTTL: s.MaxTTL}
	if s.Public {
		policy.Special = ipspace.New().Special
	}
	j.found = dnscheck.Judge(policy, time.Now(), dnscheck.Case{
		Expected: inventory.Expected{Known: !s.Unmapped, Addresses: s.Expected},
		Observed: j.seen,
		Seen:     history.Of(j.seen.Host),
		Denied:   history.DeniedOf(j.seen.Host),
	})
	if first := j.seen.Steps[0]; first.Failure.Outcome == "" {
		j.zone = dnscheck.JudgeZone(time.Now(), d.ObserveZone(ctx, first.Zone))
	}
	j.zone = slices.DeleteFunc(j.zone, func(f findings.Finding) bool {
		return slices.ContainsFunc(j.found, func(g findings.Finding) bool { return f.ID() == g.ID() })
	})
	return j
}

// wantVerdict fails the test unless exactly the findings that the row wants were made.
func wantVerdict(t *testing.T, s situation.Situation, j judged) {
	t.Helper()
	wantFindings(t, s.Want, j.found)
	wantFindings(t, s.Zone, j.zone)
	if t.Failed() {
		t.Logf("observed:\n%s", indent(j.seen))
	}
}

func wantFindings(t *testing.T, want []situation.Want, found []findings.Finding) {
	t.Helper()
	left := make([]int, len(want))
	for i, w := range want {
		left[i] = cmp.Or(w.Count, 1)
	}
found:
	for _, f := range found {
		for i, w := range want {
			if left[i] > 0 && meets(f, w) {
				left[i]--
				continue found
			}
		}
		t.Errorf("not wanted, or not so: %s", findingText(f))
	}
	for i, w := range want {
		if left[i] > 0 {
			t.Errorf("not found: %s %s %q %q", w.Severity, w.Code, w.Subject, w.Texts)
		}
	}
}

func meets(f findings.Finding, w situation.Want) bool {
	has := func(text string, parts []string) bool {
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return true
	}
	return string(f.Code) == w.Code && f.Severity.String() == w.Severity && has(fmt.Sprintf("%+v", f.Subject), w.Subject) &&
		has(strings.Join([]string{f.Summary, f.Expected, f.Observed, f.Hint}, "\n"), w.Texts)
}

func findingText(f findings.Finding) string {
	return fmt.Sprintf("%s %s %+v: %s (observed %s; hint %s)", f.Severity, f.Code, f.Subject, f.Summary, f.Observed, f.Hint)
}
