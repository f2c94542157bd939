package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"driftprobe/internal/inventory"
)

// labelService is on each EndpointSlice, and names its Service.
const labelService = "kubernetes.io/service-name"

const (
	maxEndpoints = 1000 // of one slice, as the API has it
	// maxSelected bounds the Services in one selector, which stands in a URL, and
	// maxWatched those whose endpoints are watched in one namespace.
	maxSelected = 100
	maxWatched  = 1000
)

// slice is what is kept of an EndpointSlice.
type slice struct {
	service string
	family  string
	inventory.Endpoints
}

// readSlice counts the endpoints that get traffic: those that are ready, which
// silence means too, and those that end but still serve.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions
func readSlice(u *unstructured.Unstructured) (slice, bool) {
	s := slice{service: limited(text(u.Object, "metadata", "labels", labelService)), family: limited(text(u.Object, "addressType"))}
	endpoints := items(u.Object, "endpoints")
	for _, e := range endpoints[:min(len(endpoints), maxEndpoints)] {
		ready, said := field(e, "conditions", "ready").(bool)
		serving, _ := field(e, "conditions", "serving").(bool)
		s.Total++
		if ready || serving || !said {
			s.Ready++
		}
	}
	return s, true
}

// endpoints watches the EndpointSlices of the Services of type LoadBalancer: one feed for
// each namespace that has such Services, and one more for each hundred.
type endpoints struct{ *selection[slice] }

func newEndpoints() *endpoints {
	return &endpoints{newSelection(schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}, readSlice)}
}

// followEndpoints keeps the feeds in step with the Services until ctx ends.
func (c *Cluster) followEndpoints(ctx context.Context) {
	for {
		settled := !slices.ContainsFunc(c.services, func(f *feed[balanced]) bool { return !f.isSettled() })
		if settled {
			c.endpoints.want(ctx, c, selectors(c.services))
			c.endpoints.made()
		}
		select {
		case <-ctx.Done():
			return
		case <-c.endpoints.news:
		}
	}
}

// selectors are the label selectors for the Services, by namespace and number.
func selectors(services []*feed[balanced]) map[string]string {
	names := map[string][]string{}
	for _, f := range services {
		for _, s := range f.snapshot() {
			if s.alone {
				continue
			}
			names[s.service.Namespace] = append(names[s.service.Namespace], s.service.Name)
		}
	}
	all := map[string]string{}
	for namespace, list := range names {
		slices.Sort(list)
		n := 0
		for part := range slices.Chunk(list[:min(len(list), maxWatched)], maxSelected) {
			all[fmt.Sprintf("%s %d", namespace, n)] = labelService + " in (" + strings.Join(part, ",") + ")"
			n++
		}
	}
	return all
}

// behind counts what is ready behind each Service: the family of addresses that has
// most, as each has all of them. A Service without any slice is not counted, as its
// controller makes one, empty if need be, for each Service that has pods to choose;
// nor is what is only held from before.
func (e *endpoints) behind() map[inventory.ServiceRef]inventory.Endpoints {
	type family struct {
		service inventory.ServiceRef
		name    string
	}
	counts := map[family]inventory.Endpoints{}
	for _, f := range e.list() {
		if !f.whole() {
			continue
		}
		for _, s := range f.snapshot() {
			key := family{inventory.ServiceRef{Namespace: f.namespace, Name: s.service}, s.family}
			n := counts[key]
			counts[key] = inventory.Endpoints{Ready: n.Ready + s.Ready, Total: n.Total + s.Total}
		}
	}
	most := map[inventory.ServiceRef]inventory.Endpoints{}
	for key, n := range counts {
		old := most[key.service]
		most[key.service] = inventory.Endpoints{Ready: max(old.Ready, n.Ready), Total: max(old.Total, n.Total)}
	}
	return most
}
