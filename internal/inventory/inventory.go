// Package inventory says what should be: the targets, the ingress Services, the
// hosts that Kubernetes objects declare, which Service fronts which host, and
// the gaps in what could be read. It is data with pure functions on it; it reads
// nothing itself.
package inventory

import (
	"net/netip"
	"slices"
	"time"
)

// Inventory is one reading of what should be.
type Inventory struct {
	// Targets are what to probe, from the configuration and from cluster objects.
	Targets []Target `json:"targets"`
	// Services are the Services of type LoadBalancer.
	Services []Service `json:"services,omitempty"`
	// Gaps are the sources that could not be read, wholly or in part.
	Gaps []Gap `json:"gaps,omitempty"`
	// Whole tells that Services and LeftAlone are all of the cluster, and not those
	// of some of its namespaces.
	Whole bool `json:"whole,omitempty"`
	// LeftAlone are Services of type LoadBalancer that ask not to be looked at: only
	// what names their load balancers, and their status, is kept.
	LeftAlone []Service `json:"left_alone,omitempty"`
	// Classes are the names of Traefik's ingress and Gateway classes, sorted.
	Classes []string `json:"classes,omitempty"`
	// Notices are what cluster objects say that cannot be used.
	Notices []Notice `json:"notices,omitempty"`
	// Workloads are those that order certificates and keep them in files.
	Workloads []Workload `json:"workloads,omitempty"`
	// Refused are orders of cert-manager that a certificate authority refused.
	Refused []RefusedOrder `json:"refused,omitempty"`
	// Shard is the part of all hosts that Targets are of. Everything else is whole.
	Shard Shard `json:"shard,omitzero"`
}

// Target is one URL to look at, and what should be true of it. Secrets (request
// headers) are not part of it.
type Target struct {
	// Key identifies the target: its canonical URL.
	Key string `json:"key"`
	// Host is the DNS name, ASCII, lower case, no final dot. "*.shop.example" for
	// a wildcard, which is resolved as it stands and probed as Probe.
	Host string `json:"host"`
	Port uint16 `json:"port"`
	// Path is the request target, with the query; at least "/".
	Path string `json:"path"`
	// Origin says where the target comes from: "config", "command line",
	// "Ingress shop/web, HTTPRoute shop/web".
	Origin string `json:"origin"`
	// Service pins the Service that must be in front; zero if not pinned.
	Service ServiceRef `json:"service,omitzero"`
	// Declarations are what cluster objects say of the host, in the order of the
	// objects' namespaces and names.
	Declarations []Declaration `json:"declarations,omitempty"`
	// Addresses pins the expected addresses, instead of a Service.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Allow are ranges in which published addresses are accepted as they are (a
	// CDN in front).
	Allow []netip.Prefix `json:"allow,omitempty"`
	// Scheme is SchemeHTTP or SchemeTCP; empty means https.
	Scheme string `json:"scheme,omitempty"`
	// Method is the request's; empty means GET.
	Method string `json:"method,omitempty"`
	// SendsBody tells that the request has a body. It is secret, and no part of this.
	SendsBody bool `json:"sends_body,omitempty"`
	// Redirects says which of them are followed; the zero value none.
	Redirects Redirects `json:"redirects,omitzero"`
	// Expect is the response that is right.
	Expect Expect `json:"expect,omitzero"`
	// Maintenance are the times in which faults are shown and nobody is told.
	Maintenance []Window `json:"maintenance,omitempty"`
	// Labels say by whom its incidents are to be heard.
	Labels map[string]string `json:"labels,omitempty"`
	// TLSOnly: what answers need not speak HTTP, so the look ends after the
	// handshake.
	TLSOnly bool `json:"tls_only,omitempty"`
	// MoveUntil is the end of a move that every declaring object announces; zero if
	// one does not.
	MoveUntil time.Time `json:"move_until,omitzero"`
}

// ProbeName is the name to present as SNI and Host: the host itself, or for a
// wildcard one name under it.
func (t Target) ProbeName() string {
	if len(t.Host) > 2 && t.Host[:2] == "*." {
		return "driftprobe-check." + t.Host[2:]
	}
	return t.Host
}

// Wildcard tells whether the target stands for every name under a domain, so
// that no particular response can be expected.
func (t Target) Wildcard() bool { return t.ProbeName() != t.Host }

// ServiceRef names a Kubernetes Service.
type ServiceRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "namespace/name", or "" for the zero ServiceRef.
func (r ServiceRef) String() string {
	if r == (ServiceRef{}) {
		return ""
	}
	return r.Namespace + "/" + r.Name
}

// Service is a Service of type LoadBalancer.
type Service struct {
	ServiceRef
	UID string `json:"uid,omitempty"`
	// Created is the object's creation time; zero if unknown.
	Created time.Time `json:"created,omitzero"`
	// Labels are only the WellKnownLabels.
	Labels map[string]string `json:"labels,omitempty"`
	// Addresses and Hostnames are status.loadBalancer.ingress; Proxied are those of
	// Addresses with ipMode Proxy.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Hostnames []string     `json:"hostnames,omitempty"`
	Proxied   []netip.Addr `json:"proxied,omitempty"`
	// Changed is when what the object says of its load balancer was seen to change;
	// zero if that was before our time.
	Changed time.Time `json:"changed,omitzero"`
	// BalancerID and BalancerName are what the cloud controller was told or has
	// written down (annotations); BalancerName falls back to the cloud
	// controllers' rule "a"+UID without dashes, cut to 32 characters.
	BalancerID   string `json:"balancer_id,omitempty"`
	BalancerName string `json:"balancer_name,omitempty"`
	// Disowned: the cloud controller leaves the load balancer alone, so the status is
	// kept up to date by nobody.
	Disowned bool `json:"disowned,omitempty"`
	// ProxyProtocol: the load balancer speaks PROXY protocol to what is behind it.
	// TerminatesTLS: it ends TLS for some port, so that what is behind may speak none.
	ProxyProtocol bool `json:"proxy_protocol,omitempty"`
	TerminatesTLS bool `json:"terminates_tls,omitempty"`
	// Deleting is set once the object has a deletion timestamp.
	Deleting bool `json:"deleting,omitempty"`
	// Endpoints counts what stands behind it; nil if that is not known.
	Endpoints *Endpoints `json:"endpoints,omitempty"`
	// MoveUntil is the end of a move that the object announces; zero if it does not.
	MoveUntil time.Time `json:"move_until,omitzero"`
}

// Endpoints counts the backends of a Service, by its EndpointSlices.
type Endpoints struct {
	// Ready are those that get traffic, of Total.
	Ready int `json:"ready"`
	Total int `json:"total"`
}

// Notice is something that a cluster object says and that cannot be used. The
// object is watched without it.
type Notice struct {
	// Kind, Namespace and Name are the object's.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// What is the field or annotation, with its value: `annotation
	// driftprobe.io/path "x y"`.
	What string `json:"what"`
	// Why it cannot be used, for a person.
	Why string `json:"why"`
}

// Gap is a source, or part of one, that could not be read. What depends on it is
// unknown, not fine.
type Gap struct {
	// Source is "kubernetes", "DigitalOcean", ….
	Source string `json:"source"`
	// Resources are the kinds that are missing ("services", "ingresses", …); empty
	// if all of the source is.
	Resources []string `json:"resources,omitempty"`
	// What could not be read: "ingresses in namespace shop".
	What string `json:"what"`
	// Why, as a sentence for a person.
	Why string `json:"why"`
	// Hint says what to do about it.
	Hint string `json:"hint,omitempty"`
	// Since is when it was first missing.
	Since time.Time `json:"since,omitzero"`
	// Held is set when the last known set is still in use.
	Held bool `json:"held,omitempty"`
	// Bound is set if only what is over one of our own limits is missing: all else of the
	// source is complete and fresh.
	Bound bool `json:"bound,omitempty"`
}

// Covers tells whether the gap is in this kind of resource.
func (g Gap) Covers(resource string) bool {
	return len(g.Resources) == 0 || slices.Contains(g.Resources, resource)
}

// Expected is what should be published and answering for one target: the join of
// what Kubernetes and the cloud say, or what the configuration pins.
type Expected struct {
	// Addresses are the load balancer's addresses, sorted, without ports. Both
	// sources agree on each of them, or there is only one source.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Told are those of Addresses that only an annotation leads to. Whoever can write
	// an object of the cluster can write it, so no secret is sent there.
	Told []netip.Addr `json:"told,omitempty"`
	// Uncertain are addresses that only one of two sources names. None of them is
	// called stale, and none is called missing.
	Uncertain []netip.Addr `json:"uncertain,omitempty"`
	// OneFamily is set if only a status is known, which can leave out a family of
	// addresses that the balancer has: a family that is not named is not judged.
	OneFamily bool `json:"one_family,omitempty"`
	// Hostnames stand in the Service's status instead of addresses; what they
	// resolve to can change from one look to the next.
	Hostnames []string `json:"hostnames,omitempty"`
	// Doubtful are addresses of other load balancers of ours, where an object that could
	// not be read may have the target. One that is published is not called stale, and not
	// right. Many targets share the list: it is not to be changed.
	Doubtful []netip.Addr `json:"doubtful,omitempty"`
	// Former are addresses that the load balancer had and has lost.
	Former []netip.Addr `json:"former,omitempty"`
	// Allow are ranges in which published addresses are accepted as they are.
	Allow []netip.Prefix `json:"allow,omitempty"`
	// Known tells whether drift may be judged: false if no load balancer is known,
	// or the truth about it could not be read. Why says what is missing.
	Known bool   `json:"known"`
	Why   string `json:"why,omitempty"`
	// Service is the Service that fronts the target; zero if pinned or unknown.
	Service ServiceRef `json:"service,omitzero"`
	// Others are further Services that front it: one host on two balancers.
	Others []ServiceRef `json:"others,omitempty"`
	// Rule says how the Service was found: one of the Rule constants.
	Rule string `json:"rule,omitempty"`
}

// FrontedBy tells whether the Service is one of those that front the target.
func (e *Expected) FrontedBy(ref ServiceRef) bool {
	return e.Service == ref || slices.Contains(e.Others, ref)
}

// Fronts names the Services that front the target: "traefik/traefik", or
// "traefik/traefik + nginx/nginx"; empty if none is known.
func (e *Expected) Fronts() string {
	text := e.Service.String()
	for _, ref := range e.Others {
		if text != "" { // else what comes first is no Service: an annotation points at a CDN
			text += " + "
		}
		text += ref.String()
	}
	return text
}

// Accepts tells whether an address may be published for the target, one in doubt
// included.
func (e *Expected) Accepts(a netip.Addr) bool {
	return e.accepts(a) || slices.Contains(e.Doubtful, a)
}

// Doubts tells whether an address is accepted only because an object that could not be
// read may have the target there.
func (e *Expected) Doubts(a netip.Addr) bool {
	return e.Known && slices.Contains(e.Doubtful, a) && !e.accepts(a)
}

func (e *Expected) accepts(a netip.Addr) bool {
	return slices.Contains(e.Addresses, a) || slices.Contains(e.Uncertain, a) || e.Allowed(a) || e.unnamed(a)
}

// unnamed tells whether nothing is known about the address's whole family.
func (e *Expected) unnamed(a netip.Addr) bool {
	same := func(b netip.Addr) bool { return b.Is4() == a.Is4() }
	return e.OneFamily && !slices.ContainsFunc(e.Addresses, same) && !slices.ContainsFunc(e.Uncertain, same)
}

// Allowed tells whether the address is in an allowed range.
func (e *Expected) Allowed(a netip.Addr) bool {
	for _, p := range e.Allow {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// Has tells whether the address is one of the load balancer's own, for certain.
func (e *Expected) Has(a netip.Addr) bool { return slices.Contains(e.Addresses, a) }
