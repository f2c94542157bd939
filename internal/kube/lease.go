package kube

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The times of client-go's leader election: a lease lasts leaseFor after it was renewed.
// Who holds it renews it every leaseRetry, and stops leading when that did not succeed
// for leaseStop, so that there is time to stop before another may take it.
const (
	leaseFor   = 15 * time.Second
	leaseStop  = 10 * time.Second
	leaseRetry = 2 * time.Second
)

// Lease says which one of several processes leads
// (https://kubernetes.io/docs/concepts/architecture/leases/). Two never lead at the same
// time as long as their clocks run at the same rate; what the clocks say does not
// matter. client-go's own election needs the typed clients, which are 14 MiB.
//
// Without the right to the Lease, or its namespace, nobody can know who leads, and every
// process leads: to be told twice is better than not at all.
type Lease struct {
	*Client
	namespace, name string
	self            string

	lasts, stop, retry time.Duration

	mu      sync.Mutex
	leads   bool
	until   time.Time // of leading, unless it is renewed
	version string    // the newest resourceVersion that was seen,
	seen    time.Time // and when it was first
	told    string    // the last failure that was logged
}

// Lease returns a lease for the process self, a name that no other process has.
func (c *Client) Lease(namespace, name, self string) *Lease {
	return &Lease{Client: c, namespace: namespace, name: name, self: self, lasts: leaseFor, stop: leaseStop, retry: leaseRetry}
}

// Leads tells whether this process leads now.
func (l *Lease) Leads() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leads && time.Now().Before(l.until)
}

// Run calls lead whenever this process comes to lead, with a context that ends when it
// must stop, and waits for its return. It returns when ctx has ended, and lead too:
// until then the lease is renewed, and then it is given back.
func (l *Lease) Run(ctx context.Context, lead func(context.Context)) {
	for ctx.Err() == nil {
		if l.attempt(ctx) {
			l.hold(ctx, lead)
			continue
		}
		pause(ctx, l.wait(time.Now()))
	}
}

// wait is the time to the next attempt: at the moment when the lease that was last seen
// may be taken, at the latest.
func (l *Lease) wait(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if over := l.seen.Add(l.lasts).Sub(now); over >= 0 && over < l.retry {
		return over + time.Millisecond
	}
	return l.retry
}

// hold leads until lead returns or the lease is lost.
func (l *Lease) hold(ctx context.Context, lead func(context.Context)) {
	l.log.Info("leading: this process alerts and writes the state", "lease", l.String())
	leading, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lead(leading)
	}()
	tick := time.NewTicker(l.retry)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			l.release(ctx)
			return
		case <-tick.C:
		}
		if l.renew(ctx) {
			continue
		}
		stop()
		l.log.Warn("not leading any more", "lease", l.String())
		<-ended
		l.mu.Lock()
		l.leads = false
		l.mu.Unlock()
		return
	}
}

// renew returns false when leading must end: another has the lease, or it could not be
// renewed for too long.
func (l *Lease) renew(ctx context.Context) bool {
	l.mu.Lock()
	until := l.until
	l.mu.Unlock()
	within, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	return l.attempt(within) || time.Now().Before(until) && l.stillOurs()
}

// stillOurs is false once another was seen to hold the lease.
func (l *Lease) stillOurs() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leads
}

// String names the Lease.
func (l *Lease) String() string { return l.namespace + "/" + l.name }

func (l *Lease) resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
}

// attempt takes the lease or renews it, and tells whether this process leads now. The
// time counts from before the request: whoever sees its outcome sees it later.
func (l *Lease) attempt(ctx context.Context) bool {
	began := time.Now()
	ours, err := l.ask(ctx, began)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case ours, withheld(err):
		ours, l.leads, l.until = true, true, began.Add(l.stop)
	case err == nil:
		l.leads = false
	}
	l.tell(ctx, err)
	return ours
}

// withheld tells whether no process like this one can have the Lease: there is no right
// to it, or not its namespace.
func withheld(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) }

// tell logs what is new about failures. A conflict is none: another was faster.
func (l *Lease) tell(ctx context.Context, err error) {
	text := ""
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
		text = failed(err, l.place, "Lease "+l.String(), l.resource(), l.namespace, "get, create and update").Error()
	}
	if text == l.told || ctx.Err() != nil {
		return
	}
	l.told = text
	switch {
	case withheld(err):
		l.log.Error("nobody can say who leads; alerting without a lease", "err", text)
	case text != "":
		l.log.Error("the lease can't be taken or renewed", "err", text)
	}
}

// ask reads the Lease, and takes or renews it if that is allowed. It is ours if the
// answer says so.
func (l *Lease) ask(ctx context.Context, now time.Time) (ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(requestTimeout, l.stop/2))
	defer cancel()
	objects := l.objects.Resource(l.resource()).Namespace(l.namespace)
	found, err := objects.Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = objects.Create(ctx, l.object(now), metav1.CreateOptions{})
		return err == nil, err
	}
	if err != nil {
		return false, err
	}
	holder := text(found.Object, "spec", "holderIdentity")
	if l.note(found.GetResourceVersion(), time.Now()); holder != "" && holder != l.self && !l.expired(found, now) {
		return false, nil
	}
	_, err = objects.Update(ctx, l.following(found, now), metav1.UpdateOptions{})
	return err == nil, err
}

// note keeps when a version of the Lease was seen first.
func (l *Lease) note(version string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version != l.version {
		l.version, l.seen = version, now
	}
}

// expired tells whether the holder had its time since it was last seen to renew. Its own
// times are not compared with our clock.
func (l *Lease) expired(found *unstructured.Unstructured, now time.Time) bool {
	lasts, _, err := unstructured.NestedInt64(found.Object, "spec", "leaseDurationSeconds")
	if err != nil {
		lasts = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Sub(l.seen) > max(l.lasts, min(time.Duration(lasts), time.Hour/time.Second)*time.Second)
}

func (l *Lease) object(now time.Time) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": l.resource().GroupVersion().String(), "kind": "Lease",
		"metadata": map[string]any{
			"name": l.name, "namespace": l.namespace, "labels": map[string]any{"app.kubernetes.io/name": "driftprobe"},
		},
	}}
	return l.following(u, now)
}

// following is the Lease with this process as its holder.
func (l *Lease) following(found *unstructured.Unstructured, now time.Time) *unstructured.Unstructured {
	next := found.DeepCopy()
	at := now.UTC().Format(metav1.RFC3339Micro)
	transitions, known, err := unstructured.NestedInt64(found.Object, "spec", "leaseTransitions")
	acquired := text(found.Object, "spec", "acquireTime")
	if text(found.Object, "spec", "holderIdentity") != l.self {
		acquired = at
		if known && err == nil {
			transitions++
		}
	}
	next.Object["spec"] = map[string]any{
		"holderIdentity": l.self, "leaseDurationSeconds": int64((l.lasts + time.Second - 1) / time.Second),
		"acquireTime": acquired, "renewTime": at, "leaseTransitions": transitions,
	}
	return next
}

// release gives the lease back, so that another need not wait for its end.
func (l *Lease) release(ctx context.Context) {
	l.mu.Lock()
	ours := l.leads && time.Now().Before(l.until)
	l.leads = false
	l.mu.Unlock()
	if !ours {
		return
	}
	ctx, cancel := brief(ctx)
	defer cancel()
	objects := l.objects.Resource(l.resource()).Namespace(l.namespace)
	found, err := objects.Get(ctx, l.name, metav1.GetOptions{})
	if err != nil || text(found.Object, "spec", "holderIdentity") != l.self {
		return
	}
	next := l.following(found, time.Now())
	next.Object["spec"].(map[string]any)["holderIdentity"] = ""
	next.Object["spec"].(map[string]any)["leaseDurationSeconds"] = int64(1)
	// Whoever waits for it waits until its end if this fails.
	_, _ = objects.Update(ctx, next, metav1.UpdateOptions{})
}
