package lbcheck

import (
	"fmt"
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// errored is the cloud's word for a load balancer that it could not make or keep.
const errored = "errored"

// unhealthy tells of a Service with an address and nothing ready behind it, or whose
// load balancer has failed by the cloud's own word. Nil if there is something ready,
// or nobody could count, and the cloud says nothing.
func unhealthy(f Front) *finding.Finding {
	behind := f.Service.Endpoints
	if len(f.Addresses)+len(f.Uncertain) == 0 {
		return nil
	}
	if behind == nil || behind.Ready > 0 {
		return failed(f)
	}
	observed := fmt.Sprintf("0 of %s ready", finding.Count(behind.Total, "endpoint", "endpoints"))
	if behind.Total == 0 {
		observed = "no endpoint at all: the Service's selector finds no pod with an address"
	}
	return &finding.Finding{
		Code: finding.LBUnhealthy, Severity: finding.Critical, Subject: subject(f),
		Summary:  fmt.Sprintf("nothing ready is behind the Service %s", f.Service),
		Expected: "at least one endpoint that is ready",
		Observed: observed,
		Hint: fmt.Sprintf("kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s; the events of its pods say why they are not ready",
			f.Service.Namespace, f.Service.Name),
	}
}

// failed tells of a load balancer that is errored.
func failed(f Front) *finding.Finding {
	if f.Balancer == nil || f.Balancer.Status != errored || f.Listed.IsZero() {
		return nil
	}
	return &finding.Finding{
		Code: finding.LBUnhealthy, Severity: finding.Warning, Subject: subject(f),
		Summary:  fmt.Sprintf("%s says that the load balancer of %s has failed", f.Provider, f.Service),
		Expected: "status active",
		Observed: fmt.Sprintf("status %s (load balancer %s)", errored, f.Balancer.ID),
		Hint: fmt.Sprintf("kubectl -n %s describe service %s names the controller's error; if it is the cloud's, ask its support with the id",
			f.Service.Namespace, f.Service.Name),
	}
}

// judgeNotices makes one finding for each object that says something that cannot be
// used.
func judgeNotices(all []inventory.Notice) []finding.Finding {
	var fs []finding.Finding
	for _, n := range all {
		f := finding.Finding{
			Code: finding.SelfDeclarationUnused, Severity: finding.Info,
			Subject:  finding.Subject{Namespace: n.Namespace, Name: n.Name, Source: n.Kind},
			Summary:  fmt.Sprintf("%s %s/%s: %s cannot be used: %s", n.Kind, n.Namespace, n.Name, n.What, n.Why),
			Expected: "a value that can be used",
			Observed: n.What,
			Hint:     "correct the object; it is looked at without this",
		}
		i := slices.IndexFunc(fs, func(o finding.Finding) bool { return o.Subject == f.Subject })
		if i < 0 {
			fs = append(fs, f)
			continue
		}
		if more := "; " + n.What + ": " + n.Why; n.What != fs[i].Observed {
			fs[i].Summary += more
			fs[i].Observed += "; " + n.What
		}
	}
	return fs
}
