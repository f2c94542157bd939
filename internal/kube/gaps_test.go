package kube

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

func TestOneResourceForbiddenLeavesTheOthers(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("traefik", "traefik", object{"ip": "203.0.113.10"}), ingressOf("shop", "web", "", "www.shop.example"))
	k.SetAllowed("ingresses", false)
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	if len(inv.Services) != 1 || len(inv.Targets) != 0 || len(inv.Gaps) != 1 {
		t.Fatalf("want one Service and one gap: %+v", inv)
	}
	g := inv.Gaps[0]
	if g.Since.IsZero() {
		t.Error("the gap has no beginning")
	}
	g.Since = time.Time{}
	want := inventory.Gap{
		Source: "kubernetes", Resources: []string{"ingresses"}, What: "ingresses",
		Why:  "not allowed (403) for lab",
		Hint: "grant list and watch on ingresses (apiGroup networking.k8s.io) by a ClusterRole",
	}
	if !reflect.DeepEqual(g, want) {
		t.Errorf("gap\n got %+v\nwant %+v", g, want)
	}
	k.SetAllowed("ingresses", true)
	inv = await(t, c, "the gap closed", func(i inventory.Inventory) bool { return len(i.Gaps) == 0 })
	if len(inv.Targets) != 1 {
		t.Errorf("the Ingress is missing: %+v", inv)
	}
}

func TestWrongTokenIsOneGapAtOnce(t *testing.T) {
	k := newServer(t)
	k.SetToken("another")
	file := kubeconfig(t, k)
	k.SetToken("t0ken")
	c, err := Open(Settings{Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); c.Wait() }()
	c.Start(ctx)
	c.Sync(t.Context())
	gaps := c.Inventory().Gaps
	if len(gaps) != 1 || gaps[0].What != "services, ingresses, ingress classes" || !strings.Contains(gaps[0].Why, "401") {
		t.Fatalf("want one gap for all: %+v", gaps)
	}
	if !strings.Contains(gaps[0].Hint, file) || !strings.Contains(gaps[0].Hint, "context lab") {
		t.Errorf("the hint does not name the file and context: %q", gaps[0].Hint)
	}
}

func TestAbsentResourceIsAGap(t *testing.T) {
	k := newServer(t, service("a", "one"))
	k.SetFault(lab.HTTPFor("", "/apis/networking.k8s.io/v1/ingressclasses", lab.KubeError(404, "NotFound", "the server could not find the requested resource")))
	c := synced(t, k, Settings{})
	g := gapOf(c.Inventory(), "ingress classes")
	if g == nil || !strings.Contains(g.Why, "does not serve ingressclasses of networking.k8s.io/v1") || g.Held {
		t.Errorf("gap: %+v", g)
	}
}

func TestServerDownAtStartIsAGapAtOnce(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	c := open(t, k, Settings{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c.Sync(ctx)
	if ctx.Err() != nil {
		t.Error("Sync waits, although nobody listens")
	}
	if inv := c.Inventory(); len(inv.Gaps) != 1 || inv.Gaps[0].Held || !strings.Contains(inv.Gaps[0].Why, "refused") {
		t.Errorf("gaps: %+v", inv.Gaps)
	}
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, c, "recovery", func(i inventory.Inventory) bool { return len(i.Gaps) == 0 && len(i.Services) == 1 })
}

func TestSilentServerIsAGapAtTheDeadline(t *testing.T) {
	k := newServer(t)
	k.SetFault(lab.HTTPHang)
	c := open(t, k, Settings{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	c.Sync(ctx)
	gaps := c.Inventory().Gaps
	if len(gaps) != 1 || gaps[0].Why != "the cluster has not given a complete list yet" {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestServerLostLaterHoldsWhatIsKnown(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"), ingressOf("shop", "web", "", "www.shop.example"))
	c := synced(t, k, Settings{})
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	inv := await(t, c, "the gap", func(i inventory.Inventory) bool {
		return len(i.Gaps) == 1 && strings.Contains(i.Gaps[0].What, ", ingress classes")
	})
	if !inv.Gaps[0].Held || len(inv.Services) != 1 || len(inv.Targets) != 1 {
		t.Errorf("what was known is not held: %+v", inv)
	}
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, c, "recovery", func(i inventory.Inventory) bool { return len(i.Gaps) == 0 })
}

func TestServerWithoutInitialEventsIsListed(t *testing.T) {
	k := newServer(t, service("a", "one"))
	k.SetFault(lab.HTTPWhen(func(r *http.Request) bool { return r.URL.Query().Has("sendInitialEvents") },
		lab.KubeError(422, "Invalid", "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")))
	c := synced(t, k, Settings{})
	if inv := c.Inventory(); len(inv.Services) != 1 || len(inv.Gaps) != 0 {
		t.Errorf("inventory: %+v", inv)
	}
	apply(t, k, service("a", "two"))
	await(t, c, "an event", func(i inventory.Inventory) bool { return len(i.Services) == 2 })
}

func TestWatchForbiddenAndListAllowedIsAHeldGap(t *testing.T) {
	k := newServer(t, service("a", "one"))
	k.SetFault(lab.HTTPWhen(func(r *http.Request) bool {
		return r.URL.Query().Get("watch") == "true" && strings.Contains(r.URL.Path, "services")
	},
		lab.KubeError(403, "Forbidden", `services is forbidden: cannot watch`)))
	c := synced(t, k, Settings{})
	inv := await(t, c, "the gap", func(i inventory.Inventory) bool { return len(i.Gaps) == 1 })
	if g := inv.Gaps[0]; g.What != "services" || !g.Held || len(inv.Services) != 1 {
		t.Errorf("inventory: %+v", inv)
	}
}

func TestPermissionLostLaterHoldsWhatIsKnown(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"))
	c := synced(t, k, Settings{})
	k.SetAllowed("services", false)
	k.EndWatches()
	inv := await(t, c, "the gap", func(i inventory.Inventory) bool { return len(i.Gaps) == 1 })
	if g := inv.Gaps[0]; g.What != "services" || !g.Held || !strings.Contains(g.Why, "not allowed") || len(inv.Services) != 1 {
		t.Errorf("inventory: %+v", inv)
	}
	k.SetAllowed("services", true)
	await(t, c, "recovery", func(i inventory.Inventory) bool { return len(i.Gaps) == 0 && len(i.Services) == 1 })
}
