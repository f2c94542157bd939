package inventory

// Balanced is a Service as a manifest, or the cluster, declares it: what decides whether
// the cloud keeps the load balancer in front of it.
type Balanced struct {
	ServiceRef
	// Type is spec.type: "LoadBalancer", or something without one.
	Type string
	// BalancerID is the annotation that names the load balancer to use, which the cloud's
	// controller writes too.
	BalancerID string
	// Class is spec.loadBalancerClass: the controller that makes the load balancer.
	Class string
	// Release is the label app.kubernetes.io/instance: what is deployed together.
	Release string
	// Selector is spec.selector, as "a=b,c=d".
	Selector string
	// File and Line are where it is declared; empty in a cluster.
	File string
	Line int
}

// Risk is what hangs on the address of a Service's load balancer.
type Risk struct {
	// Hosts are the names that lead to it, sorted. Addresses are those it has now.
	Hosts     []string
	Addresses []string
	// MaxTTL is the longest TTL on the way to it, in seconds; 0 if nobody looked.
	MaxTTL uint32
}
