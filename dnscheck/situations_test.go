package dnscheck_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/situation"
	"driftprobe/internal/trial"
)

const (
	// lookTime bounds one look where a server may be silent, which costs most of it.
	lookTime = 12 * time.Second
	// atOnce is how many situations run side by side: they wait more than they work.
	atOnce = 20
)

// verdict is what is found in a situation, or why it could not be served.
type verdict struct {
	trial.Verdict
	err error
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
			for _, fault := range v.Faults(s) {
				t.Error(fault)
			}
			if t.Failed() {
				t.Logf("found:\n%sand about the zone:\n%sobserved:\n%s%s", findingTexts(v.Found), findingTexts(v.Zone), told(v.Seen), resolverText(v.Seen))
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
	settings := dnscheck.Settings{Port: w.Tree.Port(), Timeout: realmTime}
	if len(s.Faults) > 0 || s.Recursive != nil && s.Recursive.Fault != nil {
		settings.Timeout = lookTime
	}
	for _, root := range w.Tree.Roots() {
		settings.Roots = append(settings.Roots, netip.AddrPortFrom(root, w.Tree.Port()))
	}
	if w.Resolver != nil {
		settings.Resolvers = append(settings.Resolvers, w.Resolver.Addr())
	}
	at := func(last byte) netip.AddrPort { return netip.AddrPortFrom(n.Addr(last), w.Tree.Port()) }
	v.Verdict, v.err = trial.Judge(ctx, s, settings, at, w.Change)
	return v
}

func findingTexts(fs []finding.Finding) string { return trial.Text(fs...) }

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
