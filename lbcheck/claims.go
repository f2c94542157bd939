package lbcheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// settleFor is how long a balancer may be without a Service that names it: the
// controller makes it first and writes its id afterwards, and deletes it before it
// lets a Service go.
const settleFor = 10 * time.Minute

// clusterTags are the clusters that a balancer is tagged for: "k8s:" and the
// cluster's UUID, as DigitalOcean's controller writes them, sorted.
func clusterTags(b Balancer) []string {
	var tags []string
	for _, t := range b.Tags {
		if id, ok := strings.CutPrefix(strings.ToLower(t), "k8s:"); ok && isUUID(id) {
			tags = append(tags, "k8s:"+id)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// isUUID tells whether the text has the form of RFC 9562 section 4. The workers of a
// cluster are tagged k8s:worker too.
func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i, b := range []byte(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := b >= '0' && b <= '9' || b >= 'a' && b <= 'f'
		if dash != (b == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// claims tells whether the controller takes the balancer for the Service's.
func claims(s inventory.Service, b Balancer) bool {
	return s.BalancerID == b.ID || s.BalancerName != "" && s.BalancerName == b.Name
}

// orphans are the balancers that are tagged for this cluster and owned by no Service
// of it, sorted. None is named unless it is certain.
func (w *World) orphans() []Balancer {
	if _, blind := w.gap(); blind || !w.Inventory.Whole || w.failing() != "" {
		return nil
	}
	all := slices.Concat(w.Inventory.Services, w.Inventory.LeftAlone)
	ours := map[string]bool{}
	for _, c := range w.Clouds {
		for _, b := range c.Balancers {
			// With the tags of two clusters nobody can say which is ours.
			if tags := clusterTags(b); len(tags) == 1 && slices.ContainsFunc(all, func(s inventory.Service) bool { return s.BalancerID == b.ID }) {
				ours[tags[0]] = true
			}
		}
	}
	var found []Balancer
	for _, c := range w.Clouds {
		for _, b := range c.Balancers {
			tags := clusterTags(b)
			lately := func(s Sighting) bool { return s.Balancer == b.ID && c.At.Sub(s.LastSeen) < settleFor }
			switch {
			case len(tags) != 1 || !ours[tags[0]],
				slices.ContainsFunc(all, func(s inventory.Service) bool { return claims(s, b) }),
				b.Created.IsZero() || c.At.Sub(b.Created) < settleFor,
				slices.ContainsFunc(w.History.Sightings, lately),
				slices.ContainsFunc(found, func(o Balancer) bool { return o.ID == b.ID }):
				continue
			}
			found = append(found, b)
		}
	}
	slices.SortStableFunc(found, func(a, b Balancer) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// Orphan tells whether the cloud's balancer is tagged for this cluster and certainly
// owned by no Service of it.
func (w *World) Orphan(id string) bool {
	return slices.ContainsFunc(w.orphans(), func(b Balancer) bool { return b.ID == id })
}

func (w *World) judgeOrphans(now time.Time) []finding.Finding {
	var fs []finding.Finding
	for _, b := range w.orphans() {
		fs = append(fs, finding.Finding{
			Code: finding.LBOrphan, Severity: finding.Info, Subject: finding.Subject{Name: b.ID},
			Summary:  fmt.Sprintf("the load balancer %q (%s) is tagged for this cluster, and no Service owns it", b.Name, list(b.Addresses)),
			Expected: "a Service that names it, or no such load balancer",
			Observed: fmt.Sprintf("load balancer %s, %s, since %s, tagged %s", b.ID, b.Status, finding.Clock(b.Created, now), clusterTags(b)[0]),
			Hint:     fmt.Sprintf("see that no record points at %s, then delete it: doctl compute load-balancer delete %s", list(b.Addresses), b.ID),
		})
	}
	return fs
}

// contested tells of a Service whose balancer others claim as well. Nil if nobody
// does.
func (w *World) contested(f Front) *finding.Finding {
	if f.Absent || f.Service.Deleting || f.Service.Disowned {
		return nil
	}
	out := &finding.Finding{
		Code: finding.LBContested, Severity: finding.Warning, Subject: subject(f),
		Expected: "a load balancer of its own for each Service",
	}
	if len(f.Twins) > 0 {
		var ids []string
		for _, b := range f.Twins {
			ids = append(ids, fmt.Sprintf("%s (%s)", b.ID, list(b.Addresses)))
		}
		out.Summary = fmt.Sprintf("%d load balancers have the name by which the controller finds that of %s", len(f.Twins), f.Service)
		out.Observed = fmt.Sprintf("%q: %s", f.Service.BalancerName, finding.List(ids, 4))
		out.Hint = "write the id of the right one into the annotation kubernetes.digitalocean.com/load-balancer-id, and rename or delete the others"
		return out
	}
	if f.Balancer == nil {
		return nil
	}
	if tags := clusterTags(*f.Balancer); len(tags) > 1 {
		out.Summary = fmt.Sprintf("%d clusters claim the load balancer of %s", len(tags), f.Service)
		out.Observed = fmt.Sprintf("load balancer %s %q is tagged %s", f.Balancer.ID, f.Balancer.Name, strings.Join(tags, ", "))
		out.Hint = "give each cluster one of its own: two Services of the same service.beta.kubernetes.io/do-loadbalancer-name share it; a cluster that has given it away keeps its tag, which can then be removed"
		return out
	}
	var others []string
	for _, o := range slices.Concat(w.Inventory.Services, w.Inventory.LeftAlone) {
		if o.ServiceRef != f.Service.ServiceRef && !o.Deleting && !o.Disowned && o.BalancerID == f.Balancer.ID {
			others = append(others, o.String())
		}
	}
	if len(others) == 0 {
		return nil
	}
	slices.Sort(others)
	out.Summary = fmt.Sprintf("%d Services claim the load balancer of %s", len(others)+1, f.Service)
	out.Observed = fmt.Sprintf("load balancer %s %q is that of %s too", f.Balancer.ID, f.Balancer.Name, finding.List(others, 4))
	out.Hint = "remove the annotation that names it (kubernetes.digitalocean.com/load-balancer-id, service.beta.kubernetes.io/do-loadbalancer-name) from all but one"
	return out
}
