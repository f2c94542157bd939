package kube

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

// listenerSetOf has listeners written as gatewayOf has them.
func listenerSetOf(namespace, name string, parent object, listeners ...string) object {
	set := gatewayOf(namespace, name, "", listeners...)
	set["kind"] = "ListenerSet"
	spec := set["spec"].(object)
	delete(spec, "gatewayClassName")
	spec["parentRef"] = parent
	return set
}

// opened lets a Gateway take ListenerSets.
func opened(gateway object) object {
	gateway["spec"].(object)["allowedListeners"] = object{"namespaces": object{"from": "All"}}
	return gateway
}

// kindOf makes an HTTPRoute one of another kind.
func kindOf(kind string, route object) object {
	route["kind"] = kind
	return route
}

func TestHostsOfTheOtherRoutes(t *testing.T) {
	edge := gatewayOf("infra", "edge", "t", "web HTTPS 443 *.shop.example", "pass TLS 443 *.shop.example", "behind TLS 8443 mail.zoo.example", "db TLS 5432 db.shop.example")
	ref := func(section string) []any {
		return []any{object{"name": "edge", "namespace": "infra", "sectionName": section}}
	}
	tests := []struct {
		rule   string
		route  object
		want   string
		notice string
	}{
		{"a GRPCRoute stands at a listener of HTTPS", kindOf("GRPCRoute", routeOf("shop", "api", ref("web"), "api.shop.example")), "https://api.shop.example/", ""},
		{"a GRPCRoute at none of TLS", kindOf("GRPCRoute", routeOf("shop", "api", ref("pass"), "api.shop.example")), "", "none of its listeners takes a hostname of the route"},
		{"a TLSRoute is not asked by HTTP", kindOf("TLSRoute", routeOf("shop", "mail", ref("pass"), "mail.shop.example")), "tls://mail.shop.example/", ""},
		{"a TLSRoute at none of HTTPS", kindOf("TLSRoute", routeOf("shop", "mail", ref("web"), "mail.shop.example")), "", "none of its listeners takes a hostname of the route (looked at are those of protocol TLS"},
		{"8443 is the port behind 443", kindOf("TLSRoute", routeOf("shop", "mail", ref("behind"), "mail.zoo.example")), "tls://mail.zoo.example/", ""},
		{"what is no HTTPS port is another port outside", kindOf("TLSRoute", routeOf("shop", "db", ref("db"), "db.shop.example")), "", "none of its listeners takes"},
		{"a TLSRoute without hostnames has the listener's", kindOf("TLSRoute", routeOf("shop", "mail", ref("pass"))), "tls://*.shop.example/", ""},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			inv := fed(t, edge, test.route).Inventory()
			var keys []string
			for _, target := range inv.Targets {
				keys = append(keys, target.Key)
				if target.TLSOnly != strings.HasPrefix(target.Key, "tls://") || target.Declarations[0].Gateway != "infra/edge" {
					t.Errorf("target: %+v", target)
				}
			}
			if got := strings.Join(keys, " "); got != test.want {
				t.Errorf("targets %q, want %q", got, test.want)
			}
			if got := noticesOf(inv); !strings.Contains(got, test.notice) || (test.notice == "") != (got == "") {
				t.Errorf("notices %q, want %q", got, test.notice)
			}
		})
	}
}

// What a gRPC server says to a plain GET is its own affair, but an HTTPRoute of the
// same host answers it.
func TestAnyAnswerOfAGRPCRouteIsRight(t *testing.T) {
	edge := gatewayOf("shop", "edge", "t", "web HTTPS 443")
	parents := []any{object{"name": "edge"}}
	grpc := kindOf("GRPCRoute", routeOf("shop", "api", parents, "api.shop.example"))
	asked := annotated(kindOf("GRPCRoute", routeOf("shop", "asked", parents, "asked.shop.example")), object{annotationStatus: "415"})
	inv := fed(t, edge, grpc, asked).Inventory()
	if got := inv.Targets[0].Expect.Status; !slices.Equal(got, []inventory.StatusRange{{From: 100, To: 599}}) {
		t.Errorf("a GRPCRoute: %+v", got)
	}
	if got := inv.Targets[1].Expect.Status; !slices.Equal(got, []inventory.StatusRange{{From: 415, To: 415}}) {
		t.Errorf("one that says what is right: %+v", got)
	}
	if got := fed(t, edge, grpc, routeOf("shop", "web", parents, "api.shop.example")).Inventory().Targets[0].Expect.Status; got != nil {
		t.Errorf("beside an HTTPRoute: %+v", got)
	}
}

func TestRoutesOfAListenerSet(t *testing.T) {
	edge := func() object {
		g := opened(gatewayOf("infra", "edge", "t", "web HTTPS 443 own.example"))
		g["status"] = object{"addresses": []any{object{"value": "203.0.113.10"}}}
		return g
	}
	at := object{"name": "edge", "namespace": "infra"}
	set := func(parent object) object {
		return listenerSetOf("shop", "more", parent, "web HTTPS 443 *.shop.example", "odd HTTPS 443 no_name", "pass TLS 443 mail.shop.example")
	}
	accepted := func(o object, status string) object {
		o["status"] = object{"conditions": []any{object{"type": "Accepted", "status": status, "reason": "NotAllowed", "message": "no"}}}
		return o
	}
	odd := `ListenerSet shop/more: listener hostname "no_name": it is no DNS name`
	route := func(hosts ...any) object {
		return routeOf("shop", "web", []any{object{"kind": "ListenerSet", "group": gatewayGroup, "name": "more"}}, hosts...)
	}
	tests := []struct {
		rule    string
		objects []object
		want    string
		notice  string
	}{
		{"its listeners take the hosts", []object{edge(), set(at), route("www.shop.example", "own.example")}, "www.shop.example", odd},
		{"and give theirs to a route without", []object{edge(), set(at), route()}, "*.shop.example", odd},
		{"a TLSRoute has those of TLS", []object{edge(), set(at), kindOf("TLSRoute", route())}, "mail.shop.example", odd},
		{"the Gateway's own are not in it", []object{edge(), set(at), route("own.example")}, "", "none of its listeners takes a hostname"},
		{"nor its listeners in the Gateway", []object{edge(), set(at), routeOf("shop", "web", []any{at}, "www.shop.example")}, "", "none of its listeners takes a hostname"},
		{"a Gateway that takes no sets", []object{gatewayOf("infra", "edge", "t"), set(at), route("www.shop.example")}, "", "the ListenerSet is not accepted: spec.allowedListeners of infra/edge allows none"},
		{"unless its controller did take it", []object{gatewayOf("infra", "edge", "t"), accepted(set(at), "True"), route("www.shop.example")}, "www.shop.example", odd},
		{"a set that is refused", []object{edge(), accepted(set(at), "False"), route("www.shop.example")}, "", "the ListenerSet is not accepted: NotAllowed: no"},
		{"a set that waits", []object{edge(), accepted(set(at), "Unknown"), route("www.shop.example")}, "www.shop.example", odd},
		{"one of before it was a standard", []object{edge(), set(at), routeOf("shop", "web", []any{
			object{"kind": "XListenerSet", "group": "gateway.networking.x-k8s.io", "name": "more"},
		}, "www.shop.example")}, "", `parentRef "more": an XListenerSet, which is experimental, is not read`},
		{"no such set", []object{edge(), route("www.shop.example")}, "", "there is no such ListenerSet of a Gateway"},
		{"a set of another kind of parent", []object{edge(), set(object{"kind": "Service", "name": "x"}), route("www.shop.example")}, "", "there is no such ListenerSet of a Gateway"},
		{"a set whose Gateway is gone", []object{set(at), route("www.shop.example")}, "", "there is no Gateway infra/edge, of which it is a ListenerSet"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			inv := fed(t, test.objects...).Inventory()
			if got := strings.Join(hosts(inv), " "); got != test.want {
				t.Errorf("hosts %q, want %q", got, test.want)
			}
			if got := noticesOf(inv); !strings.Contains(got, test.notice) {
				t.Errorf("notices %q, want %q", got, test.notice)
			}
			for _, target := range inv.Targets {
				if d := target.Declarations[0]; d.Gateway != "infra/edge" || d.Class != "t" {
					t.Errorf("declaration: %+v", d)
				}
			}
		})
	}
}

// A ListenerSet that cannot be read is no ListenerSet that is not there.
func TestAForbiddenListenerSetIsAGap(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	installCRDs(k)
	apply(t, k, opened(gatewayOf("shop", "edge", "t", "web HTTPS 443")), listenerSetOf("shop", "more", object{"name": "edge"}, "web HTTPS 443"),
		routeOf("shop", "web", []any{object{"kind": "ListenerSet", "name": "more"}}, "www.shop.example"))
	k.SetAllowed("listenersets", false)
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	if g := gapOf(inv, "ListenerSets"); len(inv.Gaps) != 1 || g == nil || len(inv.Targets) != 1 || inv.Targets[0].Declarations[0].Gateway != "" {
		t.Errorf("inventory: %+v", inv)
	}
	k.SetAllowed("listenersets", true)
	await(t, c, "the ListenerSet", func(i inventory.Inventory) bool {
		return len(i.Gaps) == 0 && len(i.Targets) == 1 && i.Targets[0].Declarations[0].Gateway == "shop/edge"
	})
}

// Before version 1.5 of the Gateway API TLSRoutes were served as v1alpha2 or v1alpha3
// alone; whoever updates it has them as v1 from one moment to the next.
func TestTheVersionThatIsServedIsRead(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	k.AddResource(gatewayGroup, "v1", "Gateway", "gateways", true)
	k.AddResource(gatewayGroup, "v1alpha2", "TLSRoute", "tlsroutes", true)
	older := kindOf("TLSRoute", routeOf("shop", "mail", []any{object{"name": "edge"}}, "mail.shop.example"))
	older["apiVersion"] = gatewayGroup + "/v1alpha2"
	apply(t, k, gatewayOf("shop", "edge", "t", "pass TLS 443"), older)
	c := impatient(t, k, Settings{})
	await(t, c, "the TLSRoute of v1alpha2", func(i inventory.Inventory) bool { return len(i.Targets) == 1 && len(i.Gaps) == 0 })
	k.RemoveResource("TLSRoute")
	k.AddResource(gatewayGroup, "v1", "TLSRoute", "tlsroutes", true)
	apply(t, k, kindOf("TLSRoute", routeOf("shop", "imap", []any{object{"name": "edge"}}, "imap.shop.example")))
	await(t, c, "the TLSRoute of v1", func(i inventory.Inventory) bool {
		return len(i.Gaps) == 0 && slices.Equal(hosts(i), []string{"imap.shop.example"})
	})
}

// A server at whose address nobody listens is not waited for, by none of the feeds.
func TestSyncDoesNotWaitForAServerThatRefuses(t *testing.T) {
	t.Parallel()
	k, err := lab.NewKubernetes("secret")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Settings{Kubeconfig: kubeconfig(t, k), Namespaces: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	c.Start(ctx)
	t.Cleanup(func() { stop(); c.Wait() })
	limit, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	began := time.Now()
	c.Sync(limit)
	if limit.Err() != nil {
		t.Fatalf("it waited for its whole limit; gaps: %+v", c.Inventory().Gaps)
	}
	t.Logf("known after %s", time.Since(began).Round(time.Millisecond))
	if gapOf(c.Inventory(), "services in namespace a") == nil {
		t.Errorf("gaps: %+v", c.Inventory().Gaps)
	}
}

// The same if it stops to listen between the discovery documents and the lists.
func TestSyncDoesNotWaitForAServerThatGoesAway(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	installCRDs(k)
	gone := lab.HTTPWhen(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "gateway.networking") }, lab.KubeError(503, "ServiceUnavailable", "no"))
	k.SetFault(gone)
	c, err := Open(Settings{Kubeconfig: kubeconfig(t, k)})
	if err != nil {
		t.Fatal(err)
	}
	c.served.every = 20 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	c.Start(ctx)
	t.Cleanup(func() { stop(); c.Wait() })
	await(t, c, "the Service", func(i inventory.Inventory) bool { return len(i.Services) == 1 })
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	limit, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	c.Sync(limit)
	if limit.Err() != nil {
		t.Fatalf("it waited for its whole limit; gaps: %+v", c.Inventory().Gaps)
	}
}
