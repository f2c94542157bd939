package kube

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const maxRoutes = 200 // routes of an IngressRoute

// entryPointTLS is the entry point that Traefik's chart opens at port 443. Names of
// entry points are free; a route of TCP at another is most likely at another port.
const entryPointTLS = "websecure"

// readIngressRoute keeps Traefik's IngressRoutes. They have no status.
// https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/
func readIngressRoute(u *unstructured.Unstructured) (declaring, bool) {
	return readTraefik(u, newDeclaring(u, "IngressRoute"))
}

// readIngressRouteTCP keeps the TCP routes that stand at port 443. What answers
// there need not speak HTTP.
func readIngressRouteTCP(u *unstructured.Unstructured) (declaring, bool) {
	d := newDeclaring(u, "IngressRouteTCP")
	d.tlsOnly = true
	return readTraefik(u, d)
}

func readTraefik(u *unstructured.Unstructured, d declaring) (declaring, bool) {
	d.controller = "traefik.io/ingress-controller"
	d.class = limited(text(u.Object, "metadata", "annotations", annotationClass))
	watched := d.annotated(u)
	if points := items(u.Object, "spec", "entryPoints"); d.tlsOnly && len(points) > 0 && !slices.Contains(points, any(entryPointTLS)) {
		d.notice("spec.entryPoints", "only hosts at the entry point "+entryPointTLS+" (port 443) are looked at")
		return d, watched
	}
	routes := items(u.Object, "spec", "routes")
	if len(routes) > maxRoutes {
		d.notice("spec.routes", fmt.Sprintf("only %d of %d are looked at", maxRoutes, len(routes)))
	}
	for _, route := range routes[:min(len(routes), maxRoutes)] {
		match := text(route, "match")
		if match == "" {
			continue
		}
		rule, err := parseRule(match)
		if err != nil {
			d.notice(quoted("match", match), err.Error())
		}
		for _, h := range rule.hosts {
			d.addHost("match, host", h)
		}
		for _, p := range rule.patterns {
			d.notice(quoted("match, regular expression", p), "the hosts that it means cannot be listed: name them in the annotation "+externalDNS+"hostname, or as targets in the configuration")
		}
	}
	return d, watched
}
