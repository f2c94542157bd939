package inventory

import (
	"path"
	"strings"
	"time"
)

// Workload is what runs pods, as far as the keeping of certificates is concerned: a
// Deployment, StatefulSet, DaemonSet or a Pod of its own. Its objects are written by
// other tenants, so that all text is foreign.
type Workload struct {
	// Kind is that of the object: "Deployment", ….
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Chart is the label helm.sh/chart, for example "traefik-37.1.0"; empty without one.
	Chart string `json:"chart,omitempty"`
	// Replicas is how many pods are wanted at most, also by an autoscaler. A DaemonSet
	// has PerNode in place of it.
	Replicas int  `json:"replicas,omitempty"`
	PerNode  bool `json:"per_node,omitempty"`
	// Labels are those of its pods.
	Labels     map[string]string `json:"labels,omitempty"`
	Containers []Container       `json:"containers,omitempty"`
	Volumes    []Volume          `json:"volumes,omitempty"`
	// Services are those of type LoadBalancer whose pods these are.
	Services []ServiceRef `json:"services,omitempty"`
	// Pods are those that run; nil if they could not be read.
	Pods []Pod `json:"pods,omitempty"`
}

// Container is one container of a workload's pods.
type Container struct {
	Name  string `json:"name"`
	Image string `json:"image,omitempty"`
	// Dir is the folder in which it is started; empty: that of the image.
	Dir string `json:"dir,omitempty"`
	// Args are the arguments, Env the variables with a literal value and Config the
	// settings of a configuration file in a ConfigMap, as "certificatesresolvers.le.acme.storage":
	// only those that say where certificates are kept, and of Caddy's whether it has any. Of others that show that there is
	// something to keep the values are left out, because they can be secrets.
	// A part of a value that only the cluster knows stands there as "$(NAME)".
	Args   []string          `json:"args,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
	Config map[string]string `json:"config,omitempty"`
	Mounts []Mount           `json:"mounts,omitempty"`
}

// Mount is where a volume appears in a container.
type Mount struct {
	Volume  string `json:"volume"`
	Path    string `json:"path"`
	SubPath string `json:"sub_path,omitempty"`
	// ReadOnly: the mount, or the volume itself, can't be written to.
	ReadOnly bool `json:"read_only,omitempty"`
}

// Volume is one volume of a pod.
type Volume struct {
	Name string `json:"name"`
	// Kind is the field of the Kubernetes API that makes it: "persistentVolumeClaim",
	// "emptyDir", "configMap", …. A claim that a StatefulSet makes for each pod is
	// "volumeClaimTemplate".
	Kind string `json:"kind"`
	// Of is the name of the claim, ConfigMap or Secret, or the path on the host.
	Of string `json:"of,omitempty"`
	// Items are the entries that the volume chooses of a ConfigMap, by the path of each;
	// empty: all, by their names.
	Items map[string]string `json:"items,omitempty"`
}

// Pod is one pod of a workload.
type Pod struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// Started is when its newest container began to run.
	Started time.Time `json:"started,omitzero"`
	// Restarts counts those of its containers.
	Restarts int `json:"restarts,omitempty"`
}

// RefusedOrder is an Order of cert-manager that the certificate authority refused because
// of a limit, and that is the newest of its Certificate.
type RefusedOrder struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Certificate is the name of the object that asked for it; empty if nobody says.
	Certificate string `json:"certificate,omitempty"`
	// At is when it failed.
	At time.Time `json:"at,omitzero"`
	// Reason is the authority's own text, with the moment from which it takes orders again.
	Reason string `json:"reason"`
	// Hosts are the names that were ordered, sorted.
	Hosts []string `json:"hosts,omitempty"`
	// Requests counts the CertificateRequests of the Certificate that are still there.
	Requests int `json:"requests,omitempty"`
}

// Absolute returns a path as the container's program sees it, clean; "" for none.
func (c Container) Absolute(p string) string {
	switch p = strings.TrimSpace(p); {
	case p == "":
		return ""
	case strings.HasPrefix(p, "/"):
		return path.Clean(p)
	}
	return path.Clean("/" + c.Dir + "/" + p)
}

// Fronted returns the workload with those of the Services that are of type LoadBalancer and
// send traffic to its pods. A Service without a selector chooses none.
func (w Workload) Fronted(services []Balanced) Workload {
	w.Services = nil
	for _, b := range services {
		if b.Type == "LoadBalancer" && b.Namespace == w.Namespace && b.Selector != "" && chooses(b.Selector, w.Labels) {
			w.Services = append(w.Services, b.ServiceRef)
		}
	}
	return w
}

// chooses tells whether a selector as Balanced has it fits labels.
func chooses(selector string, labels map[string]string) bool {
	for pair := range strings.SplitSeq(selector, ",") {
		key, value, _ := strings.Cut(pair, "=")
		if actual, there := labels[key]; !there || actual != value {
			return false
		}
	}
	return true
}

// String returns "Deployment traefik/traefik".
func (w Workload) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// Program returns the last part of an image's name, without registry and tag: "traefik"
// for "docker.io/library/traefik:v3.6".
func (c Container) Program() string {
	name := c.Image[strings.LastIndexByte(c.Image, '/')+1:]
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	return strings.ToLower(name)
}
