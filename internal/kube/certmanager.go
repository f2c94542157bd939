package kube

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"driftprobe/internal/inventory"
)

// annotationCertificate is on the CertificateRequests and Orders of a Certificate.
// https://cert-manager.io/docs/reference/annotations/
const annotationCertificate = "cert-manager.io/certificate-name"

const (
	maxRefused = 100
	maxOrdered = 20 // hosts of an order
)

// certManager watches what cert-manager orders in one namespace, or in all.
type certManager struct {
	orders   *feed[order]
	requests *feed[certificate]
}

// certificate names a Certificate.
type certificate struct{ namespace, name string }

// order is what is kept of an Order.
type order struct {
	of      certificate
	created time.Time
	// refused is set if the authority refused it because of a limit.
	refused *inventory.RefusedOrder
}

func newCertManager(c *Cluster, namespace string) certManager {
	orders := schema.GroupVersionResource{Group: "acme.cert-manager.io", Version: "v1", Resource: "orders"}
	requests := schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificaterequests"}
	return certManager{
		optional(c.served, newFeed(c.health(orders, namespace), readOrder)),
		optional(c.served, newFeed(c.health(requests, namespace), readRequest)),
	}
}

func certificateOf(u *unstructured.Unstructured) certificate {
	return certificate{u.GetNamespace(), limited(text(u.Object, "metadata", "annotations", annotationCertificate))}
}

func readRequest(u *unstructured.Unstructured) (certificate, bool) {
	of := certificateOf(u)
	return of, of.name != ""
}

// readOrder keeps each, because a newer one of the same Certificate ends a refusal.
// https://cert-manager.io/docs/reference/api-docs/#acme.cert-manager.io/v1.OrderStatus
func readOrder(u *unstructured.Unstructured) (order, bool) {
	o := order{of: certificateOf(u), created: u.GetCreationTimestamp().UTC()}
	reason := text(u.Object, "status", "reason")
	if text(u.Object, "status", "state") != "errored" || !strings.Contains(reason, "rateLimited") {
		return o, o.of.name != ""
	}
	o.refused = &inventory.RefusedOrder{
		Namespace: u.GetNamespace(), Name: u.GetName(), Certificate: o.of.name,
		Reason: strings.ToValidUTF8(reason[:min(len(reason), maxValue)], ""),
	}
	if at, err := time.Parse(time.RFC3339, text(u.Object, "status", "failureTime")); err == nil {
		o.refused.At = at.UTC()
	}
	names := items(u.Object, "spec", "dnsNames")
	for _, n := range names[:min(len(names), maxOrdered)] {
		if s, _ := n.(string); s != "" {
			if host, ok := hostName(s); ok {
				o.refused.Hosts = append(o.refused.Hosts, host)
			}
		}
	}
	slices.Sort(o.refused.Hosts)
	return o, true
}

// refused are the refused orders after which none was made, by name, the first maxRefused.
func (c *Cluster) refused() []inventory.RefusedOrder {
	newest := map[certificate]time.Time{}
	requests := map[certificate]int{}
	var orders []order
	for _, m := range c.certManagers {
		for _, o := range m.orders.values() {
			if o.created.After(newest[o.of]) {
				newest[o.of] = o.created
			}
			orders = append(orders, o)
		}
		for _, of := range m.requests.values() {
			requests[of]++
		}
	}
	var all []inventory.RefusedOrder
	for _, o := range orders {
		if o.refused == nil || o.of.name != "" && o.created.Before(newest[o.of]) {
			continue
		}
		r := *o.refused
		r.Hosts, r.Requests = slices.Clone(r.Hosts), requests[o.of]
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b inventory.RefusedOrder) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), maxRefused)]
}
