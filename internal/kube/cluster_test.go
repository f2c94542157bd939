package kube

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

// object is a JSON object, for short test literals.
type object = map[string]any

func service(namespace, name string, status ...object) object {
	return object{
		"apiVersion": "v1", "kind": "Service",
		"metadata": object{"namespace": namespace, "name": name},
		"spec":     object{"type": "LoadBalancer"},
		"status":   object{"loadBalancer": object{"ingress": status}},
	}
}

func ingressOf(namespace, name, class string, hosts ...string) object {
	var rules []any
	for _, h := range hosts {
		rules = append(rules, object{"host": h})
	}
	spec := object{"rules": rules}
	if class != "" {
		spec["ingressClassName"] = class
	}
	return object{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
		"metadata": object{"namespace": namespace, "name": name}, "spec": spec,
	}
}

func ingressClass(name, controller string, isDefault bool) object {
	return object{
		"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
		"metadata": object{"name": name, "annotations": object{annotationDefaultClass: fmt.Sprint(isDefault)}},
		"spec":     object{"controller": controller},
	}
}

// newServer starts an API server that holds the objects.
func newServer(t *testing.T, objects ...object) *lab.Kubernetes {
	t.Helper()
	k, err := lab.NewKubernetes("t0ken")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	apply(t, k, objects...)
	return k
}

func apply(t *testing.T, k *lab.Kubernetes, objects ...object) {
	t.Helper()
	for _, o := range objects {
		if err := k.Apply(o); err != nil {
			t.Fatal(err)
		}
	}
}

func kubeconfig(t *testing.T, k *lab.Kubernetes) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, k.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// open opens a cluster and starts it; it ends with the test.
func open(t *testing.T, k *lab.Kubernetes, s Settings) *Cluster {
	t.Helper()
	s.Kubeconfig = kubeconfig(t, k)
	c, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.Start(ctx)
	t.Cleanup(func() { cancel(); c.Wait() })
	return c
}

// synced opens a cluster and waits for it.
func synced(t *testing.T, k *lab.Kubernetes, s Settings) *Cluster {
	t.Helper()
	c := open(t, k, s)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c.Sync(ctx)
	if ctx.Err() != nil {
		t.Fatalf("no sync in time; gaps: %+v", c.Inventory().Gaps)
	}
	return c
}

// await waits for a change after which the inventory is as wanted.
func await(t *testing.T, c *Cluster, what string, good func(inventory.Inventory) bool) inventory.Inventory {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		inv := c.Inventory()
		if good(inv) {
			return inv
		}
		select {
		case <-c.Changed():
		case <-limit:
			t.Fatalf("%s: not seen; the inventory is %+v", what, inv)
		}
	}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func hosts(inv inventory.Inventory) []string {
	var list []string
	for _, t := range inv.Targets {
		list = append(list, t.Host)
	}
	return list
}

func gapOf(inv inventory.Inventory, what string) *inventory.Gap {
	for _, g := range inv.Gaps {
		if strings.Contains(g.What, what) {
			return &g
		}
	}
	return nil
}

func TestInventoryIsWhatTheClusterDeclares(t *testing.T) {
	traefik := service("traefik", "traefik", object{"ip": "203.0.113.10"}, object{"ip": "2001:db8::10"})
	traefik["metadata"].(object)["labels"] = object{"app.kubernetes.io/name": "traefik", "tier": "edge"}
	traefik["metadata"].(object)["annotations"] = object{annotationBalancerID: "4f0c", "other": "x"}
	internal := service("shop", "db")
	internal["spec"] = object{"type": "ClusterIP"}
	web := ingressOf("shop", "web", "traefik", "WWW.shop.example.", "*.shop.example", "www.shop.example")
	web["status"] = object{"loadBalancer": object{"ingress": []object{{"ip": "203.0.113.10"}, {"hostname": "lb.example"}}}}
	k := newServer(t, traefik, internal, web, ingressClass("traefik", "traefik.io/ingress-controller", false))
	uid := k.Get("Service", "traefik", "traefik")["metadata"].(object)["uid"].(string)
	inv := synced(t, k, Settings{}).Inventory()
	if inv.Services[0].Created.IsZero() {
		t.Error("no creation time")
	}
	inv.Services[0].Created = time.Time{}
	target := func(host string) inventory.Target {
		return inventory.Target{
			Key: "https://" + host + "/", Host: host, Port: 443, Path: "/", Origin: "Ingress shop/web",
			Declarations: []inventory.Declaration{{
				Object: "Ingress shop/web", Class: "traefik", Controller: "traefik.io/ingress-controller",
				StatusAddresses: addrs("203.0.113.10"), StatusHostnames: []string{"lb.example"},
			}},
		}
	}
	want := inventory.Inventory{
		Targets: []inventory.Target{target("*.shop.example"), target("www.shop.example")},
		Services: []inventory.Service{{
			ServiceRef: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}, UID: uid,
			Labels:     map[string]string{"app.kubernetes.io/name": "traefik"},
			Addresses:  addrs("203.0.113.10", "2001:db8::10"),
			BalancerID: "4f0c", BalancerName: "a" + strings.ReplaceAll(uid, "-", "")[:31],
		}},
		Whole:   true,
		Classes: []string{"traefik"},
	}
	if !reflect.DeepEqual(inv, want) {
		t.Errorf("inventory\n got %+v\nwant %+v", inv, want)
	}
}

func TestChangesAreSeen(t *testing.T) {
	k := newServer(t, service("traefik", "traefik", object{"ip": "203.0.113.10"}))
	c := synced(t, k, Settings{})
	apply(t, k, ingressOf("shop", "web", "", "www.shop.example"))
	await(t, c, "a new Ingress", func(i inventory.Inventory) bool { return len(i.Targets) == 1 })
	apply(t, k, service("traefik", "traefik", object{"ip": "203.0.113.77"}))
	await(t, c, "another address", func(i inventory.Inventory) bool {
		return reflect.DeepEqual(i.Services[0].Addresses, addrs("203.0.113.77"))
	})
	held := service("traefik", "traefik", object{"ip": "203.0.113.77"})
	held["metadata"].(object)["finalizers"] = []string{"service.kubernetes.io/load-balancer-cleanup"}
	apply(t, k, held)
	if err := k.Delete("Service", "traefik", "traefik"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "a deletion begun", func(i inventory.Inventory) bool { return i.Services[0].Deleting })
	apply(t, k, service("traefik", "traefik"))
	await(t, c, "a deletion done", func(i inventory.Inventory) bool { return len(i.Services) == 0 })
	if err := k.Delete("Ingress", "shop", "web"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "an Ingress deleted", func(i inventory.Inventory) bool { return len(i.Targets) == 0 })
}

func TestServiceThatIsNoLongerOfTheTypeIsDropped(t *testing.T) {
	k := newServer(t, service("traefik", "traefik", object{"ip": "203.0.113.10"}))
	c := synced(t, k, Settings{})
	flipped := service("traefik", "traefik")
	flipped["spec"] = object{"type": "ClusterIP"}
	apply(t, k, flipped)
	await(t, c, "ClusterIP", func(i inventory.Inventory) bool { return len(i.Services) == 0 })
	apply(t, k, service("traefik", "traefik", object{"ip": "203.0.113.10"}))
	await(t, c, "LoadBalancer again", func(i inventory.Inventory) bool { return len(i.Services) == 1 })
}

func TestChangesWhileTheHistoryWasLostAreSeen(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"), service("a", "two"))
	c := synced(t, k, Settings{})
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := k.Delete("Service", "a", "one"); err != nil {
		t.Fatal(err)
	}
	k.Expire() // so the deletion is not told as an event: only a new list shows it
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	inv := await(t, c, "the deletion", func(i inventory.Inventory) bool { return len(i.Services) == 1 && len(i.Gaps) == 0 })
	if inv.Services[0].Name != "two" {
		t.Errorf("the wrong Service is left: %+v", inv.Services)
	}
}

func TestOnlyNamedNamespacesAreAsked(t *testing.T) {
	k := newServer(t, service("a", "one"), service("b", "two"), service("c", "three"), ingressOf("b", "web", "", "b.example"), ingressOf("c", "web", "", "c.example"))
	k.SetFault(lab.HTTPFor("", "/apis/networking.k8s.io/v1/namespaces/a/", lab.KubeError(403, "Forbidden", "no")))
	c := synced(t, k, Settings{Namespaces: []string{"b", "a", "b", ""}})
	inv := c.Inventory()
	if len(inv.Services) != 2 || inv.Services[0].Namespace != "a" || !reflect.DeepEqual(hosts(inv), []string{"b.example"}) {
		t.Errorf("inventory: %+v", inv)
	}
	if g := gapOf(inv, "ingresses in namespace a"); g == nil || !strings.Contains(g.Hint, "a Role in namespace a") {
		t.Errorf("gaps: %+v", inv.Gaps)
	}
	for _, r := range k.Requests.All() {
		discovery := strings.HasPrefix(r.Path, "/apis/") && strings.Count(r.Path, "/") == 3
		if !discovery && !strings.Contains(r.Path, "/namespaces/") && !strings.HasSuffix(r.Path, "/ingressclasses") {
			t.Errorf("asked for %s", r.Path)
		}
	}
}

func TestItEndsWithItsContextAndLogsOnce(t *testing.T) {
	k := newServer(t)
	k.SetAllowed("services", false)
	var lines strings.Builder
	c, err := Open(Settings{Kubeconfig: kubeconfig(t, k), Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.Start(ctx)
	c.Sync(t.Context())
	cancel()
	c.Wait()
	if got := strings.Count(lines.String(), "\n"); got != 1 || !strings.Contains(lines.String(), "can't list services") {
		t.Errorf("want one line of log, got %d:\n%s", got, lines.String())
	}
}

// People keep passwords in annotations.
func TestTheDebugLogHoldsNoObjects(t *testing.T) {
	annotated := service("a", "one")
	annotated["metadata"].(object)["annotations"] = object{"example.org/password": "5ecret"}
	k := newServer(t, annotated)
	// Without initial events the client lists, and has the whole list in one answer.
	k.SetFault(lab.HTTPWhen(func(r *http.Request) bool { return r.URL.Query().Has("sendInitialEvents") },
		lab.KubeError(422, "Invalid", "no initial events")))
	var lines strings.Builder
	c, err := Open(Settings{
		Kubeconfig: kubeconfig(t, k),
		Log:        slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.Start(ctx)
	c.Sync(t.Context())
	cancel()
	c.Wait()
	if len(c.Inventory().Services) != 1 || !strings.Contains(lines.String(), "level=DEBUG") {
		t.Fatalf("the Service is not known, or the client logs nothing:\n%s", lines.String())
	}
	if strings.Contains(lines.String(), "5ecret") {
		t.Errorf("an annotation is logged:\n%s", lines.String())
	}
}
