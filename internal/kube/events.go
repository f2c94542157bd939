package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/notify"
)

const (
	// maxNote is the most that an Event says, in bytes.
	// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
	maxNote = 1024
	// keyAnnotation is the key of the message that the Event says.
	keyAnnotation = "driftprobe.io/message"
)

// Events tells the incidents of a Service as Events about it, so that kubectl describe
// service shows them: one Event for all that is told of an incident while it is there,
// with a count, and one of type Normal when it is over. Other incidents are nobody's
// Event. It is a notify.Sink.
//
// Events are core/v1: it is what kubectl describe reads, and events.k8s.io shows the
// same objects.
type Events struct {
	client   dynamic.Interface
	place    string
	log      *slog.Logger
	services func(inventory.ServiceRef) (uid string, known, read bool)
	self     string

	mu  sync.Mutex
	off bool // it is forbidden, and that was said
}

// Events returns the sink. self names the process that reports.
func (c *Cluster) Events(self string) *Events {
	return &Events{client: c.client, place: c.place, log: c.log, services: c.uidOf, self: self}
}

// uidOf returns the UID of a Service of type LoadBalancer that is known now, and whether
// one that is not known is not there: the Services of its namespace were read, or may
// not be.
func (c *Cluster) uidOf(ref inventory.ServiceRef) (uid string, known, read bool) {
	read = true
	for _, f := range c.services {
		if f.namespace != "" && f.namespace != ref.Namespace {
			continue
		}
		f.mu.Lock()
		b, known := f.items[ref.Namespace+"/"+ref.Name]
		read = read && (f.synced || f.failed[listing].forbidden)
		f.mu.Unlock()
		if known {
			return b.service.UID, true, true
		}
	}
	return "", false, read
}

// Name is "kubernetes-events".
func (e *Events) Name() string { return "kubernetes-events" }

// Send writes the Event. A message that is written already is not counted again. An
// incident that is none of a Service, or of one that is gone, has arrived with nothing
// written: nobody can describe what is not there. After a start the Services have to be
// read first. What is forbidden is given up.
func (e *Events) Send(ctx context.Context, m notify.Message) error {
	ref := inventory.ServiceRef{Namespace: m.Incident.Subject.Namespace, Name: m.Incident.Subject.Name}
	uid, known, read := e.services(ref)
	switch {
	case known:
	case ref.Name != "" && !read:
		return &notify.NotYetError{Reason: "the Services of the cluster are not read yet"}
	default:
		return nil
	}
	err := e.write(ctx, ref, uid, m)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !apierrors.IsForbidden(err) {
		e.off = e.off && err != nil
		if err != nil {
			return failed(err, e.place, "Event about Service "+ref.String(), events(), ref.Namespace, eventVerbs)
		}
		return nil
	}
	text := failed(err, e.place, "Event about Service "+ref.String(), events(), ref.Namespace, eventVerbs).Error()
	if !e.off {
		e.log.Info("incidents are not written as Events; everything else goes on (alerts.events: false says that it is meant)", "why", text)
	}
	e.off = true
	return &notify.GivenUpError{Reason: text, Logged: true}
}

const eventVerbs = "create, get and update"

func events() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "events"}
}

// write creates the Event, or counts up the one that is there.
func (e *Events) write(ctx context.Context, ref inventory.ServiceRef, uid string, m notify.Message) error {
	objects := e.client.Resource(events()).Namespace(ref.Namespace)
	event := e.event(ref, uid, m)
	_, err := objects.Create(ctx, event, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := objects.Get(ctx, event.GetName(), metav1.GetOptions{})
	if err != nil {
		return err // forgotten by the cluster since: the next attempt creates it
	}
	if text(old.Object, "metadata", "annotations", keyAnnotation) == m.Key {
		return nil
	}
	count, _, err := unstructured.NestedInt64(old.Object, "count")
	if err != nil || count < 1 {
		count = 1
	}
	event.SetResourceVersion(old.GetResourceVersion())
	event.Object["count"] = count + 1
	if first := text(old.Object, "firstTimestamp"); first != "" {
		event.Object["firstTimestamp"] = first
	}
	_, err = objects.Update(ctx, event, metav1.UpdateOptions{})
	return err
}

// event says the message. Its name is the same for all that is told of an incident until
// it is over.
func (e *Events) event(ref inventory.ServiceRef, uid string, m notify.Message) *unstructured.Unstructured {
	kind, action := "Warning", "Alert"
	switch m.Kind {
	case notify.Resolved:
		kind, action = "Normal", "Resolve"
	case notify.Unwatched:
		kind, action = "Normal", "Unwatch"
	}
	index, _, _ := strings.Cut(m.Shard, "/") // each shard has its own Event
	hash := sha256.Sum256([]byte(m.Incident.ID + "\n" + uid + "\n" + action + index))
	at := m.At.UTC().Format(time.RFC3339)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]any{
			"name": ref.Name + "." + hex.EncodeToString(hash[:8]), "namespace": ref.Namespace,
			"annotations": map[string]any{keyAnnotation: m.Key},
		},
		"involvedObject": map[string]any{
			"apiVersion": "v1", "kind": "Service", "namespace": ref.Namespace, "name": ref.Name, "uid": uid,
		},
		"type": kind, "reason": reason(m.Incident.Code), "message": note(m), "action": action,
		"count": int64(1), "firstTimestamp": at, "lastTimestamp": at,
		"reportingComponent": "driftprobe", "reportingInstance": e.self,
		"source": map[string]any{"component": "driftprobe"},
	}}
}

// reason is the code's name as Events have theirs: "StaleRecord".
func reason(c finding.Code) string {
	_, name, _ := strings.Cut(string(c), "/")
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// note is the message in one line.
func note(m notify.Message) string {
	cause := m.Cause()
	switch m.Kind {
	case notify.Resolved:
		cause = "resolved: " + cause
	case notify.Unwatched:
		cause = "no longer watched, nobody saw it mended: " + cause
	}
	if n := m.HostCount; n > 0 {
		cause += fmt.Sprintf(" (%s: %s)", finding.Count(n, "hostname", "hostnames"), finding.List(m.Incident.Hosts, 5))
	}
	if !m.Over() && m.Incident.Recovery != "" {
		cause += "; clients recover " + m.Incident.Recovery
	}
	if m.Shard != "" {
		cause += " (shard " + m.Shard + ")"
	}
	clean := finding.Printable(cause, maxNote)
	if len(clean) <= maxNote {
		return clean
	}
	end := maxNote - len("…")
	for !utf8.RuneStart(clean[end]) {
		end--
	}
	return clean[:end] + "…"
}
