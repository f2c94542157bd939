// Package kube reads from a Kubernetes cluster what should be: the Services of
// type LoadBalancer with what is ready behind them, and the hosts that Ingresses, the
// routes of the Gateway API, Traefik's IngressRoutes and annotations declare, with
// their classes and Gateways; and the workloads that order certificates. It watches, keeps only the fields it needs, and says what it could
// not read.
//
// It judges nothing, and does not choose which Service fronts which host. What it
// writes to the cluster is ours alone: Events, a ConfigMap with the state, a Lease.
package kube

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"driftprobe/internal/inventory"
)

// Cluster is one cluster being watched. Its methods may be called from any
// goroutine.
type Cluster struct {
	place   string
	port    uint16
	shard   inventory.Shard
	log     *slog.Logger
	client  dynamic.Interface
	changed chan struct{}

	services  []*feed[balanced]
	endpoints *endpoints
	// declaring are the feeds of objects that declare hosts, Services apart.
	declaring      []*feed[declaring]
	gateways       []*feed[gateway]
	listenerSets   []*feed[listenerSet]
	classes        *feed[class]
	gatewayClasses *feed[class]
	clients        *acmeClients
	certManagers   []certManager
	served         *served

	once sync.Once
	wg   sync.WaitGroup
}

func newCluster(client dynamic.Interface, place string, namespaces []string, log *slog.Logger) *Cluster {
	c := &Cluster{
		place: place, log: log, client: client, changed: make(chan struct{}, 1),
		endpoints: newEndpoints(), clients: newACMEClients(), served: &served{every: lookAgain},
	}
	networking := schema.GroupVersion{Group: "networking.k8s.io", Version: "v1"}
	gatewayAPI := schema.GroupVersion{Group: gatewayGroup, Version: "v1"}
	traefik := schema.GroupVersion{Group: "traefik.io", Version: "v1alpha1"}
	for _, ns := range namespaces {
		services := newFeed(c.health(schema.GroupVersionResource{Version: "v1", Resource: "services"}, ns), readService)
		services.signal = func() { c.signal(); c.endpoints.poke(); c.clients.pods.poke() }
		services.precious = true
		c.services = append(c.services, services)
		c.declaring = append(c.declaring,
			newFeed(c.health(networking.WithResource("ingresses"), ns), readIngress),
			optional(c.served, newFeed(c.health(gatewayAPI.WithResource("httproutes"), ns), readHTTPRoute)),
			optional(c.served, newFeed(c.health(traefik.WithResource("ingressroutes"), ns), readIngressRoute)),
			optional(c.served, newFeed(c.health(traefik.WithResource("ingressroutetcps"), ns), readIngressRouteTCP)),
			optional(c.served, newFeed(c.health(gatewayAPI.WithResource("grpcroutes"), ns), readGRPCRoute), "v1alpha2"),
			optional(c.served, newFeed(c.health(gatewayAPI.WithResource("tlsroutes"), ns), readTLSRoute), "v1alpha3", "v1alpha2"))
		c.gateways = append(c.gateways, optional(c.served, newFeed(c.health(gatewayAPI.WithResource("gateways"), ns), readGateway)))
		c.listenerSets = append(c.listenerSets, optional(c.served, newFeed(c.health(gatewayAPI.WithResource("listenersets"), ns), readListenerSet)))
		c.clients.add(c, ns)
		c.certManagers = append(c.certManagers, newCertManager(c, ns))
	}
	c.classes = newFeed(c.health(networking.WithResource("ingressclasses"), ""), readClass)
	c.gatewayClasses = optional(c.served, newFeed(c.health(gatewayAPI.WithResource("gatewayclasses"), ""), readGatewayClass))
	return c
}

// optional marks a resource that the cluster need not have. older are further versions
// in which its fields are the same, the newest first.
func optional[T any](s *served, f *feed[T], older ...string) *feed[T] {
	f.served, f.absent, f.older = s, true, older
	return f
}

func (c *Cluster) health(r schema.GroupVersionResource, namespace string) *health {
	return &health{
		resource: r, namespace: namespace, place: c.place, log: c.log, signal: c.signal,
		settled: make(chan struct{}), failed: map[verb]failure{},
	}
}

// reading is a feed of any kind.
type reading interface {
	run(context.Context, dynamic.Interface)
	state() *health
}

func (f *feed[T]) state() *health { return f.health }

// all are the feeds that last, in a fixed order.
func (c *Cluster) all() []reading {
	var list []reading
	for _, f := range c.services {
		list = append(list, f)
	}
	for _, f := range c.declaring {
		list = append(list, f)
	}
	for _, f := range c.gateways {
		list = append(list, f)
	}
	for _, f := range c.listenerSets {
		list = append(list, f)
	}
	return append(list, append(c.optional(), c.classes, c.gatewayClasses)...)
}

// optional are the feeds of what tells how certificates come to be.
func (c *Cluster) optional() []reading {
	list := c.clients.feeds()
	for _, m := range c.certManagers {
		list = append(list, m.orders, m.requests)
	}
	return list
}

// feeds returns the health of every resource, in a fixed order, those without which
// nothing is unknown apart.
func (c *Cluster) feeds() (needed, mild []*health) {
	optional := c.optional()
	for _, f := range c.all() {
		if slices.Contains(optional, f) {
			mild = append(mild, f.state())
		} else {
			needed = append(needed, f.state())
		}
	}
	for _, f := range c.endpoints.list() {
		needed = append(needed, f.health)
	}
	for _, f := range c.clients.pods.list() {
		mild = append(mild, f.health)
	}
	return needed, mild
}

// Start begins to watch, until ctx ends; Wait waits for that end. Only the first
// call does anything. A cluster that can't be read shows as gaps of the Inventory.
func (c *Cluster) Start(ctx context.Context) {
	c.once.Do(func() {
		// The client logs by the logger in its context; what it says of failures
		// is told as a Gap, so all of it goes to debug level.
		ctx = logr.NewContextWithSlogLogger(ctx, slog.New(quiet{c.log.Handler()}))
		for _, f := range c.all() {
			c.wg.Go(func() { f.run(ctx, c.client) })
		}
		c.wg.Go(func() { c.followEndpoints(ctx) })
		c.wg.Go(func() { c.followClients(ctx) })
	})
}

// Wait returns when everything that Start began has ended.
func (c *Cluster) Wait() { c.wg.Wait() }

// Sync returns when each resource was read once in full, is not there, or was
// refused for a reason that waiting for seconds won't mend (401, 403, nobody
// listens at the API server's address); or when ctx ends. What is missing then is a
// gap of the Inventory.
func (c *Cluster) Sync(ctx context.Context) {
	for _, f := range c.all() {
		if !closed(ctx, f.state().settled) {
			return
		}
	}
	_ = c.endpoints.sync(ctx) && c.clients.pods.sync(ctx)
}

func closed(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Changed receives after the Inventory changed, its gaps included. Several
// changes make one event if nobody listens meanwhile. One receiver.
func (c *Cluster) Changed() <-chan struct{} { return c.changed }

func (c *Cluster) signal() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// quiet passes records on at debug level, and none that is below it: from verbosity
// 8 on (klog counts the other way round) the client logs whole bodies, and with them
// whatever people keep in annotations.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelDebug && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if !q.Enabled(ctx, r.Level) {
		return nil // the client does not ask before it logs an error
	}
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
