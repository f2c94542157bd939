package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// worldZone is the zone of the outage.
const worldZone = "shop.example."

// spareAddresses is how many addresses there are for balancers after the first;
// then the oldest free one is given again.
const spareAddresses = 5

// WorldSpec orders a World. The zero spec is the outage at 127.53.0.* (DNS) and
// 127.53.1.* (load balancers).
type WorldSpec struct {
	DNS, LB Net
	TTL     time.Duration // of the address records, whole seconds; default 1 h
	Hosts   []string      // names under shop.example; default 14 of them
	// Forgetful: a configMap is mounted over the folder of Traefik's acme.json, so that
	// each restart loses it.
	Forgetful bool
}

// World is the whole outage on loopback. At first all is well: DNS, the Service
// traefik/traefik and the Ingresses of namespace shop name OldAddr. DeleteTraefik
// and CreateTraefik then replace the load balancer, DNS stays as it was, and
// FixRecords ends the outage. The parts are exported for further mischief.
type World struct {
	Tree     *DNSTree // ., example., shop.example. with ns1 to ns3
	Resolver *Resolver
	CA       *CA
	DO       *DigitalOcean
	Kube     *Kubernetes
	Cloud    *CloudController
	Slack    *Slack

	Zone      string       // "shop.example", without the final dot
	Hosts     []string     // without the final dot
	OldAddr   netip.Addr   // of the first load balancer, 127.53.1.10
	NewAddr   netip.Addr   // of the one after, 127.53.1.77
	NameAddrs []netip.Addr // of ns1 to ns3
	HTTPSPort uint16       // of every load balancer

	spec WorldSpec

	mu        sync.Mutex
	cert      tls.Certificate // what balancers serve
	good      tls.Certificate
	restarts  int
	balancers map[netip.Addr]*Balancer
	placed    map[string]netip.Addr // load balancer id → where it listens
	handlers  map[string]http.Handler
	failed    error // of a hook, told by the next method
}

// NewWorld starts everything, in the state before the outage.
func NewWorld(ctx context.Context, spec WorldSpec) (*World, error) {
	spec.setDefaults()
	w := &World{
		Zone: strings.TrimSuffix(worldZone, "."), Hosts: slices.Clone(spec.Hosts), spec: spec,
		OldAddr: spec.LB.Addr(10), NewAddr: spec.LB.Addr(77),
		NameAddrs: []netip.Addr{spec.DNS.Addr(3), spec.DNS.Addr(4), spec.DNS.Addr(5)},
		balancers: map[netip.Addr]*Balancer{}, placed: map[string]netip.Addr{}, handlers: map[string]http.Handler{},
	}
	for _, step := range []func() error{
		w.checkAddresses, w.startTLS, w.startDNS, w.startAPIs,
		func() error { return w.populate(ctx) },
	} {
		if err := step(); err != nil {
			return nil, errors.Join(fmt.Errorf("start the lab: %w", err), w.Close())
		}
	}
	return w, nil
}

func (spec *WorldSpec) setDefaults() {
	if spec.DNS.IsZero() {
		spec.DNS = NewNet(53, 0)
	}
	if spec.LB.IsZero() {
		spec.LB = NewNet(53, 1)
	}
	if spec.TTL == 0 {
		spec.TTL = time.Hour
	}
	if spec.Hosts == nil {
		for _, label := range []string{
			"api", "www", "auth", "admin", "app", "assets", "billing", "blog", "docs", "events", "images", "orders", "search", "status",
		} {
			spec.Hosts = append(spec.Hosts, label+".shop.example")
		}
	}
}

// checkAddresses names all that is missing at once.
func (w *World) checkAddresses() error {
	addrs := w.addresses()
	for _, last := range []byte{1, 2, 3, 4, 5, 10} {
		addrs = append(addrs, w.spec.DNS.Addr(last))
	}
	return CheckAddrs(addrs...)
}

// startTLS makes the wildcard certificate as a public CA would, by an intermediate.
func (w *World) startTLS() error {
	root, err := NewCA("Lab Root X1")
	if err != nil {
		return err
	}
	w.CA, err = root.Intermediate(CertSpec{CommonName: "Lab R1", Organization: "Let's Encrypt", NotAfter: time.Now().AddDate(3, 0, 0)})
	if err != nil {
		return err
	}
	first := CertSpec{Names: []string{w.Zone, "*." + w.Zone}}
	if w.spec.Forgetful {
		first.Logged = time.Now().AddDate(0, 0, -20) // what is ordered from now on is another matter
	}
	w.good, err = w.CA.Issue(first)
	w.cert = w.good
	if err != nil {
		return err
	}
	w.HTTPSPort, err = FreePort(w.addresses()...)
	return err
}

// addresses are those that load balancers get, in turn.
func (w *World) addresses() []netip.Addr {
	addrs := []netip.Addr{w.OldAddr}
	for i := range spareAddresses {
		addrs = append(addrs, w.spec.LB.Addr(byte(77+i)))
	}
	return addrs
}

func (w *World) startDNS() error {
	spec := TreeSpec{
		Roots: []netip.Addr{w.spec.DNS.Addr(1)},
		Zones: []ZoneSpec{
			{Name: "example.", Servers: []NameServer{{"ns.example.", w.spec.DNS.Addr(2)}}},
			{Name: worldZone, Text: addressRecords(w.OldAddr, int(w.spec.TTL/time.Second), "@", "*")},
		},
	}
	for i, addr := range w.NameAddrs {
		name := fmt.Sprintf("ns%d.%s", i+1, worldZone)
		spec.Zones[1].Servers = append(spec.Zones[1].Servers, NameServer{name, addr})
	}
	return onOnePort(0, func(port uint16) (err error) {
		spec.Port = port
		if w.Tree, err = NewDNSTree(spec); err != nil {
			return err
		}
		at := netip.AddrPortFrom(w.spec.DNS.Addr(10), port)
		if w.Resolver, err = NewResolver(at, port, spec.Roots...); err != nil {
			return errors.Join(err, w.Tree.Close())
		}
		return nil
	})
}

// addressRecords is zone text.
func addressRecords(addr netip.Addr, ttl int, names ...string) string {
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "%s %d IN A %s\n", name, ttl, addr)
	}
	return text.String()
}

func (w *World) startAPIs() (err error) {
	if w.DO, err = NewDigitalOcean("dop_v1_lab"); err != nil {
		return err
	}
	w.DO.onLB, w.DO.onRecord = w.balancerChanged, w.recordChanged
	w.DO.SetPool(0, w.addresses()...)
	if w.Kube, err = NewKubernetes("lab-token"); err != nil {
		return err
	}
	if w.Slack, err = NewSlack(); err != nil {
		return err
	}
	w.Cloud = NewCloudController(w.Kube, w.DO, "k8s", "k8s:6f1d1ab0-0000-4000-8000-000000000001")
	ttl := int(w.spec.TTL / time.Second)
	w.DO.SetRecords(w.Zone,
		DomainRecord{ID: 21, Type: "A", Name: "@", Data: w.OldAddr.String(), TTL: ttl},
		DomainRecord{ID: 22, Type: "A", Name: "*", Data: w.OldAddr.String(), TTL: ttl},
		DomainRecord{ID: 23, Type: "NS", Name: "@", Data: "ns1." + w.Zone, TTL: 1800},
		DomainRecord{ID: 24, Type: "NS", Name: "@", Data: "ns2." + w.Zone, TTL: 1800},
		DomainRecord{ID: 25, Type: "NS", Name: "@", Data: "ns3." + w.Zone, TTL: 1800})
	return nil
}

// balancerChanged makes the network follow the API: a balancer listens from the
// moment it has an address until it is deleted or moves. Addresses that are not
// on loopback are on paper only.
func (w *World) balancerChanged(lb LoadBalancer, gone bool) {
	addr, err := netip.ParseAddr(lb.IP)
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.placed[lb.ID]; ok && (gone || old != addr) {
		delete(w.placed, lb.ID)
		w.failed = errors.Join(w.failed, w.balancers[old].Stop())
	}
	if gone || err != nil || !addr.IsLoopback() {
		return
	}
	w.placed[lb.ID] = addr
	w.failed = errors.Join(w.failed, w.listen(addr))
}

// listen needs the lock: it starts the balancer at addr, the same one each time.
func (w *World) listen(addr netip.Addr) error {
	if b := w.balancers[addr]; b != nil {
		return b.Start()
	}
	b, err := NewBalancer(netip.AddrPortFrom(addr, w.HTTPSPort), w.cert)
	if err != nil {
		return err
	}
	w.balancers[addr] = b
	for host, h := range w.handlers {
		b.SetHandler(host, h)
	}
	return nil
}

// recordChanged publishes the RRset of a record that was set through the API on
// every name server.
func (w *World) recordChanged(zone string, changed DomainRecord) {
	var text strings.Builder
	for _, rec := range w.DO.Records(zone) {
		if rec.Name == changed.Name && rec.Type == changed.Type {
			fmt.Fprintf(&text, "%s %d IN %s %s\n", rec.Name, rec.TTL, rec.Type, rec.Data)
		}
	}
	err := w.Tree.SetRecords(zone, text.String())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = errors.Join(w.failed, err)
}

func (w *World) takeFailure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.failed
	w.failed = nil
	return err
}

// Root is the root name server; every name server of the tree has its port.
func (w *World) Root() netip.AddrPort { return netip.AddrPortFrom(w.Tree.Roots()[0], w.Tree.Port()) }

// DNSPort is the port of all name servers and of the resolver.
func (w *World) DNSPort() uint16 { return w.Tree.Port() }

// ResolverAddr is the caching resolver, at the same port as the name servers.
func (w *World) ResolverAddr() netip.AddrPort { return w.Resolver.Addr() }

// CAPEM is the root certificate that clients of the hosts trust.
func (w *World) CAPEM() []byte { return w.CA.PEM() }

// Kubeconfig reaches the Kubernetes API.
func (w *World) Kubeconfig() []byte { return w.Kube.Kubeconfig() }

// DOURL is DigitalOcean's API, without the version.
func (w *World) DOURL() string { return w.DO.URL() }

// DOToken is what it accepts.
func (w *World) DOToken() string { return w.DO.Token() }

// SlackURL is the incoming webhook, secret path and all.
func (w *World) SlackURL() string { return w.Slack.URL() }

// Balancer is the one that listens, or listened, at addr; nil if there was none.
func (w *World) Balancer(addr netip.Addr) *Balancer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.balancers[addr]
}

// SetHandler sets who answers for a host, at every balancer that is or will be.
// The host "" stands for all others.
func (w *World) SetHandler(host string, h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[host] = h
	for _, b := range w.balancers {
		b.SetHandler(host, h)
	}
}

// Advance ages the resolver's cache by d.
func (w *World) Advance(d time.Duration) { w.Resolver.Advance(d) }

// Close stops everything.
func (w *World) Close() error {
	var errs []error
	if w.Resolver != nil {
		errs = append(errs, w.Resolver.Close())
	}
	if w.Tree != nil {
		errs = append(errs, w.Tree.Close())
	}
	if w.DO != nil {
		errs = append(errs, w.DO.Close())
	}
	if w.Kube != nil {
		errs = append(errs, w.Kube.Close())
	}
	if w.Slack != nil {
		errs = append(errs, w.Slack.Close())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.balancers { // last: the API's hook starts and stops them
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}
