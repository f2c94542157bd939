package kube

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

func TestHostName(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		rule, raw, want string // want empty: refused
	}{
		{"upper case becomes lower", "WWW.Shop.Example", "www.shop.example"},
		{"a final dot goes", "www.shop.example.", "www.shop.example"},
		{"a wildcard stays", "*.shop.example", "*.shop.example"},
		{"a label may have 63 characters", long + ".example", long + ".example"},
		{"and not 64", "a" + long + ".example", ""},
		{"a name may not have 254", strings.Repeat("abc.", 63) + "ab", ""},
		{"an address is no name", "203.0.113.7", ""},
		{"nor is an IPv6 address", "2001:db8::1", ""},
		{"a port is no part of a name", "shop.example:443", ""},
		{"a star inside is no wildcard", "www.*.example", ""},
		{"a star alone is no name", "*", ""},
		{"nor a star with nothing after it", "*.", ""},
		{"two dots in a row", "www..example", ""},
		{"a hyphen in front", "-www.example", ""},
		{"a hyphen at the end", "www-.example", ""},
		{"a control character", "www\n.example", ""},
		{"a letter outside ASCII", "bücher.example", ""},
		{"nothing", "", ""},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			if got, ok := hostName(test.raw); got != test.want || ok != (test.want != "") {
				t.Errorf("hostName(%q) = %q, %v", test.raw, got, ok)
			}
		})
	}
}

func TestClassOfAnIngress(t *testing.T) {
	class := func(name, controller, created string, isDefault bool) object {
		o := ingressClass(name, controller, isDefault)
		o["metadata"].(object)["creationTimestamp"] = created
		return o
	}
	annotated := func(o object, value string) object {
		o["metadata"].(object)["annotations"] = object{annotationClass: value}
		return o
	}
	two := []object{class("nginx", "k8s.io/ingress-nginx", "2026-01-01T00:00:00Z", false), class("traefik", "traefik.io/ingress-controller", "2026-01-02T00:00:00Z", true)}
	tests := []struct {
		rule              string
		o                 object
		classes           []object
		class, controller string
	}{
		{"spec.ingressClassName names it", ingressOf("a", "i", "nginx", "x.example"), two, "nginx", "k8s.io/ingress-nginx"},
		{"the annotation names it", annotated(ingressOf("a", "i", "", "x.example"), "nginx"), two, "nginx", "k8s.io/ingress-nginx"},
		{"the field goes before the annotation", annotated(ingressOf("a", "i", "traefik", "x.example"), "nginx"), two, "traefik", "traefik.io/ingress-controller"},
		{"none named: the default class", ingressOf("a", "i", "", "x.example"), two, "traefik", "traefik.io/ingress-controller"},
		{"of two default classes the younger", ingressOf("a", "i", "", "x.example"),
			append([]object{class("young", "example.com/y", "2026-02-01T00:00:00Z", true)}, two...), "young", "example.com/y"},
		{"of two as old the first by name", ingressOf("a", "i", "", "x.example"),
			append([]object{class("alpha", "example.com/a", "2026-01-02T00:00:00Z", true)}, two...), "alpha", "example.com/a"},
		{"no default class: none", ingressOf("a", "i", "", "x.example"), two[:1], "", ""},
		{"a class without an object has no controller", ingressOf("a", "i", "gone", "x.example"), two, "gone", ""},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			c := offline()
			if err := c.declaring[0].Add(unstructuredOf(test.o)); err != nil {
				t.Fatal(err)
			}
			for _, k := range test.classes {
				if err := c.classes.Add(unstructuredOf(k)); err != nil {
					t.Fatal(err)
				}
			}
			got := c.Inventory().Targets[0].Declarations[0]
			if got.Class != test.class || got.Controller != test.controller {
				t.Errorf("class %q, controller %q", got.Class, got.Controller)
			}
		})
	}
}

func TestServiceFields(t *testing.T) {
	const uid = "6f1d0000-1111-4000-8000-0123456789ab"
	with := func(key, value string) object {
		o := service("a", "one", object{"ip": "::ffff:203.0.113.7"}, object{"ip": "no address"}, object{"ip": "203.0.113.7"}, object{"hostname": "LB.Example."}, object{"hostname": "*.bad"}, object{"ip": "0.0.0.0"}, object{"ip": "::"}, object{})
		o["metadata"].(object)["uid"] = uid
		o["metadata"].(object)["annotations"] = object{key: value}
		return o
	}
	want := inventory.Service{
		ServiceRef: inventory.ServiceRef{Namespace: "a", Name: "one"}, UID: uid,
		Addresses: addrs("203.0.113.7"), Hostnames: []string{"lb.example"},
		BalancerName: "a6f1d00001111400080000123456789a",
	}
	if got, _ := readService(unstructuredOf(with("", ""))); !reflect.DeepEqual(got.service, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if got, _ := readService(unstructuredOf(with(annotationBalancerName, "k8s-main"))); got.service.BalancerName != "k8s-main" {
		t.Errorf("the annotated name is not used: %q", got.service.BalancerName)
	}
	if got, _ := readService(unstructuredOf(with(annotationBalancerID, strings.Repeat("x", 1<<20)))); got.service.BalancerID != "" {
		t.Errorf("an id of %d bytes is kept", len(got.service.BalancerID))
	}
}

func TestIngressWithTooManyHostsIsBoundedAndSaysSo(t *testing.T) {
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("h%05d.shop.example", i))
	}
	c := offline()
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		if err := c.declaring[0].Add(unstructuredOf(ingressOf("shop", name, "", many...))); err != nil {
			t.Fatal(err)
		}
	}
	inv := c.Inventory()
	if len(inv.Targets) != maxHosts {
		t.Errorf("%d targets", len(inv.Targets))
	}
	g := gapOf(inv, "some hosts of Ingress")
	if g == nil || !g.Bound || g.What != "some hosts of Ingress shop/a, Ingress shop/b, Ingress shop/c, Ingress shop/d, Ingress shop/e and 2 more" {
		t.Errorf("gaps: %+v", inv.Gaps)
	}
}

func TestIngressKeepsItsGoodHosts(t *testing.T) {
	i, _ := readIngress(unstructuredOf(ingressOf("a", "i", "", "b.example", "not a name", "", "a.example", "B.EXAMPLE", "203.0.113.1")))
	if !reflect.DeepEqual(i.hosts, []string{"a.example", "b.example"}) || i.more {
		t.Errorf("%+v", i)
	}
}

// FuzzRead feeds any JSON object to the readers: no panic, and nothing unbounded
// or unfit for a DNS question comes out.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"metadata":{"name":"x","uid":7},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},7,null]}}}`,
		`{"metadata":[],"spec":{"rules":{"host":"x"}},"status":null}`,
		`{"metadata":{"annotations":{"kubernetes.io/ingress.class":{}},"labels":7},"spec":{"rules":[{"host":"A.example"},{"host":7},[]]}}`,
		`{"metadata":{"creationTimestamp":"never","deletionTimestamp":{}},"spec":{"type":"LoadBalancer"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var o object
		if json.Unmarshal(raw, &o) != nil || o == nil {
			return
		}
		u := &unstructured.Unstructured{Object: o}
		readClass(u)
		readGatewayClass(u)
		s, _ := readService(u)
		g, _ := readGateway(u)
		set, _ := readListenerSet(u)
		if n, _ := readSlice(u); n.Total > maxEndpoints || n.Ready > n.Total {
			t.Errorf("endpoints: %+v", n)
		}
		var all []string
		for _, read := range []func(*unstructured.Unstructured) (declaring, bool){readIngress, readHTTPRoute, readGRPCRoute, readTLSRoute, readIngressRoute, readIngressRouteTCP} {
			d, _ := read(u)
			if len(d.hosts) > maxHosts || len(d.class) > maxValue || len(d.parents) > maxParents || len(d.notices) > maxNotices {
				t.Errorf("unbounded: %+v", d)
			}
			for _, p := range d.parents {
				all = append(all, g.listeners.hostsAt(p, d, 443)...)
				all = append(all, set.listeners.hostsAt(p, d, 443)...)
			}
			all = append(all, d.hosts...)
		}
		if len(s.service.Addresses) > maxStatuses || len(s.service.BalancerID) > maxValue || len(g.listeners) > maxListeners || len(set.notices) > maxNotices {
			t.Errorf("unbounded: %d addresses, %d listeners", len(s.service.Addresses), len(g.listeners))
		}
		for _, h := range all {
			if again, ok := hostName(h); !ok || again != h {
				t.Errorf("host %q is not in its final form", h)
			}
		}
	})
}
