package kube

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// selection watches the objects of one resource that belong to others, and none else: a
// cluster has many. It keeps one feed for each namespace and label selector, and makes it
// anew when what they belong to changes.
type selection[T any] struct {
	resource schema.GroupVersionResource
	read     func(*unstructured.Unstructured) (T, bool)
	// news has an event when what the objects belong to may have changed.
	news chan struct{}
	// first is closed when that was known and the feeds were made.
	first chan struct{}

	mu    sync.Mutex
	feeds map[string]*selected[T] // by namespace, a space and what tells several apart
}

type selected[T any] struct {
	*feed[T]
	stop context.CancelFunc
}

func newSelection[T any](resource schema.GroupVersionResource, read func(*unstructured.Unstructured) (T, bool)) *selection[T] {
	return &selection[T]{
		resource: resource, read: read,
		news: make(chan struct{}, 1), first: make(chan struct{}), feeds: map[string]*selected[T]{},
	}
}

// poke says that what the objects belong to may have changed.
func (s *selection[T]) poke() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// made notes that there are feeds now, or that none are needed.
func (s *selection[T]) made() {
	select {
	case <-s.first:
	default:
		close(s.first)
	}
}

// want starts and stops feeds, so that there is one for each selector. What an older one
// knew stays until the newer one has its list.
func (s *selection[T]) want(ctx context.Context, c *Cluster, wanted map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, f := range s.feeds {
		if _, still := wanted[key]; !still {
			f.stop()
			delete(s.feeds, key)
		}
	}
	for key, selector := range wanted {
		old := s.feeds[key]
		if old != nil && old.selector == selector {
			continue
		}
		namespace, _, _ := strings.Cut(key, " ")
		next := &selected[T]{feed: newFeed(c.health(s.resource, namespace), s.read)}
		next.selector = selector
		if old != nil {
			old.stop()
			next.items = old.snapshot()
			next.synced = old.whole()
		}
		running, stop := context.WithCancel(ctx)
		next.stop = stop
		s.feeds[key] = next
		c.wg.Go(func() { next.run(running, c.client) })
	}
}

// list returns the feeds in a fixed order.
func (s *selection[T]) list() []*selected[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*selected[T]
	for _, key := range slices.Sorted(maps.Keys(s.feeds)) {
		all = append(all, s.feeds[key])
	}
	return all
}

// of returns the feed of one key, or nil.
func (s *selection[T]) of(key string) *selected[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.feeds[key]
}

// sync waits until each feed was read once or refused; false if ctx ends before.
func (s *selection[T]) sync(ctx context.Context) bool {
	if !closed(ctx, s.first) {
		return false
	}
	for _, f := range s.list() {
		if !closed(ctx, f.settled) {
			return false
		}
	}
	return true
}
