package kube

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

// offline is a Cluster that asks nobody: its feeds are fed by the test.
func offline() *Cluster {
	return newCluster(nil, "test", []string{""}, slog.New(slog.DiscardHandler))
}

func unstructuredOf(o object) *unstructured.Unstructured {
	clean := object{}
	for k, v := range o {
		clean[k] = plain(v)
	}
	return &unstructured.Unstructured{Object: clean}
}

// plain makes of a literal what JSON decoding would have made.
func plain(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case []object:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(e))
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(e))
		}
		return out
	}
	return v
}

func signalled(c *Cluster) bool {
	select {
	case <-c.Changed():
		return true
	default:
		return false
	}
}

func TestOnlyRelevantChangesSignal(t *testing.T) {
	base := func() object { return service("a", "one", object{"ip": "203.0.113.10"}) }
	with := func(change func(object)) object { o := base(); change(o); return o }
	meta := func(o object) object { return o["metadata"].(object) }
	tests := []struct {
		rule string
		o    object
		want bool
	}{
		{"the same object again is noise", base(), false},
		{"a new resource version is noise", with(func(o object) { meta(o)["resourceVersion"] = "7" }), false},
		{"a foreign annotation is noise", with(func(o object) { meta(o)["annotations"] = object{"x": "y"} }), false},
		{"an address is a change", service("a", "one", object{"ip": "203.0.113.11"}), true},
		{"a second address is a change", service("a", "one", object{"ip": "203.0.113.10"}, object{"ip": "203.0.113.11"}), true},
		{"the balancer's id is a change", with(func(o object) { meta(o)["annotations"] = object{annotationBalancerID: "1"} }), true},
		{"another type is a change", with(func(o object) { o["spec"] = object{"type": "ClusterIP"} }), true},
		{"another Service is a change", service("a", "two"), true},
		{"another Service of another type is noise", func() object { o := service("a", "two"); o["spec"] = object{"type": "NodePort"}; return o }(), false},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			c := offline()
			f := c.services[0]
			if err := f.Replace([]any{unstructuredOf(base())}, "1"); err != nil {
				t.Fatal(err)
			}
			if !signalled(c) {
				t.Fatal("the first list did not signal")
			}
			if err := f.Update(unstructuredOf(test.o)); err != nil {
				t.Fatal(err)
			}
			if got := signalled(c); got != test.want {
				t.Errorf("signalled: %v, want %v", got, test.want)
			}
		})
	}
}

func TestListsAndDeletionsSignalWhenTheyChangeSomething(t *testing.T) {
	c := offline()
	f := c.services[0]
	one, two := unstructuredOf(service("a", "one")), unstructuredOf(service("a", "two"))
	steps := []struct {
		rule string
		do   func() error
		want bool
	}{
		{"an empty first list makes the unknown known", func() error { return f.Replace(nil, "1") }, true},
		{"the same list again is noise", func() error { return f.Replace(nil, "2") }, false},
		{"a fuller list is a change", func() error { return f.Replace([]any{one, two}, "3") }, true},
		{"the same list in another order is noise", func() error { return f.Replace([]any{two, one}, "4") }, false},
		{"a deletion is a change", func() error { return f.Delete(one) }, true},
		{"a deletion of what was not there is noise", func() error { return f.Delete(one) }, false},
		{"a resync is noise", f.Resync, false},
		{"a shorter list is a change", func() error { return f.Replace([]any{one}, "5") }, true},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if got := signalled(c); got != s.want {
			t.Errorf("%s: signalled %v", s.rule, got)
		}
	}
	if err := f.Add("no object"); err == nil {
		t.Error("a foreign type was taken in")
	}
}

func TestObjectsAreCutDownBeforeTheyAreKept(t *testing.T) {
	c := offline()
	f := c.declaring[0]
	big := ingressOf("shop", "web", "", "www.shop.example")
	big["metadata"].(object)["annotations"] = object{"huge": strings.Repeat("x", 1<<20)}
	kept, err := f.Transformer()(unstructuredOf(big))
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", kept); len(text) > 2000 {
		t.Errorf("%d bytes are kept", len(text))
	}
	again, err := f.Transformer()(kept)
	if err != nil || again != kept {
		t.Errorf("cutting twice is not the same: %v", err)
	}
}

func TestInventoryIsTheCallersOwn(t *testing.T) {
	c := offline()
	labelled := service("a", "one", object{"ip": "203.0.113.10"}, object{"hostname": "lb.example"})
	labelled["metadata"].(object)["labels"] = object{"app.kubernetes.io/name": "traefik"}
	web := ingressOf("shop", "web", "", "www.shop.example")
	web["status"] = object{"loadBalancer": object{"ingress": []object{{"ip": "203.0.113.10"}}}}
	for _, err := range []error{
		c.services[0].Replace([]any{unstructuredOf(labelled)}, "1"),
		c.declaring[0].Replace([]any{unstructuredOf(web)}, "1"), c.classes.Replace(nil, "1"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := c.Inventory()
	spoiled := c.Inventory()
	spoiled.Services[0].Addresses[0] = addrs("192.0.2.1")[0]
	spoiled.Services[0].Hostnames[0] = "other.example"
	maps.Copy(spoiled.Services[0].Labels, map[string]string{"app.kubernetes.io/name": "x"})
	spoiled.Targets[0].Declarations[0].StatusAddresses[0] = addrs("192.0.2.1")[0]
	if after := c.Inventory(); !reflect.DeepEqual(before, after) {
		t.Errorf("changed from outside:\n%+v\n%+v", before, after)
	}
}

func TestInventoryDoesNotDependOnTheOrderOfEvents(t *testing.T) {
	objects := []*unstructured.Unstructured{
		unstructuredOf(ingressOf("b", "second", "other", "www.shop.example", "b.example")),
		unstructuredOf(ingressOf("a", "first", "traefik", "www.shop.example")),
		unstructuredOf(ingressOf("c", "third", "", "*.shop.example")),
	}
	var want inventory.Inventory
	for turn := range objects {
		c := offline()
		for i := range objects {
			if err := c.declaring[0].Add(objects[(i+turn)%len(objects)]); err != nil {
				t.Fatal(err)
			}
		}
		got := c.Inventory()
		if turn == 0 {
			want = got
			if www := got.Targets[2]; www.Host != "www.shop.example" || www.Origin != "Ingress a/first, Ingress b/second" || www.Declarations[0].Class != "traefik" {
				t.Errorf("the objects are not in the order of their namespaces and names: %+v", www)
			}
		}
		if !reflect.DeepEqual(got.Targets, want.Targets) {
			t.Errorf("turn %d: %+v", turn, got.Targets)
		}
	}
}
