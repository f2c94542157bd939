package kube

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/internal/inventory"
)

// A restored or half-started API server gives an empty list without an error. The
// Services are held while it lasts, and let go when it lasts long.
func TestAnEmptyListOfServicesAfterAFullOneIsNotBelievedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fed(t, service("traefik", "traefik", object{"ip": "203.0.113.10"}), ingressOf("shop", "web", "", "www.shop.example"))
		services, ingresses := c.services[0], c.declaring[0]
		held := func() bool {
			inv := c.Inventory()
			return len(inv.Services) == 1 && slices.ContainsFunc(inv.Gaps, func(g inventory.Gap) bool { return g.Held && g.Covers("services") })
		}
		for range 3 {
			if err := services.Replace(nil, "2"); err == nil || !held() {
				t.Fatalf("believed after less than %s: %v, %+v", emptyFor, err, c.Inventory())
			}
			time.Sleep(emptyFor / 4)
		}
		if err := services.Replace([]any{unstructuredOf(service("traefik", "traefik", object{"ip": "203.0.113.10"}))}, "3"); err != nil || held() {
			t.Fatalf("a full list is believed at once: %v, %+v", err, c.Inventory().Gaps)
		}
		if err := services.Replace(nil, "4"); err == nil || !held() {
			t.Fatal("the time counts anew after a full list")
		}
		time.Sleep(emptyFor)
		if err := services.Replace(nil, "5"); err != nil || len(c.Inventory().Services) != 0 || held() {
			t.Errorf("after %s of empty lists: %v, %+v", emptyFor, err, c.Inventory())
		}
		if err := ingresses.Replace(nil, "2"); err != nil || len(c.Inventory().Targets) != 0 {
			t.Errorf("Ingresses may all go: %v", err)
		}
	})
}

func TestADeletionThatIsWatchedIsBelievedAtOnce(t *testing.T) {
	one := service("traefik", "traefik", object{"ip": "203.0.113.10"})
	c := fed(t, one)
	if err := c.services[0].Delete(unstructuredOf(one)); err != nil {
		t.Fatal(err)
	}
	if inv := c.Inventory(); len(inv.Services) != 0 || len(inv.Gaps) != 0 {
		t.Errorf("%+v", inv)
	}
	if err := c.services[0].Replace(nil, "2"); err != nil {
		t.Errorf("an empty list after that: %v", err)
	}
}

func TestWhatAServiceSaysOfItsBalancer(t *testing.T) {
	with := func(annotations object) inventory.Service {
		return fed(t, annotated(service("edge", "edge",
			object{"ip": "203.0.113.10", "ipMode": "VIP"}, object{"ip": "2001:db8::10", "ipMode": "Proxy"}, object{"ip": "203.0.113.11"}), annotations)).Inventory().Services[0]
	}
	plain := with(nil)
	for a, bypassed := range map[string]bool{"203.0.113.10": true, "203.0.113.11": true, "2001:db8::10": false, "203.0.113.99": false} {
		if plain.Bypassed(addrs(a)[0]) != bypassed {
			t.Errorf("%s bypassed: %t", a, !bypassed)
		}
	}
	if plain.Disowned || plain.ProxyProtocol || plain.TerminatesTLS {
		t.Errorf("nothing is annotated: %+v", plain)
	}
	for _, c := range []struct {
		annotation, value            string
		disowned, speaks, terminates bool
	}{
		{annotationDisowned, "true", true, false, false},
		{annotationDisowned, "yes", false, false, false},
		{annotationProxyProtocol, "true", false, true, false},
		{annotationProxyProtocol, "false", false, false, false},
		{annotationProtocol, "https", false, false, true},
		{annotationProtocol, "tcp", false, false, false},
		{annotationTLSPorts, "443", false, false, true},
		{annotationHTTP3Port, "443", false, false, true},
	} {
		s := with(object{c.annotation: c.value})
		if s.Disowned != c.disowned || s.ProxyProtocol != c.speaks || s.TerminatesTLS != c.terminates {
			t.Errorf("%s=%s: disowned %t, PROXY %t, TLS %t", c.annotation, c.value, s.Disowned, s.ProxyProtocol, s.TerminatesTLS)
		}
	}
	if s := with(object{annotationTLSPorts: "443", annotationPassthrough: "true"}); s.TerminatesTLS {
		t.Error("what passes TLS through does not end it")
	}
}

func TestAServiceLeftAloneStillNamesItsBalancer(t *testing.T) {
	inv := fed(t, annotated(service("edge", "edge", object{"ip": "203.0.113.10"}), object{annotationIgnore: "true", annotationBalancerID: "a"})).Inventory()
	if len(inv.Services) != 0 || len(inv.LeftAlone) != 1 || inv.LeftAlone[0].BalancerID != "a" || len(inv.LeftAlone[0].Addresses) != 1 || !inv.Whole {
		t.Errorf("%+v", inv)
	}
}
