package kube

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/manifest"
)

const (
	// maxClients bounds the workloads of a cluster that order certificates, and maxPods
	// the pods of one.
	maxClients = 100
	maxPods    = 50
	// readAgain is how often configuration files are read again, and askAgain how soon
	// after one could not be read.
	readAgain = 5 * time.Minute
	askAgain  = 30 * time.Second
)

// acmeClients watches the workloads that order certificates: what they are told, what scales
// them, and their pods. A configuration file is read singly, by the name of its ConfigMap.
type acmeClients struct {
	kinds   []*feed[client]
	scalers []*feed[scaler]
	pods    *selection[inventory.Pod]

	mu    sync.Mutex
	files map[file]content
}

// file is an entry of a ConfigMap that a client reads. Programs read it differently.
type file struct {
	namespace string
	manifest.ConfigMap
	program string
}

// content is what was read of a file, and what is wrong with the last attempt.
type content struct {
	settings map[string]string
	known    bool
	failed   failure
	since    time.Time
}

func newACMEClients() *acmeClients {
	return &acmeClients{pods: newSelection(schema.GroupVersionResource{Version: "v1", Resource: "pods"}, readPod), files: map[file]content{}}
}

// add makes the feeds of one namespace, or of all.
func (s *acmeClients) add(c *Cluster, namespace string) {
	for _, plural := range []string{"deployments", "statefulsets", "daemonsets"} {
		f := newFeed(c.health(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: plural}, namespace), readClient)
		f.signal = func() { c.signal(); s.pods.poke() }
		f.few = true
		s.kinds = append(s.kinds, f)
	}
	scaling := schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	s.scalers = append(s.scalers, optional(c.served, newFeed(c.health(scaling, namespace), readScaler)))
}

func (s *acmeClients) feeds() []reading {
	var all []reading
	for _, f := range s.kinds {
		all = append(all, f)
	}
	for _, f := range s.scalers {
		all = append(all, f)
	}
	return all
}

// known are the workloads, in order, the first maxClients; and how many more there are.
func (s *acmeClients) known() ([]client, int) {
	var all []client
	for _, f := range s.kinds {
		all = append(all, f.values()...)
	}
	slices.SortStableFunc(all, func(a, b client) int {
		return cmp.Or(cmp.Compare(a.workload.Namespace, b.workload.Namespace), cmp.Compare(a.workload.Name, b.workload.Name), cmp.Compare(a.workload.Kind, b.workload.Kind))
	})
	n := min(len(all), maxClients)
	return all[:n], len(all) - n
}

// followClients keeps the pods' feeds and the configuration files in step with the
// workloads until ctx ends.
func (c *Cluster) followClients(ctx context.Context) {
	for {
		next := readAgain
		settled := !slices.ContainsFunc(c.clients.kinds, func(f *feed[client]) bool { return !f.isSettled() }) &&
			!slices.ContainsFunc(c.services, func(f *feed[balanced]) bool { return !f.isSettled() })
		if settled {
			all, _ := c.clients.known()
			if !c.readFiles(ctx, filesOf(all)) {
				next = askAgain
			}
			selectors := map[string]string{}
			for _, k := range c.ordering() {
				if k.selector != "" {
					selectors[podsOf(k.workload)] = k.selector
				}
			}
			c.clients.pods.want(ctx, c, selectors)
			c.clients.pods.made()
		}
		again := time.NewTimer(next)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-c.clients.pods.news:
			again.Stop()
		case <-again.C:
		}
	}
}

// podsOf is the key of a workload's pods.
func podsOf(w inventory.Workload) string { return w.Namespace + " " + w.Kind + "/" + w.Name }

func fileOf(w inventory.Workload, c inventory.Container) (file, bool) {
	at, ok := manifest.Configuration(w, c)
	return file{w.Namespace, at, c.Program()}, ok && issuance.Configurable(c)
}

func filesOf(all []client) []file {
	var files []file
	for _, w := range all {
		for _, c := range w.workload.Containers {
			if f, ok := fileOf(w.workload, c); ok && !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	return files
}

// readFiles reads each file, and forgets those that nobody needs any more. It is false if
// one could not be read; the rest wait too if the API server does not answer.
func (c *Cluster) readFiles(ctx context.Context, files []file) bool {
	s := c.clients
	s.mu.Lock()
	for f := range s.files {
		if !slices.Contains(files, f) {
			delete(s.files, f)
		}
	}
	s.mu.Unlock()
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	all := true
	for _, f := range files {
		limited, cancel := context.WithTimeout(ctx, requestTimeout)
		object, err := c.client.Resource(configMaps).Namespace(f.namespace).Get(limited, f.Name, metav1.GetOptions{})
		cancel()
		if ctx.Err() != nil {
			return false
		}
		if err == nil || apierrors.IsNotFound(err) {
			var settings map[string]string
			if err == nil {
				settings = manifest.Settings(inventory.Container{Image: f.program}, f.Text(object.Object))
			}
			s.note(f, content{settings: settings, known: true}, c.signal)
			continue
		}
		all = false
		h := &health{resource: configMaps, namespace: f.namespace, place: c.place}
		why := explain(err, h, "get")
		if apierrors.IsForbidden(err) {
			why.hint = "grant get on configmaps (apiGroup \"\") by a Role in namespace " + f.namespace + ", or by a ClusterRole"
		}
		s.note(f, content{failed: why, since: time.Now()}, c.signal)
		if !apierrors.IsForbidden(err) {
			break
		}
	}
	return all
}
