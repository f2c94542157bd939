package kube

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

// impatient opens a cluster that looks for absent resources very often.
func impatient(t *testing.T, k *lab.Kubernetes, s Settings) *Cluster {
	t.Helper()
	s.Kubeconfig = kubeconfig(t, k)
	c, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	c.served.every = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	c.Start(ctx)
	t.Cleanup(func() { cancel(); c.Wait() })
	limit, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	c.Sync(limit)
	if limit.Err() != nil {
		t.Fatalf("no sync in time; gaps: %+v", c.Inventory().Gaps)
	}
	return c
}

func TestResourcesThatAreNotThereAreNoGap(t *testing.T) {
	for name, deny := range map[string][]string{
		"with all rights": nil,
		"without rights":  {"httproutes", "grpcroutes", "tlsroutes", "listenersets", "gateways", "gatewayclasses", "ingressroutes", "ingressroutetcps"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newServer(t, service("a", "one"))
			for _, plural := range deny {
				k.SetAllowed(plural, false)
			}
			if inv := synced(t, k, Settings{}).Inventory(); len(inv.Gaps) != 0 || len(inv.Services) != 1 {
				t.Errorf("inventory: %+v", inv)
			}
		})
	}
}

func TestResourcesThatAppearAndVanishAreFollowed(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	c := impatient(t, k, Settings{})
	installCRDs(k)
	apply(t, k, ingressRoute("shop", "web", "Host(`www.shop.example`)"))
	await(t, c, "the IngressRoute", func(i inventory.Inventory) bool { return len(i.Targets) == 1 && len(i.Gaps) == 0 })
	apply(t, k, gatewayClass("t", "example.com/c"), gatewayOf("shop", "edge", "t", "http HTTP 80"), routeOf("shop", "api", []any{object{"name": "edge"}}, "api.shop.example"))
	await(t, c, "the HTTPRoute with its class", func(i inventory.Inventory) bool {
		return len(i.Targets) == 2 && i.Targets[0].Declarations[0].Controller == "example.com/c"
	})
	k.RemoveResource("IngressRoute")
	inv := await(t, c, "IngressRoutes gone", func(i inventory.Inventory) bool { return len(i.Targets) == 1 && len(i.Gaps) == 0 })
	if inv.Targets[0].Host != "api.shop.example" {
		t.Errorf("targets: %+v", inv.Targets)
	}
	k.AddResource("traefik.io", "v1alpha1", "IngressRoute", "ingressroutes", true)
	apply(t, k, ingressRoute("shop", "again", "Host(`again.shop.example`)"))
	await(t, c, "IngressRoutes again", func(i inventory.Inventory) bool { return len(i.Targets) == 2 && len(i.Gaps) == 0 })
}

// A discovery document that lacks a resource once is not believed at once.
func TestResourceThatVanishesIsHeldFirst(t *testing.T) {
	c := fed(t, ingressRoute("shop", "web", "Host(`www.shop.example`)"))
	f := c.declaring[2]
	f.missing(time.Now())
	if inv := c.Inventory(); len(inv.Targets) != 1 || gapOf(inv, "IngressRoutes") == nil || !gapOf(inv, "IngressRoutes").Held {
		t.Errorf("after the first look: %+v", inv)
	}
	f.missing(time.Now())
	if inv := c.Inventory(); len(inv.Targets) != 0 || gapOf(inv, "IngressRoutes") != nil {
		t.Errorf("after the second: %+v", inv)
	}
}

func TestForbiddenResourceThatIsThereIsAGap(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	installCRDs(k)
	apply(t, k, ingressRoute("shop", "web", "Host(`www.shop.example`)"))
	k.SetAllowed("ingressroutes", false)
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	g := gapOf(inv, "IngressRoutes")
	if len(inv.Gaps) != 1 || g == nil || g.Hint != "grant list and watch on ingressroutes (apiGroup traefik.io) by a ClusterRole" {
		t.Errorf("gaps: %+v", inv.Gaps)
	}
	k.SetAllowed("ingressroutes", true)
	await(t, c, "the IngressRoute", func(i inventory.Inventory) bool { return len(i.Targets) == 1 && len(i.Gaps) == 0 })
}

func TestForbiddenDiscoveryIsGotAround(t *testing.T) {
	k := newServer(t, service("a", "one"))
	installCRDs(k)
	apply(t, k, ingressRoute("shop", "web", "Host(`www.shop.example`)"))
	k.SetFault(lab.HTTPWhen(func(r *http.Request) bool { return r.URL.Path == "/apis/traefik.io/v1alpha1" }, lab.KubeError(403, "Forbidden", "no")))
	if inv := synced(t, k, Settings{}).Inventory(); len(inv.Targets) != 1 || len(inv.Gaps) != 0 {
		t.Errorf("inventory: %+v", inv)
	}
}

// With Roles only, what is of the whole cluster cannot be read: that is said, and
// what the namespaces have is used.
func TestRolesOfNamespacesAreEnough(t *testing.T) {
	k := newServer(t, service("edge", "edge", object{"ip": "203.0.113.10"}), ingressOf("shop", "web", "t", "www.shop.example"))
	installCRDs(k)
	apply(t, k, routeOf("shop", "api", []any{object{"name": "edge", "namespace": "infra"}}, "api.shop.example"))
	k.SetAllowed("ingressclasses", false)
	k.SetAllowed("gatewayclasses", false)
	inv := synced(t, k, Settings{Namespaces: []string{"shop", "edge"}}).Inventory()
	if strings.Join(hosts(inv), " ") != "api.shop.example www.shop.example" || len(inv.Services) != 1 || len(inv.Notices) != 0 {
		t.Errorf("inventory: %+v", inv)
	}
	if len(inv.Gaps) != 2 || gapOf(inv, "ingress classes") == nil || gapOf(inv, "Gateway classes") == nil {
		t.Errorf("gaps: %+v", inv.Gaps)
	}
}

func endpointSlice(namespace, name, service string, ready ...any) object {
	var all []any
	for _, r := range ready {
		conditions := object{}
		if r != nil {
			conditions["ready"] = r
		}
		all = append(all, object{"addresses": []any{"10.0.0.1"}, "conditions": conditions})
	}
	return object{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": all,
		"metadata": object{"namespace": namespace, "name": name, "labels": object{labelService: service}},
	}
}

func readyOf(i inventory.Inventory, n int) string {
	if len(i.Services) <= n || i.Services[n].Endpoints == nil {
		return "unknown"
	}
	return fmt.Sprintf("%d of %d", i.Services[n].Endpoints.Ready, i.Services[n].Endpoints.Total)
}

func TestEndpointsOfBalancedServicesAreCounted(t *testing.T) {
	t.Parallel()
	inner := service("edge", "inner")
	inner["spec"] = object{"type": "ClusterIP"}
	k := newServer(t, service("edge", "edge", object{"ip": "203.0.113.10"}), service("hand", "made"), inner,
		endpointSlice("edge", "edge-a", "edge", true, false), endpointSlice("edge", "edge-b", "edge", nil), endpointSlice("edge", "inner-a", "inner", true))
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	if readyOf(inv, 0) != "2 of 3" || readyOf(inv, 1) != "unknown" {
		t.Errorf("edge has %s, a Service without slices %s", readyOf(inv, 0), readyOf(inv, 1))
	}
	apply(t, k, endpointSlice("edge", "edge-a", "edge", false, false), endpointSlice("edge", "edge-b", "edge"))
	await(t, c, "nothing ready", func(i inventory.Inventory) bool { return readyOf(i, 0) == "0 of 2" })
	if err := k.Delete("EndpointSlice", "edge", "edge-a"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "an empty slice", func(i inventory.Inventory) bool { return readyOf(i, 0) == "0 of 0" })
	if err := k.Delete("EndpointSlice", "edge", "edge-b"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "no slice", func(i inventory.Inventory) bool { return readyOf(i, 0) == "unknown" })
	apply(t, k, service("edge", "second"), endpointSlice("edge", "second-a", "second", true))
	await(t, c, "another Service", func(i inventory.Inventory) bool { return readyOf(i, 1) == "1 of 1" && readyOf(i, 0) == "unknown" })
	for _, r := range k.Requests.All() {
		if strings.Contains(r.Path, "endpointslices") && !strings.Contains(r.Path, "/namespaces/edge/") && !strings.Contains(r.Path, "/namespaces/hand/") {
			t.Errorf("asked for %s", r.Path)
		}
	}
	if got := len(c.endpoints.list()[0].snapshot()); got != 1 {
		t.Errorf("%d slices are kept, want that of second alone", got)
	}
}

func TestEndpointsThatServeWhileTheyEndAreReady(t *testing.T) {
	s, _ := readSlice(unstructuredOf(object{"endpoints": []any{
		object{"conditions": object{"ready": false, "serving": true, "terminating": true}},
		object{"conditions": object{"ready": false, "serving": false, "terminating": true}},
	}}))
	if s.Ready != 1 || s.Total != 2 {
		t.Errorf("%+v", s)
	}
}

func TestEndpointsThatCannotBeReadAreNotCounted(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("edge", "edge"), endpointSlice("edge", "a", "edge", false))
	k.SetAllowed("endpointslices", false)
	c := synced(t, k, Settings{})
	inv := await(t, c, "the gap", func(i inventory.Inventory) bool { return gapOf(i, "EndpointSlices in namespace edge") != nil })
	if readyOf(inv, 0) != "unknown" {
		t.Errorf("counted: %s", readyOf(inv, 0))
	}
	k.SetAllowed("endpointslices", true)
	await(t, c, "the count", func(i inventory.Inventory) bool { return readyOf(i, 0) == "0 of 1" && len(i.Gaps) == 0 })
	k.SetAllowed("endpointslices", false)
	k.EndWatches()
	await(t, c, "what is held is no count", func(i inventory.Inventory) bool { return readyOf(i, 0) == "unknown" && len(i.Gaps) == 1 })
}
