package kube

import (
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

const (
	maxNotices = 8  // of one object
	maxShown   = 80 // runes of a value in a notice
)

// declaring is what is kept of an object that declares hosts, of any kind.
type declaring struct {
	kind, namespace, name string
	// class is what the object names; empty if it names none. controller is set
	// where the kind itself tells it.
	class, controller string
	hosts             []string // sorted, each once
	more              bool     // there are hosts past the limit
	named             bool     // of a route: it names hosts, whether they are any or not
	// parents are what a route of the Gateway API is attached to.
	parents []parent
	// addresses and hostnames are the object's own status.
	addresses []netip.Addr
	hostnames []string
	tlsOnly   bool
	wishes
	notices []inventory.Notice
}

func newDeclaring(u *unstructured.Unstructured, kind string) declaring {
	return declaring{kind: kind, namespace: u.GetNamespace(), name: u.GetName()}
}

func (d *declaring) String() string { return d.kind + " " + d.namespace + "/" + d.name }

// annotated reads the object's annotations; false if it asks to be left alone.
func (d *declaring) annotated(u *unstructured.Unstructured) bool {
	annotations, _ := field(u.Object, "metadata", "annotations").(map[string]any)
	return d.annotate(annotations, time.Now())
}

// addHost takes a host as the object writes it. where names the field.
func (d *declaring) addHost(where, raw string) {
	host, ok := hostName(raw)
	if !ok {
		d.notice(quoted(where, raw), "it is no DNS name")
		return
	}
	at, known := slices.BinarySearch(d.hosts, host)
	switch {
	case known:
	case len(d.hosts) == maxHosts:
		d.more = true
	default:
		d.hosts = slices.Insert(d.hosts, at, host)
	}
}

// notice keeps the first of what can't be used.
func (d *declaring) notice(what, why string) {
	if len(d.notices) < maxNotices {
		d.notices = append(d.notices, d.noticeOf(what, why))
	}
}

func (d *declaring) noticeOf(what, why string) inventory.Notice {
	return inventory.Notice{Kind: d.kind, Namespace: d.namespace, Name: d.name, What: what, Why: why}
}

// shortened cuts foreign text to what a reader needs to find it.
func shortened(value string) string {
	if runes := []rune(clip(value)); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return clip(value)
}
