package manifest

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"driftprobe/internal/inventory"
)

// balancerID is where DigitalOcean's controller writes which load balancer is whose.
const balancerID = "kubernetes.digitalocean.com/load-balancer-id"

// Service reads what decides which load balancer a Service has; false for anything else.
func Service(o Object) (inventory.Balanced, bool) {
	f := fields(o.Fields)
	if o.Kind != "Service" || o.APIVersion != "v1" {
		return inventory.Balanced{}, false
	}
	return inventory.Balanced{
		ServiceRef: inventory.ServiceRef{Namespace: cut(o.Namespace), Name: cut(o.Name)},
		Type:       cut(f.text("spec", "type")), Class: cut(f.text("spec", "loadBalancerClass")),
		BalancerID: cut(f.text("metadata", "annotations", balancerID)),
		Release:    cut(f.text("metadata", "labels", "app.kubernetes.io/instance")),
		Selector:   joined(f.labels("spec", "selector")),
		File:       o.File, Line: o.Line,
	}, true
}

func joined(labels map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, k+"="+labels[k])
	}
	return cut(strings.Join(all, ","))
}

// Release is the label that says what an object is deployed together with.
func Release(o Object) string {
	return cut(fields(o.Fields).text("metadata", "labels", "app.kubernetes.io/instance"))
}

// Hosts are the names that an object leads to Services: those of an Ingress, an HTTPRoute,
// an IngressRoute or external-dns' annotation, at most maxMounts. Only for people to read.
func Hosts(o Object) []string {
	f := fields(o.Fields)
	var all []string
	switch o.Kind {
	case "Ingress":
		for _, rule := range f.list("spec", "rules") {
			all = append(all, hostOf(rule.text("host")))
		}
	case "IngressRoute", "IngressRouteTCP":
		matcher, named := regexp.MustCompile(`\bHost(SNI)?\([^)]*\)`), regexp.MustCompile("`([^`]+)`")
		for _, route := range first(f.list("spec", "routes"), maxMounts) {
			for _, host := range matcher.FindAllString(route.text("match"), maxMounts) {
				for _, name := range named.FindAllStringSubmatch(host, maxMounts) {
					all = append(all, hostOf(name[1]))
				}
			}
		}
	case "HTTPRoute", "GRPCRoute", "TLSRoute":
		for _, h := range f.texts("spec", "hostnames") {
			all = append(all, hostOf(h))
		}
	}
	for _, prefix := range []string{"external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/"} {
		for h := range strings.SplitSeq(f.text("metadata", "annotations", prefix+"hostname"), ",") {
			all = append(all, hostOf(h))
		}
	}
	slices.Sort(all)
	all = slices.Compact(slices.DeleteFunc(all, func(h string) bool { return h == "" || h == "*" }))
	return first(all, maxMounts)
}

func hostOf(h string) string { return cut(strings.TrimSuffix(strings.TrimSpace(h), ".")) }
