package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitalocean/godo"
	"github.com/miekg/dns"
)

func newTestWorld(t *testing.T) *World {
	t.Helper()
	return closing[*World](t)(NewWorld(t.Context(), WorldSpec{DNS: must[Net](t)(RandomNet()), LB: must[Net](t)(RandomNet())}))
}

// published is what each name server says of a host, and the resolver's answer.
func published(t *testing.T, w *World, host string) (servers []string, resolver string) {
	t.Helper()
	for _, addr := range w.NameAddrs {
		servers = append(servers, lines(ask(t, "udp", netip.AddrPortFrom(addr, w.DNSPort()), host+".", dns.TypeA).Answer)...)
	}
	for _, line := range lines(ask(t, "udp", w.ResolverAddr(), host+".", dns.TypeA).Answer) {
		resolver += line
	}
	return servers, resolver
}

func record(host string, ttl int, addr netip.Addr) string {
	return fmt.Sprintf("%s. %d IN A %s", host, ttl, addr)
}

func TestWorldTellsThePostMortem(t *testing.T) {
	w := newTestWorld(t)
	ctx := t.Context()
	oldLine, newLine := record("api.shop.example", 3600, w.OldAddr), record("api.shop.example", 3600, w.NewAddr)
	same := func(line string) []string { return []string{line, line, line} }
	status := func(addr netip.Addr) string { return `[{"ip":"` + addr.String() }
	ingress := func() string {
		return mustJSON(loadBalancerStatus(w.Kube.Get("Ingress", "shop", "shop-1")))
	}

	// All is well.
	servers, cached := published(t, w, "api.shop.example")
	equal(t, "published", servers, same(oldLine))
	equal(t, "resolver", cached, oldLine)
	for _, host := range []string{w.Hosts[0], w.Hosts[13], w.Zone} {
		body, err := fetch(t, clientFor(w.Balancer(w.OldAddr), w.CA.Pool()), "https://"+host+"/")
		noError(t, err)
		equal(t, host, body, "ok")
	}
	oldID := w.DO.LoadBalancers()[0].ID
	svc := w.Kube.Get("Service", "traefik", "traefik")
	equal(t, "status", loadBalancerStatus(svc), []any{map[string]any{"ip": w.OldAddr.String(), "ipMode": "VIP"}})
	equal(t, "annotation", svc["metadata"].(map[string]any)["annotations"], map[string]any{annotationLBID: oldID})
	equal(t, "ingress status", strings.HasPrefix(ingress(), status(w.OldAddr)), true)

	// Traefik is deleted and created again.
	noError(t, w.DeleteTraefik(ctx))
	equal(t, "Service gone", w.Kube.Get("Service", "traefik", "traefik"), nil)
	equal(t, "balancer gone", len(w.DO.LoadBalancers()), 0)
	if _, err := fetch(t, clientFor(w.Balancer(w.OldAddr), w.CA.Pool()), "https://api.shop.example/"); err == nil {
		t.Errorf("the old balancer still answers")
	}
	noError(t, w.CreateTraefik(ctx))
	equal(t, "new address", w.LBAddr(), w.NewAddr)
	equal(t, "new id", w.DO.LoadBalancers()[0].ID != oldID, true)
	equal(t, "ingress status lags", strings.HasPrefix(ingress(), status(w.OldAddr)), true)
	noError(t, w.SyncIngressStatus())
	equal(t, "ingress status follows", strings.HasPrefix(ingress(), status(w.NewAddr)), true)
	body, err := fetch(t, clientFor(w.Balancer(w.NewAddr), w.CA.Pool()), "https://api.shop.example/")
	noError(t, err)
	equal(t, "new balancer answers", body, "ok")
	servers, _ = published(t, w, "api.shop.example")
	equal(t, "still published", servers, same(oldLine))

	// The fix, and the caches after it.
	noError(t, w.FixRecords(w.NewAddr))
	w.Advance(19 * time.Minute)
	servers, cached = published(t, w, "api.shop.example")
	equal(t, "published after the fix", servers, same(newLine))
	equal(t, "the resolver counts down", cached, record("api.shop.example", 41*60, w.OldAddr))
	w.Advance(42 * time.Minute)
	_, cached = published(t, w, "api.shop.example")
	equal(t, "the resolver has forgotten", cached, newLine)
}

func TestWorldFixByTheAPIReachesTheNameServers(t *testing.T) {
	w := newTestWorld(t)
	client := godoClient(t, w.DO, w.DOToken())
	_, _, err := client.Domains.EditRecord(t.Context(), w.Zone, 22, &godo.DomainRecordEditRequest{Data: w.NewAddr.String(), TTL: 300})
	noError(t, err)
	servers, _ := published(t, w, "www.shop.example")
	equal(t, "wildcard", servers[2], record("www.shop.example", 300, w.NewAddr))
	servers, _ = published(t, w, w.Zone)
	equal(t, "apex", servers[2], record(w.Zone, 3600, w.OldAddr))
}

func TestWorldLosesCertificates(t *testing.T) {
	w := newTestWorld(t)
	noError(t, w.LoseCertificates())
	noError(t, w.DeleteTraefik(t.Context()))
	noError(t, w.CreateTraefik(t.Context()))
	client := clientFor(w.Balancer(w.NewAddr), w.CA.Pool())
	if _, err := fetch(t, client, "https://api.shop.example/"); err == nil || !strings.Contains(err.Error(), "traefik.default") {
		t.Errorf("got %v", err)
	}
	w.RestoreCertificates()
	_, err := fetch(t, client, "https://api.shop.example/")
	noError(t, err)
}

func TestWorldsLiveSideBySide(t *testing.T) {
	a := closing[*World](t)(NewWorld(t.Context(), WorldSpec{TTL: time.Minute, Hosts: []string{"one.shop.example"}}))
	b := closing[*World](t)(NewWorld(t.Context(), WorldSpec{}))
	equal(t, "the post-mortem's addresses", []string{a.OldAddr.String(), b.NewAddr.String()}, []string{"127.53.1.10", "127.53.1.77"})
	noError(t, a.DeleteTraefik(t.Context()))
	_, err := fetch(t, clientFor(b.Balancer(b.OldAddr), b.CA.Pool()), "https://one.shop.example/")
	noError(t, err)
	servers, _ := published(t, a, "one.shop.example")
	equal(t, "TTL", servers[0], record("one.shop.example", 60, a.OldAddr))
}

func TestCloudControllerActsOnlyOnChanges(t *testing.T) {
	w := newTestWorld(t)
	ctx := t.Context()
	lb := w.DO.LoadBalancers()[0]

	lb.IP = w.spec.LB.Addr(99).String()
	w.DO.PutLoadBalancer(lb)
	noError(t, w.Cloud.Sync(ctx))
	equal(t, "an address that moves at DigitalOcean stays unseen", w.LBAddr(), w.OldAddr)
	body, err := fetch(t, clientFor(w.Balancer(w.spec.LB.Addr(99)), w.CA.Pool()), "https://api.shop.example/")
	noError(t, err)
	equal(t, "and answers there", body, "ok")
	if _, err := fetch(t, clientFor(w.Balancer(w.OldAddr), w.CA.Pool()), "https://api.shop.example/"); err == nil {
		t.Errorf("the balancer answers where it was, too")
	}

	w.DO.RemoveLoadBalancer(lb.ID)
	noError(t, w.Cloud.Sync(ctx))
	equal(t, "a deleted balancer leaves its address", w.LBAddr(), w.OldAddr)

	svc := w.Kube.Get("Service", "traefik", "traefik")
	svc["metadata"].(map[string]any)["labels"] = map[string]any{"touched": "yes"}
	noError(t, w.Kube.Apply(svc))
	w.DO.SetFault(DOError(503, "service_unavailable", "down"))
	if w.Cloud.Sync(ctx) == nil {
		t.Errorf("a failing API was no error")
	}
	equal(t, "the status is old while the API fails", w.LBAddr(), w.OldAddr)
	w.DO.SetFault(nil)
	noError(t, w.Cloud.Sync(ctx))
	noError(t, w.Cloud.Sync(ctx))
	equal(t, "an update makes a new balancer", w.LBAddr(), w.NewAddr)

	before := w.Kube.Get("Service", "traefik", "traefik")
	noError(t, w.Cloud.Sync(ctx))
	equal(t, "a settled Service is left alone", w.Kube.Get("Service", "traefik", "traefik"), before)
}

func TestCloudControllerRuns(t *testing.T) {
	w := newTestWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Cloud.Run(ctx, time.Millisecond) })
	defer running.Wait()
	defer cancel()
	asked := w.DO.Requests.Len()
	other := service("other", "")
	other["metadata"].(map[string]any)["namespace"] = "shop"
	noError(t, w.Kube.Apply(other))
	wait, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	_, err := w.DO.Requests.Wait(wait, asked+3) // list, create, list
	noError(t, err)
	equal(t, "a balancer of its own", len(w.DO.LoadBalancers()), 2)
	noError(t, w.DeleteTraefik(ctx)) // rounds of two callers do not mix
	noError(t, w.CreateTraefik(ctx))
	equal(t, "the Service is served", w.LBAddr().IsLoopback(), true)
}

func TestCloudControllerHostnameAndIPv6(t *testing.T) {
	w := newTestWorld(t)
	svc := w.Kube.Get("Service", "traefik", "traefik")
	lb := w.DO.LoadBalancers()[0]
	lb.IPv6 = "2001:db8::77"
	w.DO.PutLoadBalancer(lb)
	svc["spec"].(map[string]any)["x"] = "1"
	noError(t, w.Kube.Apply(svc))
	noError(t, w.Cloud.Sync(t.Context()))
	equal(t, "a second entry", loadBalancerStatus(w.Kube.Get("Service", "traefik", "traefik")), []any{
		map[string]any{"ip": w.OldAddr.String(), "ipMode": "VIP"}, map[string]any{"ip": "2001:db8::77", "ipMode": "VIP"},
	})
	svc = w.Kube.Get("Service", "traefik", "traefik")
	svc["metadata"].(map[string]any)["annotations"].(map[string]any)[annotationLBHost] = "lb.shop.example"
	noError(t, w.Kube.Apply(svc))
	noError(t, w.Cloud.Sync(t.Context()))
	equal(t, "a hostname alone", loadBalancerStatus(w.Kube.Get("Service", "traefik", "traefik")), []any{map[string]any{"hostname": "lb.shop.example"}})
}
