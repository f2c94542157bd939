package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// listTimeout bounds one request of a list (or page of it), so that a server
// that accepts and never answers is noticed.
const listTimeout = time.Minute

// pageOf is how many objects of a page are asked for.
const pageOf = 250

// maxPause is the longest pause between two attempts to read a resource, and its half
// more. client-go's own is half a minute to a minute, in which a cluster that is
// well again would still be told to be unknown.
const maxPause = 8 * time.Second

var errNoAnswer = errors.New("the connection ended, or timed out, before there was an answer")

// feed keeps one resource of one namespace (or of all) in step with the cluster.
// It is the store of a client-go reflector, which lists, watches, backs off and
// lists again after 410 Gone. A shared informer would put a queue, a second copy
// and listeners between, and would hide connection errors, which its error
// handler is not told of.
type feed[T any] struct {
	*health
	// read takes what we need out of an object; false if it is none of ours.
	read func(*unstructured.Unstructured) (T, bool)
	// selector limits the objects by their labels; empty: all.
	selector string
	// served is set if the cluster need not have the resource; older are further
	// versions in which it is read.
	served *served
	older  []string
	// few: of many objects few are kept, so lists are read in pages, and what is not kept
	// goes before the next page comes.
	few bool
	// items are what is known, by namespace/name; guarded by health.mu.
	items map[string]T
	// vanished: the resource was there, with objects, and is served no more; guarded
	// by health.mu.
	vanished bool
	// precious: that all objects are gone is not believed at the first list. emptied is
	// when a list first said so; guarded by health.mu.
	precious bool
	emptied  time.Time
}

func newFeed[T any](h *health, read func(*unstructured.Unstructured) (T, bool)) *feed[T] {
	return &feed[T]{health: h, read: read, items: map[string]T{}}
}

// run keeps the feed until ctx ends. A resource that the cluster need not have is
// followed while it has it.
func (f *feed[T]) run(ctx context.Context, client dynamic.Interface) {
	f.began(time.Now())
	if f.served == nil {
		f.follow(ctx, client, f.resource, func() {})
		return
	}
	for ctx.Err() == nil {
		at, there, err := f.served.newest(ctx, f.resource, f.older)
		switch {
		case there, apierrors.IsForbidden(err):
			while, gone := context.WithCancel(ctx)
			f.follow(while, client, at, gone)
			gone()
			pause(ctx, f.served.every/6)
		case err == nil:
			f.missing(time.Now())
			pause(ctx, f.served.every)
		default:
			// What is wrong is told by the resources that every cluster has.
			f.unanswered(err)
			pause(ctx, f.served.every/12)
		}
	}
}

// missing notes that the cluster does not have the resource, and so no objects of
// it. Where there were some it is believed at the second look.
func (f *feed[T]) missing(now time.Time) {
	f.mu.Lock()
	if len(f.items) > 0 && !f.vanished {
		f.vanished = true
		f.mu.Unlock()
		f.fail(now, listing, apierrors.NewNotFound(f.resource.GroupResource(), ""))
		return
	}
	had := len(f.items) > 0
	f.items, f.vanished = map[string]T{}, false
	f.mu.Unlock()
	if f.leave() || had {
		f.signal()
	}
}

// follow lists and watches until ctx ends. gone is called if the resource turns out
// not to be there.
func (f *feed[T]) follow(ctx context.Context, client dynamic.Interface, at schema.GroupVersionResource, gone func()) {
	resource := client.Resource(at).Namespace(f.namespace)
	var lists calls
	defer lists.end()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			if !lists.enter() {
				return nil, context.Canceled
			}
			defer lists.leave()
			limited, cancel := context.WithTimeout(ctx, listTimeout)
			defer cancel()
			o.LabelSelector = f.selector
			if f.few {
				o.Limit = pageOf
				if o.ResourceVersion == "0" { // from the server's cache, which has no pages
					o.ResourceVersion, o.ResourceVersionMatch = "", ""
				}
			}
			list, err := resource.List(limited, o)
			if f.few && err == nil {
				list.Items = slices.DeleteFunc(list.Items, func(u unstructured.Unstructured) bool {
					_, keep := f.read(&u)
					return !keep
				})
			}
			if f.served != nil && apierrors.IsNotFound(err) {
				gone()
			}
			f.listed(ctx, time.Now(), err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = f.selector
			w, err := resource.Watch(ctx, o)
			if err == nil && reflect.TypeOf(w) == reflect.TypeOf(watch.NewEmptyWatch()) {
				// So the client hides a connection that was ended or timed out, as by
				// a balancer in front of an API server that is gone.
				w, err = nil, errNoAnswer
			}
			if f.served != nil && apierrors.IsNotFound(err) {
				gone()
			}
			f.watched(ctx, time.Now(), err, o.SendInitialEvents != nil && *o.SendInitialEvents)
			return w, err
		},
	}
	cache.NewReflectorWithOptions(source, &unstructured.Unstructured{}, f, cache.ReflectorOptions{
		Name: f.what(), Backoff: &wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: maxPause},
	}).RunWithContext(ctx)
}

// calls waits for lists that are under way: the reflector lists in a goroutine of
// its own, and leaves that behind when its context ends.
type calls struct {
	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup
}

// enter is false after end.
func (c *calls) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.running.Add(1)
	}
	return !c.ended
}

func (c *calls) leave() { c.running.Done() }

// end returns when every call has left, and lets none enter any more.
func (c *calls) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.running.Wait()
}

// entry is an object cut down to what is kept of it.
type entry[T any] struct {
	metav1.ObjectMeta // name and namespace only: the key
	value             T
	keep              bool
}

// Transformer cuts objects down while a list still streams in, so that memory
// follows what is kept and not what the cluster holds.
func (f *feed[T]) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) { return f.entry(obj) }
}

func (f *feed[T]) entry(obj any) (*entry[T], error) {
	switch o := obj.(type) {
	case *entry[T]:
		return o, nil
	case *unstructured.Unstructured:
		value, keep := f.read(o)
		return &entry[T]{metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName()}, value, keep}, nil
	}
	return nil, fmt.Errorf("%s: an object of type %T", f.what(), obj)
}

func (e *entry[T]) key() string { return e.Namespace + "/" + e.Name }

// Add takes in an object of a watch event.
func (f *feed[T]) Add(obj any) error { return f.Update(obj) }

// Update takes in an object of a watch event, and signals if it changed in a way
// that matters.
func (f *feed[T]) Update(obj any) error {
	e, err := f.entry(obj)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old, had := f.items[e.key()]
	if e.keep {
		f.items[e.key()] = e.value
	} else {
		delete(f.items, e.key())
	}
	f.mu.Unlock()
	if had != e.keep || e.keep && !reflect.DeepEqual(old, e.value) {
		f.signal()
	}
	return nil
}

// Delete takes in a deletion of a watch event.
func (f *feed[T]) Delete(obj any) error {
	e, err := f.entry(obj)
	if err != nil {
		return err
	}
	f.mu.Lock()
	_, had := f.items[e.key()]
	delete(f.items, e.key())
	f.mu.Unlock()
	if had {
		f.signal()
	}
	return nil
}

// Replace takes in a complete list: the one way by which things vanish without a
// deletion event.
func (f *feed[T]) Replace(list []any, _ string) error {
	next := make(map[string]T)
	for _, obj := range list {
		e, err := f.entry(obj)
		if err != nil {
			return err
		}
		if e.keep {
			next[e.key()] = e.value
		}
	}
	if err := f.doubt(time.Now(), next); err != nil {
		return err
	}
	f.mu.Lock()
	same := f.synced && reflect.DeepEqual(f.items, next)
	f.items, f.vanished = next, false
	f.mu.Unlock()
	if !f.complete() && !same {
		f.signal()
	}
	return nil
}

// Resync is of no use here.
func (f *feed[T]) Resync() error { return nil }

// snapshot returns a copy of what is known.
func (f *feed[T]) snapshot() map[string]T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.items)
}

// values returns a copy of what is known, in no order.
func (f *feed[T]) values() []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]T, 0, len(f.items))
	for _, value := range f.items {
		all = append(all, value)
	}
	return all
}
