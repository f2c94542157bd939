package test

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// fleet are Services of type LoadBalancer in one account, each in front of a host
// that is named as it is, and with a server at each address of the account.
type fleet struct {
	*operator
	w      *world.World
	cloud  *lab.DigitalOcean
	config string
	// doors are what answers at each address.
	doors map[string]*world.Balancer
}

// TestWhatTheCloudControllerDoes replays on a real API server what DigitalOcean's
// controller was seen to do there, and looks once after each act: of each host and
// Service must be said what is wrong with it, and nothing else.
func TestWhatTheCloudControllerDoes(t *testing.T) {
	t.Parallel()
	f := startFleet(t, "moved", "deleted", "named", "dual", "edited")
	at := map[string]netip.Addr{}
	for _, lb := range f.cloud.LoadBalancers() {
		at[lb.Name] = netip.MustParseAddr(lb.IP)
	}
	records := []string{
		address("moved", at), address("deleted", at), address("dual", at), address("edited", at),
		"lb 20 IN A " + at["named"].String(), "named 20 IN CNAME lb",
		"new 20 IN A " + f.w.Net.Addr(107).String(),
	}
	world.Serve(t, f.w.Shop, records...)
	f.want(t, "all are made")

	// A balancer is ordered, and has no address at first; one gets an address of the
	// other family, which the controller sees at the next change of the Service.
	f.cloud.SetPool(time.Hour, f.w.Net.Addr(190))
	f.service(t, "new", "")
	f.change(t, "dual", func(lb *lab.LoadBalancer) { lb.IPv6, lb.NetworkStack = "2001:db8::4", "DUALSTACK" })
	f.touch(t, "dual")
	f.settle(t, "new")
	f.want(t, "one is new, one has a second family",
		"info lb/pending edge/new", "info dns/missing-record dual.shop.example")

	// What happens in the cloud, or by hand, no controller hears of.
	f.change(t, "moved", func(lb *lab.LoadBalancer) { lb.IP = f.w.Net.Addr(109).String() })
	f.remove(t, "deleted")
	f.Patch(t, world.ServicePath("edge", "edited")+"/status", statusOf(f.w.Net.Addr(110)))
	f.want(t, "the cloud and Kubernetes disagree",
		"critical lb/missing edge/deleted", "critical http/unreachable deleted.shop.example", "info lb/pending edge/new",
		"info dns/missing-record dual.shop.example",
		"warning lb/address-mismatch edge/edited", "warning lb/address-mismatch edge/moved")

	// The next change of each Service makes the controller see.
	f.cloud.SetPool(0, f.w.Net.Addr(107), f.w.Net.Addr(108))
	f.touch(t, "moved", "deleted", "edited")
	f.settle(t)
	f.want(t, "the controller has seen",
		"info lb/replaced edge/moved", "warning dns/stale-record moved.shop.example", "warning dns/missing-record moved.shop.example",
		"info lb/replaced edge/deleted", "critical dns/stale-record deleted.shop.example", "warning dns/missing-record deleted.shop.example",
		"info dns/missing-record dual.shop.example")

	// The API fails: nobody can say what is stale.
	f.cloud.SetFault(lab.DOError(503, "service_unavailable", "try again later"))
	f.want(t, "the API fails", "unknown self/source-degraded DigitalOcean",
		"critical http/unreachable deleted.shop.example") // a probe sees that by itself
}

func address(name string, at map[string]netip.Addr) string {
	return fmt.Sprintf("%s 20 IN A %s", name, at[name])
}

func statusOf(addr netip.Addr) string {
	return fmt.Sprintf(`{"status": {"loadBalancer": {"ingress": [{"ip": %q}]}}}`, addr)
}

func startFleet(t *testing.T, names ...string) *fleet {
	t.Helper()
	w := world.Start(t)
	account := startCloud(t)
	c := startCluster(t, w.Net)
	f := &fleet{operator: c.operator(t, account.api), w: w, cloud: account.api, doors: map[string]*world.Balancer{}}
	cert := w.CA.Issue(t, "*.shop.example")
	var pool []netip.Addr
	for i := range 10 {
		pool = append(pool, w.Net.Addr(byte(101+i)))
		f.doors[pool[i].String()] = w.Balancer(t, pool[i], cert)
	}
	f.cloud.SetPool(0, pool[:len(names)]...)
	c.namespaces(t, "edge")
	for _, name := range names {
		more := ""
		if name == "named" {
			more = `, service.beta.kubernetes.io/do-loadbalancer-hostname: lb.shop.example`
		}
		f.service(t, name, more)
		f.settle(t) // in this order they get the addresses
	}
	f.config = writeConfig(t, c.settings(w, account.section+fmt.Sprintf("state: {file: %q}\n", filepath.Join(t.TempDir(), "state.json"))))
	return f
}

// service makes a Service, and an Ingress with a host of its name.
func (f *fleet) service(t *testing.T, name, annotations string) {
	t.Helper()
	f.Apply(t, "edge", fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %s, annotations: {service.beta.kubernetes.io/do-loadbalancer-name: %[1]s%s}}
spec: {type: LoadBalancer, selector: {app: traefik}, ports: [{name: websecure, port: 443}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %[1]s, annotations: {driftprobe.io/service: edge/%[1]s}}
spec: {rules: [{host: %[1]s.shop.example}], defaultBackend: {service: {name: web, port: {number: 80}}}}
`, name, annotations))
}

// touch changes a Service in a way that means nothing but to the controller.
func (f *fleet) touch(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		f.Patch(t, world.ServicePath("edge", name), fmt.Sprintf(`{"metadata": {"annotations": {"touched": "%d"}}}`, time.Now().UnixNano()))
	}
}

func (f *fleet) balancer(t *testing.T, name string) lab.LoadBalancer {
	t.Helper()
	for _, lb := range f.cloud.LoadBalancers() {
		if lb.Name == name {
			return lb
		}
	}
	t.Fatalf("there is no load balancer %s", name)
	return lab.LoadBalancer{}
}

// change changes a load balancer as from the console.
func (f *fleet) change(t *testing.T, name string, how func(*lab.LoadBalancer)) {
	t.Helper()
	lb := f.balancer(t, name)
	how(&lb)
	f.cloud.PutLoadBalancer(lb)
}

// remove deletes a load balancer as from the console: nobody answers there any more.
func (f *fleet) remove(t *testing.T, name string) {
	t.Helper()
	lb := f.balancer(t, name)
	f.cloud.RemoveLoadBalancer(lb.ID)
	f.doors[lb.IP].Stop(t)
}

// want looks once and compares all that is said: severity, code and subject.
func (f *fleet) want(t *testing.T, when string, want ...string) {
	t.Helper()
	l := execute(t, "--once", "-o", "json", "--config", f.config)
	r := l.parse(t)
	var said []string
	seen := map[string]bool{}
	all := slices.Clone(r.Findings)
	for _, i := range r.Incidents {
		all = append(all, i.Effects...)
	}
	for _, g := range all {
		where := cmp.Or(g.Subject.Host, g.Subject.Namespace+"/"+g.Subject.Name)
		if where == "/" {
			where = g.Subject.Source
		}
		if g.Code == "http/unreachable" && strings.HasPrefix(g.Subject.Address, "2001:db8:") {
			continue // which depends on the networks that this machine has
		}
		text := g.Severity + " " + g.Code + " " + where
		if !seen[text] {
			seen[text] = true
			said = append(said, text)
		}
	}
	slices.Sort(said)
	slices.Sort(want)
	if !slices.Equal(said, want) {
		t.Errorf("%s: it said\n  %s\nwant\n  %s\n%s", when, strings.Join(said, "\n  "), strings.Join(want, "\n  "), l.stderr)
	}
}
