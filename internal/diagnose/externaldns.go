package diagnose

import (
	"fmt"
	"net/netip"
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// publisher is the cluster object by whose annotations external-dns writes the host's
// records.
func (h *host) publisher() inventory.Declaration {
	if len(h.targets) == 1 {
		return inventory.Publisher(h.targets[0].Declarations)
	}
	var all []inventory.Declaration
	for _, t := range h.targets {
		all = append(all, t.Declarations...)
	}
	return inventory.Publisher(all)
}

// externalDNS says which of the records to be corrected are external-dns's: as long as
// it does not do its work, or is told something else, it undoes a correction by hand.
func (v *view) externalDNS(wrong []finding.Finding) []finding.Step {
	var told, silent []string
	for _, f := range wrong {
		h := v.of(f.Subject.Host)
		d := h.publisher()
		if d.ExternalDNS == "" || f.Record == nil || f.Record.Owner != h.name {
			continue
		}
		if slices.ContainsFunc(d.RecordAddresses, func(a netip.Addr) bool { return !h.expected.Accepts(a) }) {
			told = append(told, fmt.Sprintf("%starget of %s", d.ExternalDNS, d.PointsAt()))
		} else {
			silent = append(silent, d.Object)
		}
	}
	slices.Sort(told)
	slices.Sort(silent)
	var steps []finding.Step
	if told = slices.Compact(told); len(told) > 0 {
		steps = append(steps, finding.Step{Text: fmt.Sprintf("correct %s: external-dns publishes the address that stands there", finding.List(told, 3))})
	}
	if silent = slices.Compact(silent); len(silent) > 0 {
		steps = append(steps, finding.Step{Text: fmt.Sprintf("external-dns should have done so: see its log (%s %s annotated for it)", finding.List(silent, 3), plural(len(silent), "is", "are"))})
	}
	return steps
}
