package lab

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Kubernetes is an API server without controllers: it stores objects as JSON
// maps, serves discovery, get, list and watch over HTTPS, and lets a test write.
// Kinds are named without their group; the built-in ones and those added by
// AddResource must not clash.
type Kubernetes struct {
	HTTPPart

	ca *CA

	state     sync.Mutex
	token     string
	resources []kubeResource
	objects   map[kubeKey]map[string]any
	denied    map[string]bool // plurals that answer 403
	rv        uint64
	uids      int
	history   []kubeEvent
	compacted uint64        // watches from before this version get 410
	epoch     int           // a watch ends when this moves on
	changed   chan struct{} // closed at each event
}

// kubeHistory bounds the events kept for watches that come late.
const kubeHistory = 10_000

// kubeResource is one row of discovery.
type kubeResource struct {
	group, version, kind, plural string
	namespaced                   bool
}

func (r kubeResource) apiVersion() string {
	if r.group == "" {
		return r.version
	}
	return r.group + "/" + r.version
}

type kubeKey struct{ plural, group, namespace, name string }

// kubeEvent is one change, with the object as it was then.
type kubeEvent struct {
	rv     uint64
	action string // ADDED, MODIFIED, DELETED, BOOKMARK
	key    kubeKey
	object map[string]any
}

func builtinResources() []kubeResource {
	return []kubeResource{
		{"", "v1", "Namespace", "namespaces", false},
		{"", "v1", "Node", "nodes", false},
		{"", "v1", "Service", "services", true},
		{"", "v1", "Pod", "pods", true},
		{"", "v1", "ConfigMap", "configmaps", true},
		{"", "v1", "Event", "events", true},
		{"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true},
		{"apps", "v1", "Deployment", "deployments", true},
		{"apps", "v1", "StatefulSet", "statefulsets", true},
		{"apps", "v1", "DaemonSet", "daemonsets", true},
		{"networking.k8s.io", "v1", "Ingress", "ingresses", true},
		{"networking.k8s.io", "v1", "IngressClass", "ingressclasses", false},
		{"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true},
		{"coordination.k8s.io", "v1", "Lease", "leases", true},
	}
}

// NewKubernetes starts the API server on a loopback address, with an empty store.
func NewKubernetes(token string) (*Kubernetes, error) {
	ca, err := NewCA("lab-kubernetes")
	if err != nil {
		return nil, err
	}
	at := aside()
	cert, err := ca.Issue(CertSpec{Names: []string{at.Addr().String(), "kubernetes"}})
	if err != nil {
		return nil, err
	}
	k := &Kubernetes{
		ca: ca, token: token, rv: 100, resources: builtinResources(),
		objects: map[kubeKey]map[string]any{}, denied: map[string]bool{}, changed: make(chan struct{}),
	}
	k.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	k.handler = http.HandlerFunc(k.route)
	if err := k.startAt(at); err != nil {
		return nil, err
	}
	return k, nil
}

// URL is the API server's base.
func (k *Kubernetes) URL() string { return "https://" + k.addr.String() }

// CAPEM is the certificate authority of the API server.
func (k *Kubernetes) CAPEM() []byte { return k.ca.PEM() }

// Kubeconfig has one context, with the token.
func (k *Kubernetes) Kubeconfig() []byte {
	k.state.Lock()
	defer k.state.Unlock()
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: lab
contexts:
- name: lab
  context: {cluster: lab, user: lab}
clusters:
- name: lab
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: lab
  user: {token: %q}
`, k.URL(), base64.StdEncoding.EncodeToString(k.ca.PEM()), k.token)
}

// SetToken makes another token the one accepted; others get 401.
func (k *Kubernetes) SetToken(token string) {
	k.state.Lock()
	defer k.state.Unlock()
	k.token = token
}

// SetAllowed says whether a resource ("ingresses") may be read; if not, 403.
func (k *Kubernetes) SetAllowed(plural string, allowed bool) {
	k.state.Lock()
	defer k.state.Unlock()
	k.denied[plural] = !allowed
}

// AddResource serves one more kind, as a CustomResourceDefinition would.
func (k *Kubernetes) AddResource(group, version, kind, plural string, namespaced bool) {
	k.state.Lock()
	defer k.state.Unlock()
	k.resources = append(k.resources, kubeResource{group, version, kind, plural, namespaced})
}

// RemoveResource takes a kind away with all its objects, as deleting its
// CustomResourceDefinition does: open watches see the deletions and end.
func (k *Kubernetes) RemoveResource(kind string) {
	k.state.Lock()
	defer k.state.Unlock()
	res, _ := k.resourceOf(kind)
	for _, obj := range k.list(res, "", nil) {
		meta := obj["metadata"].(map[string]any)
		namespace, _ := meta["namespace"].(string)
		name, _ := meta["name"].(string)
		k.emit("DELETED", kubeKey{res.plural, res.group, namespace, name}, obj)
	}
	k.resources = slices.DeleteFunc(k.resources, func(r kubeResource) bool { return r == res })
	k.epoch++
	k.wake()
}

// Apply creates an object or replaces it. It needs apiVersion, kind and
// metadata.name. Unlike an update it keeps a status that obj leaves out. An
// object that stays as it was makes no event.
func (k *Kubernetes) Apply(obj map[string]any) error {
	obj = deepCopy(obj)
	meta, _ := obj["metadata"].(map[string]any)
	kind, _ := obj["kind"].(string)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	k.state.Lock()
	defer k.state.Unlock()
	res, ok := k.resourceOf(kind)
	if !ok || name == "" || obj["apiVersion"] != res.apiVersion() {
		return fmt.Errorf("apply %v %s %s/%s: no such resource, or no name", obj["apiVersion"], kind, namespace, name)
	}
	if res.namespaced == (namespace == "") {
		return fmt.Errorf("apply %s %s: namespace %q does not fit the kind", kind, name, namespace)
	}
	k.store(kubeKey{res.plural, res.group, namespace, name}, obj)
	return nil
}

// store needs the lock. It fills in what the server owns.
func (k *Kubernetes) store(key kubeKey, obj map[string]any) {
	meta := obj["metadata"].(map[string]any)
	old := k.objects[key]
	if old == nil {
		k.uids++
		// What differs stands in front: balancers are named by a uid cut short.
		meta["uid"] = fmt.Sprintf("%08x-1ab0-4000-8000-6f1d00000000", k.uids)
		if meta["creationTimestamp"] == nil { // else the object is to have an age
			meta["creationTimestamp"] = time.Now().UTC().Format(time.RFC3339)
		}
		k.emit("ADDED", key, obj)
		return
	}
	oldMeta := old["metadata"].(map[string]any)
	for _, field := range []string{"uid", "creationTimestamp", "deletionTimestamp", "resourceVersion"} {
		if v, ok := oldMeta[field]; ok {
			meta[field] = v
		}
	}
	if _, ok := obj["status"]; !ok && old["status"] != nil {
		obj["status"] = old["status"]
	}
	if _, deleting := meta["deletionTimestamp"]; deleting && len(finalizersOf(obj)) == 0 {
		k.emit("DELETED", key, obj)
		return
	}
	if mustJSON(obj) != mustJSON(old) {
		k.emit("MODIFIED", key, obj)
	}
}

// emit needs the lock: it numbers the change, stores it and wakes the watches.
func (k *Kubernetes) emit(action string, key kubeKey, obj map[string]any) {
	k.rv++
	if obj != nil {
		obj["metadata"].(map[string]any)["resourceVersion"] = strconv.FormatUint(k.rv, 10)
	}
	switch action {
	case "ADDED", "MODIFIED":
		k.objects[key] = obj
	case "DELETED":
		delete(k.objects, key)
	}
	if len(k.history) == kubeHistory {
		k.compacted = k.history[kubeHistory/2].rv
		k.history = slices.Clone(k.history[kubeHistory/2:])
	}
	k.history = append(k.history, kubeEvent{k.rv, action, key, deepCopy(obj)})
	k.wake()
}

// wake needs the lock.
func (k *Kubernetes) wake() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// resourceOf needs the lock.
func (k *Kubernetes) resourceOf(kind string) (kubeResource, bool) {
	i := slices.IndexFunc(k.resources, func(r kubeResource) bool { return r.kind == kind })
	if i < 0 {
		return kubeResource{}, false
	}
	return k.resources[i], true
}

// Get returns a copy of an object, or nil. namespace is empty for cluster kinds.
func (k *Kubernetes) Get(kind, namespace, name string) map[string]any {
	k.state.Lock()
	defer k.state.Unlock()
	res, _ := k.resourceOf(kind)
	return deepCopy(k.objects[kubeKey{res.plural, res.group, namespace, name}])
}

// List returns copies of all objects of a kind, by namespace and name.
func (k *Kubernetes) List(kind string) []map[string]any {
	k.state.Lock()
	defer k.state.Unlock()
	res, _ := k.resourceOf(kind)
	return k.list(res, "", nil)
}

// Delete removes an object, or, if it has finalizers, marks it as the API does
// and removes it once an Apply leaves none.
func (k *Kubernetes) Delete(kind, namespace, name string) error {
	k.state.Lock()
	defer k.state.Unlock()
	res, _ := k.resourceOf(kind)
	key := kubeKey{res.plural, res.group, namespace, name}
	obj := deepCopy(k.objects[key])
	if obj == nil {
		return fmt.Errorf("delete %s %s/%s: not found", kind, namespace, name)
	}
	if len(finalizersOf(obj)) == 0 {
		k.emit("DELETED", key, obj)
		return nil
	}
	meta := obj["metadata"].(map[string]any)
	if _, marked := meta["deletionTimestamp"]; !marked {
		meta["deletionTimestamp"] = time.Now().UTC().Format(time.RFC3339)
		k.emit("MODIFIED", key, obj)
	}
	return nil
}

// PatchStatus replaces an object's status.
func (k *Kubernetes) PatchStatus(kind, namespace, name string, status map[string]any) error {
	k.state.Lock()
	defer k.state.Unlock()
	res, _ := k.resourceOf(kind)
	key := kubeKey{res.plural, res.group, namespace, name}
	obj := deepCopy(k.objects[key])
	if obj == nil {
		return fmt.Errorf("patch status of %s %s/%s: not found", kind, namespace, name)
	}
	obj["status"] = deepCopy(status)
	k.store(key, obj)
	return nil
}

// Expire forgets the history: open watches end with 410 Gone, and so do those
// that ask for a version from before, until the client lists again.
func (k *Kubernetes) Expire() {
	k.state.Lock()
	defer k.state.Unlock()
	k.rv++
	k.compacted, k.history = k.rv, nil
	k.wake()
}

// EndWatches closes open watches without an error, as a server does after minutes.
func (k *Kubernetes) EndWatches() {
	k.state.Lock()
	defer k.state.Unlock()
	k.epoch++
	k.wake()
}

// Bookmark sends a bookmark to every watch that allows them.
func (k *Kubernetes) Bookmark() {
	k.state.Lock()
	defer k.state.Unlock()
	k.emit("BOOKMARK", kubeKey{}, nil)
}

func finalizersOf(obj map[string]any) []any {
	meta, _ := obj["metadata"].(map[string]any)
	f, _ := meta["finalizers"].([]any)
	return f
}

// deepCopy goes through JSON, so that a test may use []string or int and the
// store still holds what a client would decode.
func deepCopy(obj map[string]any) map[string]any {
	if obj == nil {
		return nil
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(mustJSON(obj)), &out); err != nil {
		panic("lab: object does not survive JSON: " + err.Error())
	}
	return out
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("lab: object is not JSON: " + err.Error())
	}
	return string(b)
}
