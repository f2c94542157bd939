package kube

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

// installCRDs makes the server serve the kinds that a cluster need not have.
func installCRDs(k *lab.Kubernetes) {
	k.AddResource(gatewayGroup, "v1", "GatewayClass", "gatewayclasses", false)
	k.AddResource(gatewayGroup, "v1", "Gateway", "gateways", true)
	k.AddResource(gatewayGroup, "v1", "HTTPRoute", "httproutes", true)
	k.AddResource(gatewayGroup, "v1", "GRPCRoute", "grpcroutes", true)
	k.AddResource(gatewayGroup, "v1", "TLSRoute", "tlsroutes", true)
	k.AddResource(gatewayGroup, "v1", "ListenerSet", "listenersets", true)
	k.AddResource("traefik.io", "v1alpha1", "IngressRoute", "ingressroutes", true)
	k.AddResource("traefik.io", "v1alpha1", "IngressRouteTCP", "ingressroutetcps", true)
}

func objectOf(apiVersion, kind, namespace, name string, spec object) object {
	meta := object{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	return object{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec}
}

func gatewayClass(name, controller string) object {
	return objectOf(gatewayGroup+"/v1", "GatewayClass", "", name, object{"controllerName": controller})
}

// gatewayOf has listeners written as "name protocol port host".
func gatewayOf(namespace, name, class string, listeners ...string) object {
	var all []any
	for _, l := range listeners {
		var listener, protocol, host string
		var port int64
		_, _ = fmt.Sscan(l, &listener, &protocol, &port, &host)
		entry := object{"name": listener, "protocol": protocol, "port": port}
		if host != "" {
			entry["hostname"] = host
		}
		all = append(all, entry)
	}
	return objectOf(gatewayGroup+"/v1", "Gateway", namespace, name, object{"gatewayClassName": class, "listeners": all})
}

func routeOf(namespace, name string, parents []any, hosts ...any) object {
	return objectOf(gatewayGroup+"/v1", "HTTPRoute", namespace, name, object{"parentRefs": parents, "hostnames": hosts})
}

func ingressRoute(namespace, name string, matches ...string) object {
	var routes []any
	for _, m := range matches {
		routes = append(routes, object{"kind": "Rule", "match": m})
	}
	return objectOf("traefik.io/v1alpha1", "IngressRoute", namespace, name, object{"routes": routes})
}

func annotated(o object, annotations object) object {
	o["metadata"].(object)["annotations"] = annotations
	return o
}

// fed is a Cluster with the objects in it, as if they had been listed.
func fed(t *testing.T, objects ...object) *Cluster {
	t.Helper()
	c := offline()
	c.port = 443
	lists := map[string][]any{}
	for _, o := range objects {
		kind := o["kind"].(string)
		lists[kind] = append(lists[kind], unstructuredOf(o))
	}
	feeds := map[string]interface{ Replace([]any, string) error }{
		"Service": c.services[0], "Ingress": c.declaring[0], "HTTPRoute": c.declaring[1], "IngressRoute": c.declaring[2],
		"IngressRouteTCP": c.declaring[3], "Gateway": c.gateways[0], "IngressClass": c.classes, "GatewayClass": c.gatewayClasses,
		"GRPCRoute": c.declaring[4], "TLSRoute": c.declaring[5], "ListenerSet": c.listenerSets[0],
	}
	for kind, f := range feeds {
		if err := f.Replace(lists[kind], "1"); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func noticesOf(inv inventory.Inventory) string {
	var all []string
	for _, n := range inv.Notices {
		all = append(all, fmt.Sprintf("%s %s/%s: %s: %s", n.Kind, n.Namespace, n.Name, n.What, n.Why))
	}
	return strings.Join(all, "\n")
}

func TestHostsOfAnHTTPRoute(t *testing.T) {
	edge := gatewayOf("infra", "edge", "t", "http HTTP 80", "https HTTPS 443 *.shop.example", "api HTTPS 8443 api.shop.example", "db TCP 5432 db.shop.example")
	ref := func(more object) []any {
		r := object{"name": "edge", "namespace": "infra"}
		for k, v := range more {
			r[k] = v
		}
		return []any{r}
	}
	tests := []struct {
		rule   string
		ref    object
		hosts  []any
		want   string
		notice string
	}{
		{"a listener without a hostname takes all", nil, []any{"www.shop.example", "other.example"}, "other.example www.shop.example", ""},
		{"a listener's wildcard takes what is under it", object{"sectionName": "https"}, []any{"www.shop.example", "a.b.shop.example", "other.example"}, "a.b.shop.example www.shop.example", ""},
		{"a route's wildcard is narrowed to the listener's host", object{"sectionName": "api"}, []any{"*.shop.example"}, "api.shop.example", ""},
		{"of two wildcards the narrower stays", object{"sectionName": "https"}, []any{"*.eu.shop.example"}, "*.eu.shop.example", ""},
		{"a wildcard does not take its own domain", object{"sectionName": "https"}, []any{"shop.example"}, "", "none of its listeners takes a hostname"},
		{"a port chooses listeners", object{"port": int64(8443)}, []any{"api.shop.example", "www.shop.example"}, "api.shop.example", ""},
		{"a route without hosts takes the listeners'", object{"port": int64(443)}, nil, "*.shop.example", ""},
		{"and none where they have none", object{"sectionName": "http"}, nil, "", ""},
		{"a listener of TCP takes no HTTPRoute", object{"sectionName": "db"}, []any{"db.shop.example"}, "", "none of its listeners takes a hostname"},
		{"a name that is none", nil, []any{"no name"}, "", `hostname "no name": it is no DNS name`},
		{"group and kind may be written out", object{"group": gatewayGroup, "kind": "Gateway"}, []any{"www.shop.example"}, "www.shop.example", ""},
		{"a parent of another kind is none (a mesh)", object{"group": "", "kind": "Service"}, []any{"www.shop.example"}, "", ""},
		{"nor one of another group", object{"group": "example.com"}, []any{"www.shop.example"}, "", ""},
		{"a Gateway that is not there", object{"name": "lost"}, []any{"www.shop.example"}, "", "there is no such Gateway"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			inv := fed(t, edge, routeOf("shop", "web", ref(test.ref), test.hosts...)).Inventory()
			if got := strings.Join(hosts(inv), " "); got != test.want {
				t.Errorf("hosts %q, want %q", got, test.want)
			}
			if got := noticesOf(inv); !strings.Contains(got, test.notice) || (test.notice == "") != (got == "") {
				t.Errorf("notices %q, want %q", got, test.notice)
			}
		})
	}
}

func TestHTTPRouteIsAsItsControllerSays(t *testing.T) {
	edge := gatewayOf("shop", "edge", "t", "http HTTP 80")
	status := func(name, accepted string) object {
		return object{"parentRef": object{"name": name, "group": gatewayGroup, "kind": "Gateway"}, "conditions": []any{
			object{"type": "ResolvedRefs", "status": "False"},
			object{"type": "Accepted", "status": accepted, "reason": "NotAllowedByListeners", "message": "no"},
		}}
	}
	tests := []struct {
		rule     string
		parent   string
		statuses []any
		served   bool
		notice   string
	}{
		{"without a word it is taken", "edge", nil, true, ""},
		{"accepted", "edge", []any{status("edge", "True")}, true, ""},
		{"not accepted", "edge", []any{status("edge", "False")}, false, "NotAllowedByListeners: no"},
		{"one controller that accepts is enough", "edge", []any{status("edge", "False"), status("edge", "True")}, true, ""},
		{"whichever comes first", "edge", []any{status("edge", "True"), status("edge", "False")}, true, ""},
		{"another parent's status says nothing", "edge", []any{status("other", "False")}, true, ""},
		{"what was served by a Gateway that is gone is still looked at", "gone", []any{status("gone", "True")}, true, "there is no such Gateway"},
		{"what was never served by a Gateway that is not there is not", "gone", nil, false, "there is no such Gateway"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			route := routeOf("shop", "web", []any{object{"name": test.parent}}, "www.shop.example")
			route["status"] = object{"parents": test.statuses}
			inv := fed(t, edge, route).Inventory()
			if (len(inv.Targets) == 1) != test.served {
				t.Errorf("targets: %+v", inv.Targets)
			}
			if got := noticesOf(inv); !strings.Contains(got, test.notice) || (test.notice == "") != (got == "") {
				t.Errorf("notices %q, want %q", got, test.notice)
			}
		})
	}
}

func TestTargetOfAnHTTPRouteKnowsItsGateway(t *testing.T) {
	edge := annotated(gatewayOf("infra", "edge", "t", "http HTTP 80", "odd HTTP 80 no_name"), object{externalDNS + "target": "198.51.100.7"})
	edge["status"] = object{"addresses": []any{
		object{"type": "IPAddress", "value": "203.0.113.10"}, object{"type": "Hostname", "value": "LB.example."}, object{"value": "2001:db8::10"},
	}}
	inside := gatewayOf("shop", "inside", "u", "http HTTP 80")
	route := annotated(routeOf("shop", "web", []any{object{"name": "edge", "namespace": "infra"}, object{"name": "inside"}}, "www.shop.example"),
		object{externalDNS + "target": "198.51.100.99"})
	inv := fed(t, edge, inside, route, gatewayClass("t", "traefik.io/gateway-controller")).Inventory()
	want := []inventory.Declaration{
		{
			Object: "HTTPRoute shop/web", Class: "t", Controller: "traefik.io/gateway-controller", Gateway: "infra/edge",
			StatusAddresses: addrs("203.0.113.10", "2001:db8::10"), StatusHostnames: []string{"lb.example"}, RecordAddresses: addrs("198.51.100.7"), ExternalDNS: externalDNS,
		},
		{Object: "HTTPRoute shop/web", Class: "u", Gateway: "shop/inside"},
	}
	if len(inv.Targets) != 1 || !reflect.DeepEqual(inv.Targets[0].Declarations, want) || inv.Targets[0].Origin != "HTTPRoute shop/web" {
		t.Errorf("targets\n got %+v\nwant %+v", inv.Targets, want)
	}
	if got := noticesOf(inv); got != `Gateway infra/edge: listener hostname "no_name": it is no DNS name` {
		t.Errorf("notices: %s", got)
	}
}

func TestHostsOfIngressRoutes(t *testing.T) {
	web := annotated(ingressRoute("shop", "web", "Host(`b.example`) || Host(`A.example`)", "HostRegexp(`.+`)", "Host(`", "Path(`/`)", ""), object{annotationClass: "inner"})
	db := objectOf("traefik.io/v1alpha1", "IngressRouteTCP", "shop", "db", object{"entryPoints": []any{"websecure"}, "routes": []any{object{"match": "HostSNI(`db.example`)"}, object{"match": "HostSNI(`*`)"}}})
	mail := objectOf("traefik.io/v1alpha1", "IngressRouteTCP", "shop", "mail", object{"entryPoints": []any{"smtp"}, "routes": []any{object{"match": "HostSNI(`mail.example`)"}}})
	inv := fed(t, web, db, mail).Inventory()
	var got []string
	for _, target := range inv.Targets {
		got = append(got, fmt.Sprint(target.Key, " ", target.TLSOnly, " ", target.Origin))
	}
	if want := []string{"https://a.example/ false IngressRoute shop/web", "https://b.example/ false IngressRoute shop/web", "tls://db.example/ true IngressRouteTCP shop/db"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if d := inv.Targets[0].Declarations[0]; d.Class != "inner" || d.Controller != "traefik.io/ingress-controller" {
		t.Errorf("declaration: %+v", d)
	}
	text := noticesOf(inv)
	for _, want := range []string{
		"IngressRoute shop/web: match, regular expression \".+\": the hosts that it means cannot be listed", "IngressRoute shop/web: match \"Host(`\": a string has no end",
		"IngressRouteTCP shop/mail: spec.entryPoints: only hosts at the entry point websecure",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no notice %q in\n%s", want, text)
		}
	}
}

func TestOneHostOfSeveralObjectsIsOneTarget(t *testing.T) {
	inv := fed(t,
		ingressOf("shop", "b", "t", "www.shop.example"), ingressOf("shop", "a", "u", "www.shop.example"), ingressRoute("shop", "a", "Host(`www.shop.example`)"),
		ingressOf("zoo", "c", "", "www.shop.example"), annotated(ingressOf("shop", "deep", "t", "www.shop.example"), object{annotationPath: "/healthz?full=1"}),
	).Inventory()
	var got []string
	for _, target := range inv.Targets {
		got = append(got, target.Key+" "+target.Path+" "+target.Origin)
	}
	want := []string{
		"https://www.shop.example/ / Ingress shop/a, IngressRoute shop/a, Ingress shop/b and 1 more",
		"https://www.shop.example/healthz?full=1 /healthz?full=1 Ingress shop/deep",
	}
	if !slices.Equal(got, want) || len(inv.Targets[0].Declarations) != 4 {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAHostDeclaredVeryOftenIsBounded(t *testing.T) {
	var all []object
	for i := range 50 {
		all = append(all, ingressOf("shop", fmt.Sprintf("i%02d", i), "", "www.shop.example"))
	}
	ds := fed(t, all...).Inventory().Targets[0].Declarations
	if len(ds) != maxDeclarations+1 || ds[maxDeclarations].Object != "34 more objects" {
		t.Errorf("%d declarations, the last is %+v", len(ds), ds[len(ds)-1])
	}
}
