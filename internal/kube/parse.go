package kube

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

// Limits on what is taken from one object: nobody gives more by honest means.
const (
	maxHosts    = 100 // hosts of an Ingress
	maxStatuses = 100 // entries of status.loadBalancer.ingress
	maxValue    = 512 // bytes of an annotation's or label's value
)

const (
	annotationBalancerID   = "kubernetes.digitalocean.com/load-balancer-id"
	annotationBalancerName = "service.beta.kubernetes.io/do-loadbalancer-name"
	annotationClass        = "kubernetes.io/ingress.class"
	annotationDefaultClass = "ingressclass.kubernetes.io/is-default-class"
)

// ingress is what is kept of an Ingress.
type ingress struct {
	namespace, name string
	// class is what the object names; empty if it names none.
	class     string
	hosts     []string // sorted, each once
	more      bool     // there are hosts past the limit
	addresses []netip.Addr
	hostnames []string
}

func (i ingress) String() string { return i.namespace + "/" + i.name }

// class is what is kept of an IngressClass.
type class struct {
	name       string
	controller string
	isDefault  bool
	created    time.Time
}

// readService keeps Services of type LoadBalancer.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
func readService(u *unstructured.Unstructured) (inventory.Service, bool) {
	if text(u.Object, "spec", "type") != "LoadBalancer" {
		return inventory.Service{}, false
	}
	uid := limited(string(u.GetUID()))
	s := inventory.Service{
		ServiceRef:   inventory.ServiceRef{Namespace: u.GetNamespace(), Name: u.GetName()},
		UID:          uid,
		Created:      u.GetCreationTimestamp().UTC(),
		BalancerID:   limited(text(u.Object, "metadata", "annotations", annotationBalancerID)),
		BalancerName: limited(text(u.Object, "metadata", "annotations", annotationBalancerName)),
		Deleting:     u.GetDeletionTimestamp() != nil,
	}
	for _, key := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance"} {
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
	return s, true
}

// defaultBalancerName is the cloud controllers' rule: "a" and the UID without
// dashes, cut to 32 (k8s.io/cloud-provider, DefaultLoadBalancerName).
func defaultBalancerName(uid string) string {
	name := "a" + strings.ReplaceAll(uid, "-", "")
	return name[:min(len(name), 32)]
}

// readIngress keeps every Ingress, also one without hosts: it can get some.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
func (c *Cluster) readIngress(u *unstructured.Unstructured) (ingress, bool) {
	i := ingress{namespace: u.GetNamespace(), name: u.GetName()}
	i.class = limited(text(u.Object, "spec", "ingressClassName"))
	if i.class == "" {
		i.class = limited(text(u.Object, "metadata", "annotations", annotationClass))
	}
	invalid, example := 0, ""
	for _, rule := range items(u.Object, "spec", "rules") {
		raw := text(rule, "host")
		if raw == "" {
			continue // any host: nothing to look at
		}
		host, ok := hostName(raw)
		if !ok {
			invalid++
			example = raw
			continue
		}
		at, known := slices.BinarySearch(i.hosts, host)
		switch {
		case known:
		case len(i.hosts) == maxHosts:
			i.more = true
		default:
			i.hosts = slices.Insert(i.hosts, at, host)
		}
	}
	if invalid > 0 {
		c.log.Warn("kubernetes: hosts of Ingress "+i.String()+" are no DNS names and are left out", "count", invalid, "example", clip(example))
	}
	i.addresses, i.hostnames = statusOf(u)
	return i, true
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
	slices.SortFunc(addresses, netip.Addr.Compare)
	slices.Sort(hostnames)
	return slices.Compact(addresses), slices.Compact(hostnames)
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
