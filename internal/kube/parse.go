package kube

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
	"driftprobe/internal/manifest"
)

// Limits on what is taken from one object: nobody gives more by honest means.
const (
	maxHosts    = 100 // hosts of an object
	maxStatuses = 100 // entries of status.loadBalancer.ingress
	maxValue    = 512 // bytes of an annotation's or label's value
)

const (
	annotationBalancerID   = "kubernetes.digitalocean.com/load-balancer-id"
	annotationBalancerName = "service.beta.kubernetes.io/do-loadbalancer-name"
	annotationClass        = "kubernetes.io/ingress.class"
	annotationDefaultClass = "ingressclass.kubernetes.io/is-default-class"
)

// What DigitalOcean's cloud controller is told of a load balancer.
// https://github.com/digitalocean/digitalocean-cloud-controller-manager/blob/master/docs/controllers/services/annotations.md
const (
	annotationDisowned      = "service.kubernetes.io/do-loadbalancer-disown"
	annotationProxyProtocol = "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol"
	annotationProtocol      = "service.beta.kubernetes.io/do-loadbalancer-protocol"
	annotationTLSPorts      = "service.beta.kubernetes.io/do-loadbalancer-tls-ports"
	annotationHTTP2Ports    = "service.beta.kubernetes.io/do-loadbalancer-http2-ports"
	annotationHTTP3Port     = "service.beta.kubernetes.io/do-loadbalancer-http3-port"
	annotationPassthrough   = "service.beta.kubernetes.io/do-loadbalancer-tls-passthrough"
)

// balanced is what is kept of a Service of type LoadBalancer.
type balanced struct {
	service  inventory.Service
	declares declaring
	// declared is what decides which load balancer it has.
	declared inventory.Balanced
	// alone: it asks not to be looked at; only what names its balancer, and its status, is
	// kept.
	alone bool
}

// class is what is kept of an IngressClass.
type class struct {
	name       string
	controller string
	isDefault  bool
	created    time.Time
}

// readService keeps Services of type LoadBalancer.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
func readService(u *unstructured.Unstructured) (balanced, bool) {
	if text(u.Object, "spec", "type") != "LoadBalancer" {
		return balanced{}, false
	}
	d := newDeclaring(u, "Service")
	alone := !d.annotated(u)
	uid := limited(string(u.GetUID()))
	s := inventory.Service{
		ServiceRef:   inventory.ServiceRef{Namespace: u.GetNamespace(), Name: u.GetName()},
		UID:          uid,
		Created:      u.GetCreationTimestamp().UTC(),
		BalancerID:   limited(text(u.Object, "metadata", "annotations", annotationBalancerID)),
		BalancerName: limited(text(u.Object, "metadata", "annotations", annotationBalancerName)),
		Deleting:     u.GetDeletionTimestamp() != nil,
		MoveUntil:    d.moveUntil,
	}
	d.service = s.ServiceRef
	declared, _ := manifest.Service(manifest.Object{
		Kind: "Service", APIVersion: "v1", Namespace: s.Namespace, Name: s.Name, Fields: u.Object,
	})
	for _, key := range inventory.WellKnownLabels() {
		if value := limited(text(u.Object, "metadata", "labels", key)); value != "" {
			if s.Labels == nil {
				s.Labels = map[string]string{}
			}
			s.Labels[key] = value
		}
	}
	if s.BalancerName == "" && uid != "" {
		s.BalancerName = defaultBalancerName(uid)
	}
	s.Addresses, s.Hostnames = statusOf(u)
	if alone {
		left := inventory.Service{
			ServiceRef: s.ServiceRef, UID: uid, BalancerID: s.BalancerID, BalancerName: s.BalancerName,
			Addresses: s.Addresses, Hostnames: s.Hostnames,
		}
		return balanced{service: left, declared: declared, alone: true}, true
	}
	s.Proxied = proxied(u)
	s.Disowned, s.ProxyProtocol = flagged(u, annotationDisowned), flagged(u, annotationProxyProtocol)
	s.TerminatesTLS = terminatesTLS(u)
	return balanced{service: s, declares: d, declared: declared}, true
}

// flagged tells whether an annotation says yes, in the words that the controller
// takes (strconv.ParseBool).
func flagged(u *unstructured.Unstructured, annotation string) bool {
	yes, err := strconv.ParseBool(text(u.Object, "metadata", "annotations", annotation))
	return err == nil && yes
}

// terminatesTLS tells whether the load balancer ends TLS for any of its ports.
func terminatesTLS(u *unstructured.Unstructured) bool {
	if flagged(u, annotationPassthrough) {
		return false
	}
	switch text(u.Object, "metadata", "annotations", annotationProtocol) {
	case "https", "http2", "http3":
		return true
	}
	for _, a := range []string{annotationTLSPorts, annotationHTTP2Ports, annotationHTTP3Port} {
		if text(u.Object, "metadata", "annotations", a) != "" {
			return true
		}
	}
	return false
}

// proxied are the addresses of the status to which traffic from inside the cluster
// goes by way of the load balancer too (KEP-1860).
func proxied(u *unstructured.Unstructured) []netip.Addr {
	var all []netip.Addr
	entries := items(u.Object, "status", "loadBalancer", "ingress")
	for _, e := range entries[:min(len(entries), maxStatuses)] {
		if a, err := netip.ParseAddr(text(e, "ip")); err == nil && text(e, "ipMode") == "Proxy" {
			all = append(all, a.WithZone("").Unmap())
		}
	}
	all, _ = distinct(all, nil)
	return all
}

// defaultBalancerName is the cloud controllers' rule: "a" and the UID without
// dashes, cut to 32 (k8s.io/cloud-provider, DefaultLoadBalancerName).
func defaultBalancerName(uid string) string {
	name := "a" + strings.ReplaceAll(uid, "-", "")
	return name[:min(len(name), 32)]
}

// acmeSolver marks the Ingresses that cert-manager makes to prove that a name is
// ours, beside the one that declares it, and takes away a moment later.
const acmeSolver = "acme.cert-manager.io/http01-solver"

// readIngress keeps every Ingress, also one without hosts: it can get some.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
func readIngress(u *unstructured.Unstructured) (declaring, bool) {
	d := newDeclaring(u, "Ingress")
	d.class = limited(text(u.Object, "spec", "ingressClassName"))
	if d.class == "" {
		d.class = limited(text(u.Object, "metadata", "annotations", annotationClass))
	}
	for _, rule := range items(u.Object, "spec", "rules") {
		if raw := text(rule, "host"); raw != "" { // none: any host, nothing to look at
			d.addHost("host", raw)
		}
	}
	d.addresses, d.hostnames = statusOf(u)
	return d, d.annotated(u) && text(u.Object, "metadata", "labels", acmeSolver) != "true"
}

func readClass(u *unstructured.Unstructured) (class, bool) {
	return class{
		name:       u.GetName(),
		controller: limited(text(u.Object, "spec", "controller")),
		isDefault:  text(u.Object, "metadata", "annotations", annotationDefaultClass) == "true",
		created:    u.GetCreationTimestamp().UTC(),
	}, true
}

// statusOf reads status.loadBalancer.ingress, which Services and Ingresses have
// alike: addresses and host names, sorted, each once.
func statusOf(u *unstructured.Unstructured) ([]netip.Addr, []string) {
	var addresses []netip.Addr
	var hostnames []string
	entries := items(u.Object, "status", "loadBalancer", "ingress")
	for _, e := range entries[:min(len(entries), maxStatuses)] {
		if a, err := netip.ParseAddr(text(e, "ip")); err == nil && !a.Unmap().IsUnspecified() { // 0.0.0.0 while kube-vip asks by DHCP
			addresses = append(addresses, a.WithZone("").Unmap())
		}
		if h, ok := hostName(text(e, "hostname")); ok && !strings.HasPrefix(h, "*") {
			hostnames = append(hostnames, h)
		}
	}
	return distinct(addresses, hostnames)
}

// hostName returns a DNS name in lower case without final dot, "*." in front
// allowed; false if the text is none (RFC 1123 §2.1; an address is none either).
func hostName(raw string) (string, bool) {
	if len(raw) > 254 {
		return "", false
	}
	name := strings.TrimSuffix(strings.ToLower(raw), ".")
	if _, err := netip.ParseAddr(name); err == nil || len(name) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(name, "*."), ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
		for _, b := range []byte(label) {
			if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
				return "", false
			}
		}
	}
	return name, true
}

// field walks into nested objects without copying; nil where there is no way.
func field(object any, path ...string) any {
	for _, key := range path {
		m, ok := object.(map[string]any)
		if !ok {
			return nil
		}
		object = m[key]
	}
	return object
}

func text(object any, path ...string) string {
	s, _ := field(object, path...).(string)
	return s
}

func items(object any, path ...string) []any {
	list, _ := field(object, path...).([]any)
	return list
}

// limited drops a value that no honest writer made.
func limited(value string) string {
	if len(value) > maxValue {
		return ""
	}
	return value
}
