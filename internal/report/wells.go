package report

import (
	"fmt"
	"slices"
	"strings"

	"driftprobe/finding"
)

// well is a front with the hostnames that no incident hits.
type well struct {
	front finding.Front
	hosts []string
}

// maxFronts is how many clean fronts are listed without -v.
const maxFronts = 10

// verdictOnWells is one sentence, and the fronts that it is about.
type verdictOnWells struct {
	words string
	wells []well
}

// wells writes what is fine.
func (t *text) wells() {
	all := fine(t.report)
	if len(all) == 0 {
		if words := unproven(t.report); words != "" {
			t.line(words)
		}
		return
	}
	t.blank()
	for _, v := range all {
		t.verdict("OK", v.words)
		t.fronts(v.wells)
	}
}

// unproven is what is said if there is nothing to say; empty if there is.
func unproven(r finding.Report) string {
	if len(r.Incidents) > 0 || r.Coverage.Hosts == 0 {
		return ""
	}
	return "no fault was found with " + hostnames(r.Coverage.Hosts) + ", and none is reported to be well"
}

// fine has one verdict for the fronts whose records were compared, and one for each
// reason why others could not be.
func fine(r finding.Report) []verdictOnWells {
	var judged []well
	var reasons []string
	blind := map[string][]well{}
	for _, w := range clean(r) {
		if w.front.Drift {
			judged = append(judged, w)
			continue
		}
		if blind[w.front.Why] == nil {
			reasons = append(reasons, w.front.Why)
		}
		blind[w.front.Why] = append(blind[w.front.Why], w)
	}
	var all []verdictOnWells
	if len(judged) > 0 {
		all = append(all, verdictOnWells{compared(judged), judged})
	}
	for _, why := range reasons {
		all = append(all, verdictOnWells{uncompared(blind[why], why), blind[why]})
	}
	return all
}

// clean returns the fronts with a hostname that nothing is wrong with.
func clean(r finding.Report) []well {
	hit := map[string]bool{}
	for _, i := range r.Incidents {
		if i.Severity == finding.Info && i.State != finding.Draining {
			continue
		}
		if i.Code == finding.SelfOffline {
			return nil // nobody answers us: nothing can be called well
		}
		for _, h := range i.Hosts {
			hit[h] = true
		}
		if len(i.Hosts) == 0 && i.Subject.Name != "" {
			hit[i.Subject.Namespace+"/"+i.Subject.Name] = true
		}
	}
	var all []well
	for _, f := range r.Fronts {
		if hit[f.Name] {
			continue
		}
		w := well{front: f}
		for _, h := range f.Hosts {
			if !hit[h] {
				w.hosts = append(w.hosts, h)
			}
		}
		if len(w.hosts) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// compared is the verdict on fronts whose published addresses are the expected
// ones.
func compared(ws []well) string {
	n := distinct(ws)
	services := !slices.ContainsFunc(ws, func(w well) bool { return !strings.Contains(w.front.Name, "/") })
	switch {
	case n == 1 && services:
		return "1 hostname is published where its load balancer is, and answers"
	case n == 1:
		return "1 hostname is published where it should be, and answers"
	case services:
		return fmt.Sprintf("%d hostnames are published where their load balancers are, and answer", n)
	}
	return fmt.Sprintf("%d hostnames are published where they should be, and answer", n)
}

func uncompared(ws []well, why string) string {
	n := distinct(ws)
	verb := " answer"
	if n == 1 {
		verb = " answers"
	}
	verdict := hostnames(n) + verb + "; drift was not judged"
	if why != "" {
		verdict += ": " + Safe(why)
	}
	return verdict
}

func distinct(ws []well) int {
	seen := map[string]bool{}
	for _, w := range ws {
		for _, h := range w.hosts {
			seen[h] = true
		}
	}
	return len(seen)
}

// fronts writes one line for each: name, addresses, and what is known there.
func (t *text) fronts(ws []well) {
	shown := ws
	if !t.o.Verbose && len(ws) > maxFronts+1 {
		shown = ws[:maxFronts]
	}
	var name, address int
	for _, w := range shown {
		name = max(name, columns(Safe(w.front.Name)))
		address = max(address, columns(t.addresses(w.front)))
	}
	for _, w := range shown {
		words := []string{pad(t.addresses(w.front), min(address, 60)), t.known(w)}
		if w.front.MaxTTL > 0 {
			words = append(words, fmt.Sprintf("TTL %d", w.front.MaxTTL))
		}
		if d := w.front.CertificatesUntil.Sub(t.report.At); d > 0 && !w.front.CertificatesUntil.IsZero() {
			words = append(words, "certificates ≥ "+finding.Left(d)+" left")
		}
		t.flow("    "+pad(Safe(w.front.Name), min(name, 32))+"  ", words, "  ", 6+min(name, 32))
		if t.o.Verbose {
			t.flow("      ", safe(w.hosts), "  ", 6)
			if len(w.front.Rules) > 0 {
				t.line("      found by: " + strings.Join(safe(w.front.Rules), ", "))
			}
		}
	}
	if len(shown) < len(ws) {
		t.line(fmt.Sprintf("    … %d more (%s)", len(ws)-len(shown), t.o.rest()))
	}
}

func (t *text) addresses(f finding.Front) string {
	if t.o.Verbose {
		return strings.Join(safe(f.Addresses), ", ")
	}
	return few(safe(f.Addresses), 3)
}

func (t *text) known(w well) string {
	if len(w.hosts) < len(w.front.Hosts) {
		return fmt.Sprintf("%d of %s", len(w.hosts), hostnames(len(w.front.Hosts)))
	}
	if len(w.hosts) == 1 {
		return Safe(w.hosts[0])
	}
	return hostnames(len(w.hosts))
}
