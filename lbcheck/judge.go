package lbcheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// Policy is what the operator accepts.
type Policy struct {
	// ReplacedFor is how long a replacement stays worth telling by itself; 0 means an
	// hour.
	ReplacedFor time.Duration
	// PendingFor is how long a new Service may be without an address; 0 means five
	// minutes.
	PendingFor time.Duration
}

// Judge looks at the load balancers themselves and at the sources that tell of
// them. It is pure. expected has one entry a target: it tells which Services are
// in use, and which older addresses the targets' own objects still name.
func Judge(p Policy, now time.Time, w World, fronts map[inventory.ServiceRef]Front, expected []*inventory.Expected) []finding.Finding {
	fs := slices.Concat(judgeSources(now, w), judgeEmptied(now, w), judgeSlipped(now, w, fronts), judgeNotices(w.Inventory.Notices), w.judgeOrphans(now))
	_, blind := w.gap()
	older := map[inventory.ServiceRef][]netip.Addr{}
	used := map[inventory.ServiceRef]bool{}
	for _, e := range expected {
		used[e.Service] = true
		older[e.Service] = union(older[e.Service], w.lostBy(e.Service, e))
		for _, ref := range e.Others {
			used[ref] = true
			older[ref] = union(older[ref], w.lostBy(ref, e))
		}
	}
	for _, ref := range refs(fronts) {
		f := fronts[ref]
		switch {
		case (f.Absent || f.Service.Deleting) && !used[ref]:
			// A Service that is removed and fronts nothing is no loss.
		case f.Lost && !used[ref] && w.Inventory.Shard.Partial():
			// Its hosts may be in another shard, and only who looks at them knows whether
			// it still answers.
		case f.Absent || f.Lost || f.Service.Deleting:
			fs = append(fs, w.missing(now, f))
		case len(f.Addresses)+len(f.Uncertain) == 0:
			if pending := judgePending(p, now, f); pending != nil {
				fs = append(fs, *pending)
			}
		case len(f.Uncertain) > 0 && f.Balancer != nil && f.Known && !blind && !f.Outdated:
			// Two fresh sources disagree; a held one is no witness.
			fs = append(fs, mismatch(f))
		}
		if used[ref] && !f.Absent && !f.Service.Deleting {
			if u := unhealthy(f); u != nil {
				fs = append(fs, *u)
			}
		}
		if c := w.contested(f); c != nil && !blind {
			fs = append(fs, *c)
		}
		if r := replaced(p, now, f, w.History.Of(ref), older[ref]); r != nil {
			fs = append(fs, *r)
		}
	}
	finding.Sort(fs)
	return fs
}

// judgeSources makes one finding for each source with holes, however many: what
// is missing may change while the source is down.
func judgeSources(now time.Time, w World) []finding.Finding {
	var fs []finding.Finding
	joined := map[finding.ID][]inventory.Gap{}
	for _, g := range w.Inventory.Gaps {
		f := degraded(g.Source, g.What, g.Why, g.Hint, g.Held)
		switch {
		case g.Bound:
			f.Code, f.Summary = finding.SelfOverLimit, fmt.Sprintf("%s: %s are left out: %s", g.Source, g.What, g.Why)
			f.Expected, f.Observed = "all that the cluster declares", g.What+" are not looked at"
		case neverRead(g):
			f.Code = finding.SelfSourceUnread
		}
		if g.Held && !g.Since.IsZero() {
			f.Observed += ", as of " + finding.Clock(g.Since, now)
		}
		if len(g.Resources) > 0 && !slices.ContainsFunc(g.Resources, needed) {
			f.Severity = finding.Info
		}
		joined[f.ID()] = append(joined[f.ID()], g)
		i := slices.IndexFunc(fs, func(o finding.Finding) bool { return o.ID() == f.ID() })
		if i < 0 {
			fs = append(fs, f)
			continue
		}
		fs[i].Severity = max(fs[i].Severity, f.Severity)
		if g.Bound {
			fs[i].Summary += "; " + g.What + ": " + g.Why
		} else {
			fs[i].Summary = unreadText(joined[f.ID()])
		}
		fs[i].Expected = "complete lists of all that is read"
		fs[i].Observed = addPart(fs[i].Observed, "; ", f.Observed)
		fs[i].Hint = addPart(fs[i].Hint, "\n", f.Hint)
	}
	for _, c := range w.Clouds {
		if c.Failure != "" {
			f := degraded(c.Provider, "load balancers", c.Failure, c.FailureHint, !c.At.IsZero())
			if !c.At.IsZero() {
				f.Observed += ", as of " + finding.Clock(c.At, now)
			}
			fs = append(fs, f)
		}
	}
	return fs
}

// addPart adds a text to others of its kind, unless it is the same as the last.
func addPart(texts, between, text string) string {
	switch {
	case texts == "":
		return text
	case text == "", texts == text, strings.HasSuffix(texts, between+text):
		return texts
	}
	return texts + between + text
}

// unreadText says what a source did not give: what has one reason is told together.
func unreadText(gaps []inventory.Gap) string {
	var whys []string
	kinds := map[string][]string{}
	for _, g := range gaps {
		if kinds[g.Why] == nil {
			whys = append(whys, g.Why)
		}
		kinds[g.Why] = append(kinds[g.Why], g.What)
	}
	text := gaps[0].Source + ":"
	for i, why := range whys {
		what := finding.List(kinds[why], 3)
		if len(kinds[why]) > 3 {
			what = finding.List(kinds[why], 2) + " kinds"
		}
		if i == 0 {
			text += " " + what + " could not be read: " + why
		} else {
			text += "; " + what + ": " + why
		}
	}
	return text
}

// Unread names the kinds of objects that a source never gave ("httproutes", "ingresses in
// namespace shop"): hosts may be missing.
func Unread(inv inventory.Inventory, source string) []string {
	var kinds []string
	for _, g := range inv.Gaps {
		if g.Source == source && neverRead(g) {
			kinds = append(kinds, g.What)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// neverRead tells whether a gap lost nothing that was known. Without Services nothing is.
func neverRead(g inventory.Gap) bool {
	return !g.Held && !g.Bound && !g.Covers("services") && slices.ContainsFunc(g.Resources, needed)
}

// needed tells whether something is unknown without the resource. Classes only
// help to find the Service of a host, and a host that is left without one says so
// itself; endpoints only explain what is seen from outside, and what orders certificates
// how they may be lost.
func needed(resource string) bool {
	return !slices.Contains([]string{
		"ingressclasses", "gatewayclasses", "endpointslices",
		"deployments", "statefulsets", "daemonsets", "horizontalpodautoscalers", "pods", "configmaps", "certificaterequests", "orders",
	}, resource)
}

// lostBy are the former addresses of a target that were this Service's: all of
// them, unless it has another front.
func (w *World) lostBy(ref inventory.ServiceRef, e *inventory.Expected) []netip.Addr {
	if len(e.Others) == 0 {
		return e.Former
	}
	had := w.former()[ref]
	return without(e.Former, without(e.Former, had))
}

func degraded(source, what, why, hint string, held bool) finding.Finding {
	f := finding.Finding{
		Code: finding.SelfSourceDegraded, Severity: finding.Unknown,
		Subject:  finding.Subject{Source: source},
		Summary:  fmt.Sprintf("%s: %s could not be read: %s", source, what, why),
		Expected: "a complete list of " + what,
		Observed: why,
		Hint:     cmp.Or(hint, "look at our rights, the token and the address of "+source),
	}
	if held {
		f.Observed += "; the last complete list is held"
	}
	return f
}

func subject(f Front) finding.Subject {
	return finding.Subject{Namespace: f.Service.Namespace, Name: f.Service.Name}
}

// proven tells whether the clouds' lists have ever had this cluster's balancers: of
// another Service now, or this very one before. A token of another account gives a
// complete list too, in which nothing of ours is.
func (w *World) proven(s inventory.Service) bool {
	if slices.ContainsFunc(w.History.Of(s.ServiceRef), func(h Sighting) bool { return h.Balancer != "" }) {
		return true
	}
	return slices.ContainsFunc(w.Inventory.Services, func(o inventory.Service) bool {
		_, _, found := w.find(o)
		return found
	})
}

// stillThere names the balancer that a Service had, if a list of this moment has it:
// one that is gone with its Service takes a while, one that was disowned stays.
func (w *World) stillThere(seen []Sighting) string {
	if len(seen) == 0 || seen[0].Balancer == "" {
		return ""
	}
	for _, c := range w.Clouds {
		if c.Failure == "" && c.At.After(seen[0].LastSeen) &&
			slices.ContainsFunc(c.Balancers, func(b Balancer) bool { return b.ID == seen[0].Balancer }) {
			return fmt.Sprintf("; its load balancer %s is still in the list of %s", seen[0].Balancer, c.Provider)
		}
	}
	return ""
}

func (w *World) missing(now time.Time, f Front) finding.Finding {
	seen := w.History.Of(f.Service.ServiceRef)
	out := finding.Finding{
		Code: finding.LBMissing, Severity: finding.Critical, Subject: subject(f),
		Summary:  fmt.Sprintf("the Service %s is gone, and its load balancer with it", f.Service),
		Expected: "a Service of type LoadBalancer with a load balancer",
		Observed: "no such Service",
		Hint:     "create the Service again; the new load balancer will have another address, so correct the records then",
	}
	switch {
	case f.Lost:
		out.Summary = fmt.Sprintf("the cloud has no load balancer for the Service %s", f.Service)
		out.Expected = "the load balancer " + f.Service.BalancerID
		out.Observed = "it is not in the cloud's complete list; Service.status still says " + list(f.Service.Addresses)
		out.Hint = "touch the Service (any annotation) so that the cloud controller makes a new load balancer, then point the records at its address"
		if f.Service.Disowned {
			out.Hint = "the Service is disowned, so the controller makes no new one: remove the annotation service.kubernetes.io/do-loadbalancer-disown, then point the records at the new address"
		}
		if !w.proven(f.Service) {
			out.Severity = finding.Warning
			out.Observed += "; no load balancer of this cluster was ever in that list"
			out.Hint = "see whether the token is of the account or team that this cluster is in; if it is, touch the Service (any annotation) so that the cloud controller makes a new load balancer, then point the records at its address"
		}
	case f.Service.Deleting:
		out.Summary = fmt.Sprintf("the Service %s is being deleted, and its load balancer with it", f.Service)
		out.Observed = "the Service has a deletion timestamp"
		out.Hint = "if this is not meant, create it again as soon as it is gone; the new load balancer will have another address"
	}
	if !f.Lost && f.Service.Disowned {
		out.Summary = fmt.Sprintf("the Service %s is being deleted; its load balancer is disowned and stays", f.Service)
		out.Hint = "nobody keeps its backends up to date any more: point the records at what takes over, then delete it in the cloud"
	}
	if len(seen) > 0 {
		out.Observed += fmt.Sprintf("; its last address was %s, seen until %s", seen[0].Address, finding.Clock(seen[0].LastSeen, now))
	}
	if f.Absent {
		out.Observed += w.stillThere(seen)
	}
	return out
}

func judgePending(p Policy, now time.Time, f Front) *finding.Finding {
	if f.Why != "" && len(f.Service.Hostnames) > 0 {
		return nil // a hostname that does not resolve is the DNS's finding
	}
	out := &finding.Finding{
		Code: finding.LBPending, Severity: finding.Warning, Subject: subject(f),
		Summary:  fmt.Sprintf("the load balancer of %s has no address", f.Service),
		Expected: "an address in Service.status.loadBalancer",
		Observed: "none",
		Hint:     fmt.Sprintf("kubectl -n %s describe service %s", f.Service.Namespace, f.Service.Name),
	}
	if created := f.Service.Created; !created.IsZero() {
		age := now.Sub(created)
		out.Observed = fmt.Sprintf("none for %s", finding.Span(age))
		if age < cmp.Or(p.PendingFor, 5*time.Minute) {
			out.Severity = finding.Info
		}
	}
	if b := f.Balancer; b != nil {
		out.Observed += fmt.Sprintf("; %s says that its load balancer %s is %s", f.Provider, b.ID, b.Status)
		if b.Status == errored {
			out.Severity = finding.Warning
		}
	}
	return out
}

func mismatch(f Front) finding.Finding {
	out := finding.Finding{
		Code: finding.LBAddressMismatch, Severity: finding.Warning, Subject: subject(f),
		Summary:  fmt.Sprintf("Kubernetes and %s disagree about the address of %s", f.Provider, f.Service),
		Expected: fmt.Sprintf("%s has %s (load balancer %s)", f.Provider, list(f.Balancer.Addresses), f.Balancer.ID),
		Observed: "Service.status says " + list(f.Service.Addresses),
		Hint:     "touch the Service (any annotation) so that the cloud controller writes its status again",
	}
	if f.Service.Disowned {
		out.Hint = "the Service is disowned, so nobody writes its status: remove the annotation service.kubernetes.io/do-loadbalancer-disown, or delete the Service where it is not used"
	}
	return out
}

// replaced tells of a balancer that has an address now and had others before:
// from the history, or from an object whose status still names the older one.
func replaced(p Policy, now time.Time, f Front, seen []Sighting, older []netip.Addr) *finding.Finding {
	if len(f.Addresses) == 0 || len(older) == 0 {
		return nil
	}
	// What the history saw the balancer lose longer ago than this is old news; what
	// only an object's status names has no date and is news.
	var news []netip.Addr
	var since time.Time
	for _, a := range older {
		i := slices.IndexFunc(seen, func(s Sighting) bool { return s.Address == a })
		if i < 0 || now.Sub(seen[i].LastSeen) < cmp.Or(p.ReplacedFor, time.Hour) {
			news = append(news, a)
		}
	}
	if len(news) == 0 {
		return nil
	}
	for _, s := range seen {
		if slices.Contains(f.Addresses, s.Address) && s.FirstSeen.After(since) {
			since = s.FirstSeen
		}
	}
	out := &finding.Finding{
		Code: finding.LBReplaced, Severity: finding.Info, Subject: subject(f),
		Summary:  fmt.Sprintf("the load balancer of %s has another address: %s instead of %s", f.Service, list(f.Addresses), list(news)),
		Expected: "the address it had: " + list(news),
		Observed: list(f.Addresses),
		Hint:     "point the names behind it at the new address",
	}
	if hist := slices.ContainsFunc(seen, func(s Sighting) bool { return slices.Contains(news, s.Address) }); hist && !since.IsZero() {
		out.Observed += ", first seen at " + finding.Clock(since, now)
	}
	return out
}

func refs(fronts map[inventory.ServiceRef]Front) []inventory.ServiceRef {
	all := make([]inventory.ServiceRef, 0, len(fronts))
	for ref := range fronts {
		all = append(all, ref)
	}
	slices.SortFunc(all, compareRefs)
	return all
}

func list(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "no address"
	}
	var words []string
	for _, a := range addrs {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}
