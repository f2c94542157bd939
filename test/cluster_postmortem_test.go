package test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// shopInACluster are a Service of Traefik, and the hosts of the shop behind it.
const shopInACluster = `
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: traefik}, spec: {controller: traefik.io/ingress-controller}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  ingressClassName: traefik
  rules: [{host: shop.example}, {host: www.shop.example}, {host: api.shop.example}, {host: auth.shop.example}]
  defaultBackend: {service: {name: shop, port: {number: 80}}}
`

const traefikService = `
apiVersion: v1
kind: Service
metadata: {name: traefik, namespace: traefik, labels: {app.kubernetes.io/name: traefik}}
spec: {type: LoadBalancer, selector: {app: traefik}, ports: [{name: websecure, port: 443}]}
`

// TestThePostMortemInACluster is the outage on a real API server: the Service is
// deleted and created again, the cloud gives it another address, and the records
// stay. It measures how long a person waits to be told.
func TestThePostMortemInACluster(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	c := startCluster(t, w.Net)
	cert := w.CA.Issue(t, "shop.example", "*.shop.example")
	publish(t, w, w.Old)
	old := w.Balancer(t, w.Old, cert)
	account := startCloud(t)
	account.api.SetPool(0, w.Old, w.New)
	o := c.operator(t, account.api)
	c.namespaces(t, "shop", "traefik")
	c.Apply(t, "", traefikService+"---"+shopInACluster)
	o.settle(t)

	p := serve(t, w.Net, c.settings(w, account.section))
	p.await(t, "a report without incidents about all hosts", func(r report) bool {
		return r.Coverage.Hosts == len(shopHosts()) && len(r.Incidents) == 0 && len(r.Findings) == 0
	})

	began := time.Now()
	c.Delete(t, world.ServicePath("traefik", "traefik"))
	r := p.await(t, "the loss of the Service", atRisk("lb/missing"))
	t.Logf("from the Service's deletion to a report that names all hosts: %.1f s", time.Since(began).Seconds())
	wantText(t, "the incident", r.Incidents[0].text(), "traefik/traefik", w.Old.String())
	if err := world.Poll(t, 20*time.Second, o.round); err != nil { // the finalizer
		t.Fatal(err)
	}
	c.Gone(t, world.ServicePath("traefik", "traefik"))
	old.Stop(t)

	w.Balancer(t, w.New, cert)
	account.api.SetPool(3*time.Second, w.New)
	c.Apply(t, "", traefikService)
	p.await(t, "the new Service", func(r report) bool { return len(r.all("lb/pending")) == 1 })
	began = o.addressed(t, w.New)
	p.await(t, "the new address", atRisk("lb/replaced"))
	t.Logf("from the patch of the status to a report that names all hosts: %.1f s", time.Since(began).Seconds())
	o.settle(t) // Traefik copies the status
	r = p.await(t, "one critical incident", func(r report) bool {
		return len(r.Incidents) == 1 && r.Incidents[0].Severity == "critical" && len(r.all("dns/stale-record")) == len(shopHosts())
	})
	checkReplaced(t, w, r)

	publish(t, w, w.New)
	r = p.await(t, "the incident to drain", func(r report) bool {
		return len(r.Incidents) == 1 && r.Incidents[0].State == "draining"
	})
	within(t, "the all-clear", r.Incidents[0].ClearBy, r.At, r.At.Add(lifetime*time.Second))
	// That the balancer was replaced stays worth telling for an hour, and alerts nobody.
	p.await(t, "the all-clear", func(r report) bool {
		return !slices.ContainsFunc(r.Incidents, func(i incident) bool { return i.Severity != "info" || i.Code != "lb/replaced" })
	})
}

// atRisk fits a report with a finding of the code, and all hosts in one incident.
func atRisk(code string) func(report) bool {
	return func(r report) bool {
		return len(r.all(code)) == 1 && len(r.Incidents) == 1 && slices.Equal(r.Incidents[0].Hosts, shopHosts())
	}
}

// addressed lets the controller work until the status names the address, and returns
// when that was.
func (o *operator) addressed(t *testing.T, addr netip.Addr) time.Time {
	t.Helper()
	err := world.Poll(t, 20*time.Second, func(ctx context.Context) error {
		if err := o.controller.Sync(ctx); err != nil {
			return err
		}
		svc := services{ctx, o.APIServer}.Get("Service", "traefik", "traefik")
		if !strings.Contains(fmt.Sprint(statusEntries(svc)), addr.String()+" ") {
			return errors.New("the status does not name it yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return time.Now()
}

func checkReplaced(t *testing.T, w *world.World, r report) {
	t.Helper()
	i := r.Incidents[0]
	if i.State != "firing" || !slices.Equal(i.Hosts, shopHosts()) {
		t.Errorf("incident %s about %q, want firing about %q", i.State, i.Hosts, shopHosts())
	}
	wantText(t, "the incident", i.text(), w.Old.String(), w.New.String(), "traefik/traefik")
	records := map[string][]string{}
	for _, s := range i.Fix {
		if s.Record != nil && s.Record.Type == "A" {
			records[s.Record.Owner] = s.Record.Values
		}
	}
	for _, owner := range []string{"shop.example", "*.shop.example"} {
		if !slices.Equal(records[owner], []string{w.New.String()}) {
			t.Errorf("the fix sets %s A to %q, want %s", owner, records[owner], w.New)
		}
	}
}
