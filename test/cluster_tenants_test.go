package test

import (
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// TestWhatOneTenantCannotDoToAnother has a name that an Ingress has at one load balancer
// and a route at another. Without the right to the routes its record is in doubt, and a
// record at an address that nobody has is stale as ever. Then another tenant declares the
// same names, with every annotation there is.
func TestWhatOneTenantCannotDoToAnother(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	c := startCluster(t, w.Net)
	cert := w.CA.Issue(t, "*.shop.example")
	one, two, theirs, nobodys := w.Net.Addr(101), w.Net.Addr(102), w.Net.Addr(103), w.Net.Addr(109)
	for _, a := range []byte{101, 102, 103} {
		w.Balancer(t, w.Net.Addr(a), cert)
	}
	world.Serve(t, w.Shop, "www 20 IN A "+two.String(), "auth 20 IN A "+nobodys.String())
	c.namespaces(t, "edge", "a-tenant")
	c.Definitions(t, "gatewayclasses.yaml", "gateways.yaml", "httproutes.yaml")
	c.Apply(t, "edge", twoBalancers)
	for name, a := range map[string]string{"one": one.String(), "two": two.String()} {
		c.Patch(t, world.ServicePath("edge", name)+"/status", `{"status": {"loadBalancer": {"ingress": [{"ip": "`+a+`"}]}}}`)
	}
	c.Patch(t, world.Path("networking.k8s.io/v1", "Ingress", "edge", "web")+"/status", statusOf(one))
	f := &fleet{config: writeConfig(t, c.settings(w, ""))}

	role := world.Path("rbac.authorization.k8s.io/v1", "ClusterRole", "", "driftprobe")
	c.Patch(t, role, `{"rules": [
		{"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]},
		{"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": ["list", "watch"]},
		{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
		{"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways", "gatewayclasses"], "verbs": ["list", "watch"]}]}`)
	gone := []string{"critical dns/stale-record auth.shop.example", "warning dns/missing-record auth.shop.example"}
	f.want(t, "routes may not be read", append(gone,
		"unknown self/source-unread kubernetes", "info self/source-degraded kubernetes", "unknown self/not-observed www.shop.example")...)

	c.shipped(t)
	f.want(t, "routes may be read: the name is expected at both", append(gone, "warning dns/missing-record www.shop.example")...)

	c.Apply(t, "a-tenant", strings.ReplaceAll(anotherTenant, "SOON", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	c.Patch(t, world.ServicePath("a-tenant", "traefik")+"/status", statusOf(theirs))
	world.Serve(t, w.Shop, "www 20 IN A "+one.String(), "www 20 IN A "+two.String(), "auth 20 IN A "+nobodys.String())
	f.want(t, "another tenant declares the same names", append(gone, "info self/declaration-unused a-tenant/web")...)
	if l := execute(t, "--once", "-o", "json", "--config", f.config); len(l.parse(t).Incidents) == 0 {
		t.Errorf("there is no incident:\n%s", l.stdout)
	} else if fix := indent(report{Incidents: l.parse(t).Incidents}); strings.Contains(fix, `"`+theirs.String()+`"`) {
		t.Errorf("the fix gives the name to another tenant:\n%s", fix)
	}
}

const twoBalancers = `
{apiVersion: v1, kind: Service, metadata: {name: one, labels: {app.kubernetes.io/name: traefik}}, spec: {type: LoadBalancer, selector: {app: traefik}, ports: [{port: 443}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: two, labels: {gateway.networking.k8s.io/gateway-name: two}}, spec: {type: LoadBalancer, selector: {app: two}, ports: [{port: 443}]}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: traefik}, spec: {controller: traefik.io/ingress-controller}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {ingressClassName: traefik, rules: [{host: www.shop.example}, {host: auth.shop.example}], defaultBackend: {service: {name: web, port: {number: 80}}}}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: two}, spec: {controllerName: example.com/two}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: two}, spec: {gatewayClassName: two, listeners: [{name: web, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: cert}]}}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: www}, spec: {hostnames: [www.shop.example], parentRefs: [{name: two}], rules: [{backendRefs: [{name: web, port: 80}]}]}}
`

// anotherTenant names its Service as the class is, claims the names for it and excuses
// them, opts out, and wants records at addresses that nobody should connect to.
const anotherTenant = `
{apiVersion: v1, kind: Service, metadata: {name: traefik, labels: {app.kubernetes.io/name: traefik}, annotations: {driftprobe.io/planned-move-until: "SOON"}}, spec: {type: LoadBalancer, selector: {app: x}, ports: [{port: 443}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    driftprobe.io/service: a-tenant/traefik
    driftprobe.io/planned-move-until: "SOON"
    driftprobe.io/expect-status: "100-599"
    driftprobe.io/unknown: "x"
    external-dns.kubernetes.io/target: "169.254.169.254, 10.0.0.1, ::ffff:127.0.0.1, fe80::1"
spec: {rules: [{host: www.shop.example}, {host: auth.shop.example}], defaultBackend: {service: {name: x, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: quiet, annotations: {driftprobe.io/ignore: "true"}}
spec: {rules: [{host: auth.shop.example}], defaultBackend: {service: {name: x, port: {number: 80}}}}
`
