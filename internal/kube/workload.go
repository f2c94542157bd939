package kube

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/manifest"
)

const (
	maxSelector = 4 << 10  // bytes of a label selector, which stands in a URL
	maxClient   = 64 << 10 // bytes of what is kept of a workload, in JSON; usual are two thousand
	maxStarted  = 64       // containers of a pod
)

// client is what is kept of a Deployment, StatefulSet or DaemonSet that orders
// certificates.
type client struct {
	workload inventory.Workload
	// selector chooses its pods; empty if it can't be used.
	selector string
	// huge: it is larger than any honest one, and only its name is kept.
	huge bool
}

// readClient keeps a workload that orders certificates, or that a configuration file may
// tell to, with the containers and volumes that matter. A cluster has thousands of others.
func readClient(u *unstructured.Unstructured) (client, bool) {
	w, ok := manifest.Workload(u.Object)
	if !ok {
		return client{}, false
	}
	whole := w
	w.Containers = slices.DeleteFunc(slices.Clone(w.Containers), func(c inventory.Container) bool {
		_, file := manifest.Configuration(whole, c)
		return !issuance.MayOrder(c) && !(file && issuance.Configurable(c))
	})
	if len(w.Containers) == 0 {
		return client{}, false
	}
	mounted := func(v inventory.Volume) bool {
		return slices.ContainsFunc(w.Containers, func(c inventory.Container) bool {
			return slices.ContainsFunc(c.Mounts, func(m inventory.Mount) bool { return m.Volume == v.Name })
		})
	}
	w.Volumes = slices.DeleteFunc(slices.Clone(w.Volumes), func(v inventory.Volume) bool { return !mounted(v) })
	if b, err := json.Marshal(w); err != nil || len(b) > maxClient {
		return client{workload: inventory.Workload{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name}, huge: true}, true
	}
	return client{workload: w, selector: selectorOf(u)}, true
}

func selectorOf(u *unstructured.Unstructured) string {
	declared, _ := field(u.Object, "spec", "selector").(map[string]any)
	var labels metav1.LabelSelector
	if len(declared) == 0 || runtime.DefaultUnstructuredConverter.FromUnstructured(declared, &labels) != nil {
		return ""
	}
	selector, err := metav1.LabelSelectorAsSelector(&labels)
	if err != nil || len(selector.String()) > maxSelector {
		return ""
	}
	return selector.String()
}

// readPod keeps a pod that has not ended. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
func readPod(u *unstructured.Unstructured) (inventory.Pod, bool) {
	p := inventory.Pod{Name: u.GetName(), Created: u.GetCreationTimestamp().UTC()}
	statuses := items(u.Object, "status", "containerStatuses")
	for _, s := range statuses[:min(len(statuses), maxStarted)] {
		if n, ok := whole(field(s, "restartCount")); ok {
			p.Restarts += n
		}
		if at, err := time.Parse(time.RFC3339, text(s, "state", "running", "startedAt")); err == nil && at.After(p.Started) {
			p.Started = at.UTC()
		}
	}
	phase := text(u.Object, "status", "phase")
	return p, phase != "Succeeded" && phase != "Failed"
}

// scaler is what is kept of a HorizontalPodAutoscaler.
type scaler struct {
	kind, namespace, name string // of what it scales
	most                  int
}

func readScaler(u *unstructured.Unstructured) (scaler, bool) {
	w, ok := manifest.Scaled(u.Object)
	return scaler{kind: w.Kind, namespace: w.Namespace, name: w.Name, most: w.Replicas}, ok
}

// whole reads a number of JSON, which is not negative.
func whole(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), n >= 0 && n < 1<<31
	case float64:
		return int(n), n >= 0 && n < 1<<31
	}
	return 0, false
}

// copied lets nobody change what is kept. Settings are filled in later.
func copied(w inventory.Workload) inventory.Workload {
	w.Labels, w.Volumes, w.Containers = maps.Clone(w.Labels), slices.Clone(w.Volumes), slices.Clone(w.Containers)
	return w
}
