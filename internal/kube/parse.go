package kube

import (
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
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

// balanced is what is kept of a Service of type LoadBalancer.
type balanced struct {
	service  inventory.Service
	declares declaring
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
	if !d.annotated(u) {
		return balanced{}, false
	}
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
	return balanced{s, d}, true
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
		if a, err := netip.ParseAddr(text(e, "ip")); err == nil {
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
