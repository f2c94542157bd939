package lbcheck

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// JudgeChange says which load balancers the cloud would replace if what is declared in
// after took the place of before: the records that point at them are wrong from then on.
// Only Services of type LoadBalancer in before matter. A Service that is missing in after
// counts as deleted; so before should hold no others than those that are deployed together
// with after. risk tells what hangs on each.
func JudgeChange(before, after []inventory.Balanced, risk func(inventory.ServiceRef) inventory.Risk) []finding.Finding {
	var all []finding.Finding
	for _, b := range before {
		if b.Type != balancerType {
			continue
		}
		if how, severity, at := loses(b, after); how != "" {
			all = append(all, willMove(b, how, severity, at, risk(b.ServiceRef)))
		}
	}
	finding.Sort(all)
	return all
}

const balancerType = "LoadBalancer"

// loses says how a Service loses its load balancer, and where that is declared; "" if it
// keeps it. It is a warning where only the cloud knows whether it does.
func loses(b inventory.Balanced, after []inventory.Balanced) (string, finding.Severity, inventory.Balanced) {
	n := slices.IndexFunc(after, func(a inventory.Balanced) bool { return a.ServiceRef == b.ServiceRef })
	if n < 0 {
		for _, a := range after {
			if a.Type == balancerType && a.Selector == b.Selector && b.Selector != "" {
				return fmt.Sprintf("it is deleted, and %s, which selects the same pods, gets a load balancer of its own", printable(a.String())), finding.Critical, a
			}
		}
		return "it is deleted", finding.Critical, b
	}
	a := after[n]
	switch {
	case a.Type != balancerType:
		return "its type becomes " + cmp.Or(printable(a.Type), "ClusterIP"), finding.Critical, a
	case a.Class != b.Class:
		return fmt.Sprintf("its loadBalancerClass becomes «%s»: another controller makes another load balancer", printable(a.Class)), finding.Critical, a
	case a.BalancerID != b.BalancerID && a.BalancerID != "" && b.BalancerID != "":
		return fmt.Sprintf("it is told to use the load balancer %s in place of %s", printable(a.BalancerID), printable(b.BalancerID)), finding.Critical, a
	case a.BalancerID == "" && b.BalancerID != "" && b.File != "": // in a cluster the controller writes it
		return fmt.Sprintf("it is not told any more to use the load balancer %s, which stays only if it was made for this Service", printable(b.BalancerID)), finding.Warning, a
	}
	return "", finding.Info, a
}

func willMove(b inventory.Balanced, how string, severity finding.Severity, at inventory.Balanced, r inventory.Risk) finding.Finding {
	f := finding.Finding{
		Code: finding.LBWillMove, Severity: severity,
		Subject:  finding.Subject{Namespace: b.Namespace, Name: b.Name},
		Summary:  fmt.Sprintf("this gives up the load balancer of %s, and its address", printable(b.String())),
		Expected: "the load balancer that is there now",
		Observed: how,
		Hint:     "keep namespace, name and type of the Service; or lower the TTL of the records first, and correct them as soon as the new address is known",
		Line:     at.Line,
	}
	if severity < finding.Critical {
		f.Summary = fmt.Sprintf("this may give up the load balancer of %s, and its address", printable(b.String()))
		f.Hint = "see for whom it was made: the cloud controller names a load balancer after the uid of its Service; if it was not this one, leave the annotation"
	}
	if at.File != "" {
		f.SeenAt = []string{at.File}
	}
	if len(r.Addresses) > 0 {
		f.Observed += ": it leaves " + finding.List(r.Addresses, 4)
	}
	switch {
	case len(r.Hosts) > 0 && r.MaxTTL > 0:
		f.Observed += fmt.Sprintf("; %s lead to it (%s), TTL %d s: clients fail for up to %s after the records are corrected",
			finding.Count(len(r.Hosts), "hostname", "hostnames"), finding.List(r.Hosts, 5), r.MaxTTL, finding.Span(time.Duration(r.MaxTTL)*time.Second))
	case len(r.Hosts) > 0:
		f.Observed += fmt.Sprintf("; %s lead to it: %s", finding.Count(len(r.Hosts), "hostname", "hostnames"), finding.List(r.Hosts, 5))
	}
	return f
}

func printable(s string) string { return finding.Printable(s, 253) }
