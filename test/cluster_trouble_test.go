package test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// TestAnAPIServerInTrouble kills the API server for a minute, lets etcd forget what the
// watches had seen, and meanwhile lets the world go on: the balancer is replaced in the
// cloud, and somebody moves the records. Nothing may be called wrong that could not be
// known.
func TestAnAPIServerInTrouble(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	c := startCluster(t, w.Net)
	cert := w.CA.Issue(t, "shop.example", "*.shop.example")
	publish(t, w, w.Old)
	w.Balancer(t, w.Old, cert)
	w.Balancer(t, w.New, cert)
	account := startCloud(t)
	account.put(w.Old)
	c.namespaces(t, "shop", "traefik")
	c.Apply(t, "", traefikService+"---"+shopInACluster)
	c.fronted(t, w.Old)
	p := serve(t, w.Net, c.settings(w, account.section))
	p.await(t, "a report without findings about all hosts", func(r report) bool {
		return r.Coverage.Hosts == len(shopHosts()) && len(r.Findings) == 0
	})

	killed := time.Now()
	c.Kill(t)
	c.gate.Shut()
	d := p.awaitDocument(t, "the loss of the API server", 40*time.Second, func(d document) bool {
		gaps := d.Snapshot.Inventory.Gaps
		return len(gaps) == 1 && slices.Contains(gaps[0].Resources, "services") && slices.Contains(gaps[0].Resources, "ingresses")
	})
	t.Logf("from the API server's end to the report: %.1f s", d.Report.At.Sub(killed).Seconds())
	gap := d.Snapshot.Inventory.Gaps[0]
	if !gap.Held || d.Report.all("self/source-degraded")[0].Severity != "unknown" {
		t.Errorf("the gap is %+v, the finding %+v", gap, d.Report.all("self/source-degraded")[0])
	}
	within(t, "the loss", gap.Since, killed, d.Report.At)
	age := gap.Since.Format("15:04:05")
	wantText(t, "the finding", d.Report.all("self/source-degraded")[0].text(), age)
	wantText(t, "the page", p.page(t, "/"), age)
	account.put(w.New)
	publish(t, w, w.New) // as the Service's status will say, once somebody can read it
	replaced := time.Now()
	p.awaitDocument(t, "a minute of reports without what cannot be known", 3*time.Minute, func(d document) bool {
		d.Report.none(t, "dns/stale-record", "dns/missing-record", "lb/missing", "lb/replaced")
		return d.Report.At.After(killed.Add(time.Minute)) && d.Snapshot.Observations.Clouds[0].At.After(replaced)
	})

	c.Compact(t)
	c.Start(t)
	c.AwaitReady(t)
	c.fronted(t, w.New)
	c.Apply(t, "", strings.Replace(shopInACluster, ", {host: auth.shop.example}", "", 1))
	before := len(c.ours(t, fullList))
	opened := time.Now()
	c.gate.Open()
	r := p.await(t, "the recovery", func(r report) bool {
		r.none(t, "dns/stale-record", "dns/missing-record", "lb/missing")
		return len(r.all("self/source-degraded")) == 0 && r.Coverage.Hosts == len(shopHosts())-1
	})
	t.Logf("after %.0f s without: from the API server's return to the report %.1f s, with %d full lists",
		opened.Sub(killed).Seconds(), r.At.Sub(opened).Seconds(), len(c.ours(t, fullList))-before)
	if len(c.ours(t, fullList)) == before {
		t.Error("nothing was listed again: the watches were not expired")
	}
}

// fronted makes the Service say what the cloud controller writes down: the balancer, by
// the id that cloud.put gives it, and its address.
func (c *cluster) fronted(t *testing.T, addr netip.Addr) {
	t.Helper()
	at := world.ServicePath("traefik", "traefik")
	c.Patch(t, at, `{"metadata": {"annotations": {"kubernetes.digitalocean.com/load-balancer-id": "4f0c-`+addr.String()+`"}}}`)
	c.Patch(t, at+"/status", statusOf(addr))
}

// fullList fits the ways to ask for all objects of a resource.
func fullList(a world.Access) bool {
	return a.Verb == "list" || a.Verb == "watch" && a.Stage == "ResponseStarted" && strings.Contains(a.RequestURI, "sendInitialEvents=true")
}

// TestRightsThatComeAndGo takes from the program its rights (403) and then its
// account (401), and gives them back.
func TestRightsThatComeAndGo(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	c := startCluster(t, w.Net)
	publish(t, w, w.Old)
	w.Balancer(t, w.Old, w.CA.Issue(t, "shop.example", "*.shop.example"))
	c.namespaces(t, "shop", "traefik")
	c.Apply(t, "", traefikService+"---"+shopInACluster)
	c.Patch(t, world.ServicePath("traefik", "traefik")+"/status", `{"status": {"loadBalancer": {"ingress": [{"ip": "`+w.Old.String()+`"}]}}}`)
	p := serve(t, w.Net, c.settings(w, ""))
	well := func(r report) bool { return r.Coverage.Hosts == len(shopHosts()) && len(r.Findings) == 0 }
	p.await(t, "a report without findings about all hosts", well)

	role := world.Path("rbac.authorization.k8s.io/v1", "ClusterRole", "", "driftprobe")
	c.Patch(t, role, `{"rules": [{"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]}]}`)
	f := p.awaitCause(t, c, "ingresses", "not allowed")
	wantText(t, "the finding", f.Hint, "grant list and watch on ingresses")
	c.shipped(t)
	began := time.Now()
	r := p.await(t, "the rights to be noticed", well)
	t.Logf("from the grant to the report: %.1f s", r.At.Sub(began).Seconds())

	c.Delete(t, world.Path("v1", "ServiceAccount", "driftprobe", "driftprobe"))
	f = p.awaitCause(t, c, "services", "ingresses", "401")
	wantText(t, "the finding", f.Hint, "renew the token")
	c.shipped(t)
	c.renew(t)
	began = time.Now()
	r = p.await(t, "the new token to be used", well)
	t.Logf("from the new token to the report: %.1f s", r.At.Sub(began).Seconds())
}

// awaitCause cuts the connections, so that watches must ask again, until a source is
// said to be degraded, in these words. Nothing else may be said meanwhile.
func (p *watcher) awaitCause(t *testing.T, c *cluster, words ...string) finding {
	t.Helper()
	var f finding
	var cut time.Time
	p.await(t, strings.Join(words, ", "), func(r report) bool {
		r.none(t, "dns/stale-record", "dns/missing-record", "lb/missing", "lb/replaced")
		if time.Since(cut) > 5*time.Second { // a token is believed for ten seconds
			c.gate.Cut()
			cut = time.Now()
		}
		degraded := r.all("self/source-degraded")
		if len(degraded) != 1 {
			return false
		}
		f = degraded[0]
		missing := func(word string) bool { return !strings.Contains(f.text(), word) }
		return !slices.ContainsFunc(words, missing) && r.Coverage.Hosts == len(shopHosts())
	})
	return f
}

// TestWhatIsReadFromACluster has objects of each kind, at first without the custom
// resources, which then are installed while the program runs.
func TestWhatIsReadFromACluster(t *testing.T) {
	t.Parallel()
	n := world.Claim(t)
	c := startCluster(t, n)
	c.namespaces(t, "shop", "traefik")
	c.Apply(t, "", traefikService+"---"+shopInACluster+"---"+`
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: traefik-1, namespace: traefik, labels: {kubernetes.io/service-name: traefik}}, addressType: IPv4, endpoints: [{addresses: [10.1.0.1], conditions: {ready: true}}, {addresses: [10.1.0.2], conditions: {ready: false}}]}
`)
	c.Patch(t, world.ServicePath("traefik", "traefik")+"/status", `{"status": {"loadBalancer": {"ingress": [{"ip": "`+n.Addr(20).String()+`"}]}}}`)
	p := serve(t, n, "interval: 1s\ntimeout: 1s\ndns: {root_servers: ["+n.Addr(1).String()+"], timeout: 1s}\nprobe: {allow_addresses: [127.0.0.0/8]}\ntargets: [{url: https://moving.shop.example/healthz}]\n"+c.section)
	d := p.awaitDocument(t, "the hosts of the Ingress", 40*time.Second, func(d document) bool {
		return len(d.Snapshot.Inventory.Targets) == len(shopHosts())+1 && len(d.Snapshot.Inventory.Services) == 1 && d.Snapshot.Inventory.Services[0].Endpoints != nil
	})
	d.Report.none(t, "self/source-degraded", "self/target-unmapped", "self/declaration-unused")
	if s := d.Snapshot.Inventory.Services[0]; s.Endpoints.Ready != 1 || s.Endpoints.Total != 2 || len(s.Addresses) != 1 || s.Addresses[0] != n.Addr(20) {
		t.Errorf("the Service is %+v with %+v", s, s.Endpoints)
	}

	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	c.Apply(t, "shop", fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: moving, annotations: {driftprobe.io/planned-move-until: %q}}, spec: {rules: [{host: moving.shop.example}]}}`, end.Format(time.RFC3339)))
	p.awaitDocument(t, "the announced move, of the configured target too", 20*time.Second, func(d document) bool { return d.Snapshot.Inventory.moving("moving.shop.example", end) == 2 })
	c.Patch(t, world.Path("networking.k8s.io/v1", "Ingress", "shop", "moving"), `{"metadata": {"annotations": {"driftprobe.io/planned-move-until": null}}}`)
	p.awaitDocument(t, "the move called off", 20*time.Second, func(d document) bool { return d.Snapshot.Inventory.moving("moving.shop.example", time.Time{}) == 2 })

	began := time.Now()
	c.Definitions(t, "gatewayclasses.yaml", "gateways.yaml", "httproutes.yaml", "grpcroutes.yaml", "tlsroutes.yaml", "listenersets.yaml", "traefik.yaml")
	c.Apply(t, "shop", customResources)
	wanted := map[string]string{
		"gateway.shop.example": "HTTPRoute shop/web", "route.shop.example": "IngressRoute shop/web", "other.shop.example": "IngressRoute shop/web",
		"tcp.shop.example": "IngressRouteTCP shop/mail", "grpc.shop.example": "GRPCRoute shop/api", "sni.shop.example": "TLSRoute shop/sni",
		"more.zoo.example": "HTTPRoute shop/more", "shop.example": "Ingress shop/shop",
	}
	d = p.awaitDocument(t, "the hosts of the custom resources", 100*time.Second, func(d document) bool {
		hosts := d.Snapshot.Inventory.hosts()
		for host, origin := range wanted {
			if hosts[host] != origin {
				return false
			}
		}
		return true
	})
	t.Logf("from the custom resource definitions to the hosts: %.1f s", d.Report.At.Sub(began).Seconds())
	d.Report.none(t, "self/source-degraded", "self/target-unmapped", "self/declaration-unused")
	for _, a := range c.ours(t, func(a world.Access) bool { return a.ResponseStatus.Code == http.StatusForbidden }) {
		t.Errorf("forbidden: %s %s", a.Verb, a.RequestURI)
	}
	for _, a := range c.ours(t, func(a world.Access) bool { return a.Verb != "list" && a.Verb != "watch" }) {
		if a.ObjectRef.Resource != "" && a.ObjectRef.Resource != "events" {
			t.Errorf("it asked to %s %s", a.Verb, a.RequestURI)
		}
	}
}

// moving counts the targets of a host with this end of their move.
func (s stock) moving(host string, until time.Time) int {
	n := 0
	for _, t := range s.Targets {
		if t.Host == host && t.MoveUntil.Equal(until) {
			n++
		}
	}
	return n
}

const customResources = `
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: traefik}, spec: {controllerName: traefik.io/gateway-controller}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: edge}, spec: {gatewayClassName: traefik, listeners: [{name: web, protocol: HTTPS, port: 8443, hostname: "*.shop.example", tls: {certificateRefs: [{name: cert}]}}, {name: pass, protocol: TLS, port: 8443, hostname: sni.shop.example, tls: {mode: Passthrough}}], allowedListeners: {namespaces: {from: All}}}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: more}, spec: {parentRef: {name: edge}, listeners: [{name: zoo, protocol: HTTPS, port: 8443, hostname: "*.zoo.example", tls: {certificateRefs: [{name: zoo}]}}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web}, spec: {hostnames: [gateway.shop.example], parentRefs: [{name: edge}], rules: [{backendRefs: [{name: web, port: 80}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: more}, spec: {hostnames: [more.zoo.example], parentRefs: [{kind: ListenerSet, name: more}], rules: [{backendRefs: [{name: web, port: 80}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: api}, spec: {hostnames: [grpc.shop.example], parentRefs: [{name: edge}], rules: [{backendRefs: [{name: api, port: 80}]}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, metadata: {name: sni}, spec: {hostnames: [sni.shop.example], parentRefs: [{name: edge, sectionName: pass}], rules: [{backendRefs: [{name: sni, port: 443}]}]}}
---
{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: web}, spec: {entryPoints: [websecure], routes: [{kind: Rule, match: "Host(` + "`route.shop.example`) || Host(`other.shop.example`)" + `", services: [{name: web, port: 80}]}]}}
---
{apiVersion: traefik.io/v1alpha1, kind: IngressRouteTCP, metadata: {name: mail}, spec: {entryPoints: [websecure], routes: [{match: "HostSNI(` + "`tcp.shop.example`" + `)", services: [{name: mail, port: 25}]}], tls: {passthrough: true}}}
`
