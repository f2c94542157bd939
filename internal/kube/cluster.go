// Package kube reads from a Kubernetes cluster what should be: the Services of
// type LoadBalancer, and the hosts that Ingresses declare, with the controllers
// of their classes. It watches, keeps only the fields it needs, and says what it
// could not read.
//
// It judges nothing, writes nothing to the cluster, and does not choose which
// Service fronts which host.
package kube

import (
	"context"
	"log/slog"
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
	log     *slog.Logger
	client  dynamic.Interface
	changed chan struct{}

	services  []*feed[inventory.Service]
	ingresses []*feed[ingress]
	classes   *feed[class]

	once sync.Once
	wg   sync.WaitGroup
}

func newCluster(client dynamic.Interface, place string, namespaces []string, log *slog.Logger) *Cluster {
	c := &Cluster{place: place, log: log, client: client, changed: make(chan struct{}, 1)}
	services := schema.GroupVersionResource{Version: "v1", Resource: "services"}
	ingresses := schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
	classes := schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingressclasses"}
	for _, ns := range namespaces {
		c.services = append(c.services, newFeed(c.health(services, ns), readService))
		c.ingresses = append(c.ingresses, newFeed(c.health(ingresses, ns), c.readIngress))
	}
	c.classes = newFeed(c.health(classes, ""), readClass)
	return c
}

func (c *Cluster) health(r schema.GroupVersionResource, namespace string) *health {
	return &health{
		resource: r, namespace: namespace, place: c.place, log: c.log, signal: c.signal,
		settled: make(chan struct{}), failed: map[verb]failure{},
	}
}

// feeds returns the health of every resource, in a fixed order.
func (c *Cluster) feeds() []*health {
	var list []*health
	for _, f := range c.services {
		list = append(list, f.health)
	}
	for _, f := range c.ingresses {
		list = append(list, f.health)
	}
	return append(list, c.classes.health)
}

// Start begins to watch, until ctx ends; Wait waits for that end. Only the first
// call does anything. A cluster that can't be read shows as gaps of the Inventory.
func (c *Cluster) Start(ctx context.Context) {
	c.once.Do(func() {
		// The client logs by the logger in its context; what it says of failures
		// is told as a Gap, so all of it goes to debug level.
		ctx = logr.NewContextWithSlogLogger(ctx, slog.New(quiet{c.log.Handler()}))
		for _, f := range c.services {
			c.wg.Go(func() { f.run(ctx, c.client) })
		}
		for _, f := range c.ingresses {
			c.wg.Go(func() { f.run(ctx, c.client) })
		}
		c.wg.Go(func() { c.classes.run(ctx, c.client) })
	})
}

// Wait returns when everything that Start began has ended.
func (c *Cluster) Wait() { c.wg.Wait() }

// Sync returns when each resource was read once in full, or refused for a reason
// that waiting won't mend (401, 403, 404); or when ctx ends. What is missing then
// is a gap of the Inventory.
func (c *Cluster) Sync(ctx context.Context) {
	for _, h := range c.feeds() {
		select {
		case <-h.settled:
		case <-ctx.Done():
			return
		}
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
