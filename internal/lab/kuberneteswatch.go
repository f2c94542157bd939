package lab

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// initialEventsEnd marks the bookmark after the initial events of a watch-list
// (KEP-3157).
const initialEventsEnd = "k8s.io/initial-events-end"

// kubeStream is one open watch.
type kubeStream struct {
	k         *Kubernetes
	w         http.ResponseWriter
	req       kubeRequest
	bookmarks bool
	since     uint64 // all events up to this version were sent
	epoch     int
}

// begin sends what exists when the client asked for it (sendInitialEvents), or
// named no version, and sets where the stream goes on.
func (s *kubeStream) begin(rv string, initial bool) {
	s.k.state.Lock()
	s.epoch = s.k.epoch
	version, err := strconv.ParseUint(rv, 10, 64)
	fromNow := err != nil || version == 0
	var items []map[string]any
	if initial || fromNow {
		items = s.k.list(s.req.res, s.req.namespace, s.req.labels)
		version = s.k.rv
	}
	s.since = version
	s.k.state.Unlock()
	for _, item := range items {
		s.send("ADDED", item)
	}
	if initial {
		s.send("BOOKMARK", s.bookmark(version, map[string]any{initialEventsEnd: "true"}))
	}
	s.flush()
}

func (s *kubeStream) bookmark(rv uint64, annotations map[string]any) map[string]any {
	meta := map[string]any{"resourceVersion": strconv.FormatUint(rv, 10), "creationTimestamp": nil}
	if annotations != nil {
		meta["annotations"] = annotations
	}
	return map[string]any{"kind": s.req.res.kind, "apiVersion": s.req.res.apiVersion(), "metadata": meta}
}

// sendNew sends the events since the last call. changed is closed at the next
// event; more is false when the stream is over.
func (s *kubeStream) sendNew() (changed <-chan struct{}, more bool) {
	s.k.state.Lock()
	var events []kubeEvent
	for _, e := range s.k.history {
		if e.rv > s.since {
			events = append(events, e)
		}
	}
	gone := s.since < s.k.compacted
	ended := s.epoch != s.k.epoch
	s.since = max(s.since, s.k.rv)
	changed = s.k.changed
	s.k.state.Unlock()
	for _, e := range events {
		switch {
		case e.action == "BOOKMARK" && s.bookmarks:
			s.send(e.action, s.bookmark(e.rv, nil))
		case e.action != "BOOKMARK" && e.key.matches(s.req.res, s.req.namespace) && s.req.labels.matches(e.object):
			s.send(e.action, e.object)
		}
	}
	if gone {
		s.send("ERROR", statusObject(http.StatusGone, "Expired", "too old resource version"))
	}
	s.flush()
	return changed, !gone && !ended
}

func (s *kubeStream) send(action string, object map[string]any) {
	// An error means the client left; the request's context says so next.
	_ = json.NewEncoder(s.w).Encode(map[string]any{"type": action, "object": object})
}

func (s *kubeStream) flush() { _ = http.NewResponseController(s.w).Flush() }
