package kube

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"driftprobe/internal/inventory"
)

// verb is what was asked of the cluster when it failed.
type verb string

const (
	listing  verb = "list"
	watching verb = "watch"
)

// health knows whether one resource can be read. Lists and watches are told
// apart: with a watch refused and lists allowed, what is known is right but late.
type health struct {
	resource  schema.GroupVersionResource
	namespace string
	place     string
	log       *slog.Logger
	signal    func()
	// settled is closed once the resource was read in full or refused for good.
	settled chan struct{}

	mu     sync.Mutex
	synced bool // a full list is known
	absent bool // the cluster need not have the resource, and is not known to have it
	failed map[verb]failure
	last   verb // the newest request, to tell by which way a full list came
	since  time.Time
	done   bool // settled is closed
}

// what names the resource for a person: "services in namespace shop".
func (h *health) what() string {
	text := cmp.Or(map[string]string{
		"ingressclasses": "ingress classes", "gatewayclasses": "Gateway classes", "gateways": "Gateways",
		"httproutes": "HTTPRoutes", "grpcroutes": "GRPCRoutes", "tlsroutes": "TLSRoutes", "listenersets": "ListenerSets",
		"ingressroutes": "IngressRoutes", "ingressroutetcps": "IngressRouteTCPs",
		"endpointslices": "EndpointSlices", "deployments": "Deployments", "statefulsets": "StatefulSets", "daemonsets": "DaemonSets",
		"horizontalpodautoscalers": "HorizontalPodAutoscalers", "certificaterequests": "CertificateRequests", "orders": "Orders",
	}[h.resource.Resource], h.resource.Resource)
	if h.namespace != "" {
		text += " in namespace " + h.namespace
	}
	return text
}

func (h *health) began(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = now
}

// listed notes the outcome of one list request. A good one counts only when the
// list is complete.
func (h *health) listed(ctx context.Context, now time.Time, err error) {
	h.mu.Lock()
	h.last = listing
	h.mu.Unlock()
	if ctx.Err() == nil && err != nil && !expired(err) {
		h.fail(now, listing, err)
	}
}

// watched notes that a watch was opened, or why not. One with initial events is
// a way to list: an older server refuses those, which is no fault, and success
// shows only when they are complete.
func (h *health) watched(ctx context.Context, now time.Time, err error, initial bool) {
	h.mu.Lock()
	h.last = watching
	h.mu.Unlock()
	switch {
	case ctx.Err() != nil || expired(err):
	case err == nil && !initial:
		h.recover(watching)
	case err != nil && !(initial && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err))):
		h.fail(now, watching, err)
	}
}

// complete notes a full list, and tells whether that was news that it signalled.
func (h *health) complete() bool {
	h.mu.Lock()
	h.synced, h.absent = true, false
	h.settle()
	last := h.last
	h.mu.Unlock()
	told := h.recover(listing)
	if last == watching {
		told = h.recover(watching) || told
	}
	return told
}

func (h *health) settle() {
	if !h.done {
		h.done = true
		close(h.settled)
	}
}

func (h *health) fail(now time.Time, v verb, err error) {
	why := explain(err, h, v)
	h.mu.Lock()
	old, had := h.failed[v]
	if h.synced && len(h.failed) == 0 {
		h.since = now
	}
	h.failed[v], h.absent = why, false
	if why.final {
		h.settle()
	}
	h.mu.Unlock()
	if !had || old != why {
		h.log.Warn("kubernetes: can't "+string(v)+" "+h.what(), "why", why.why)
		h.signal()
	}
}

// leave notes that there is nothing to read, and tells whether that is news.
func (h *health) leave() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := !h.absent
	h.absent, h.synced = true, false
	clear(h.failed)
	h.settle()
	return news
}

func (h *health) isSettled() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

// unanswered notes that nobody said whether the resource is there.
func (h *health) unanswered(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if explain(err, h, listing).final {
		h.settle()
	}
}

// whole tells whether all there is is known, and fresh.
func (h *health) whole() bool {
	_, bad := h.gap()
	return !bad
}

// recover forgets a failure, and tells whether there was one.
func (h *health) recover(v verb) bool {
	h.mu.Lock()
	_, had := h.failed[v]
	delete(h.failed, v)
	h.mu.Unlock()
	if had {
		h.log.Info("kubernetes: can " + string(v) + " " + h.what() + " again")
		h.signal()
	}
	return had
}

// gap returns what is missing, if anything is.
func (h *health) gap() (inventory.Gap, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	why, bad := h.failed[listing]
	if !bad {
		why, bad = h.failed[watching]
	}
	if h.absent || !bad && h.synced {
		return inventory.Gap{}, false
	}
	if !bad {
		why = failure{
			why:  "the cluster has not given a complete list yet",
			hint: "give it more time, or see whether it answers: kubectl get --raw /readyz",
		}
	}
	return inventory.Gap{
		Source: "kubernetes", Resources: []string{h.resource.Resource}, What: h.what(), Why: why.why, Hint: why.hint,
		Since: h.since.UTC(), Held: h.synced,
	}, true
}

func (h *health) hasFailed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.failed) > 0
}

// expired tells whether the server only asks for a new list: 410 Gone, and its
// kin, are part of the protocol.
func expired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}
