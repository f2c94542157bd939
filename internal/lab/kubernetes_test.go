package lab

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	services  = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	ingresses = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
)

func kubeClient(t *testing.T, k *Kubernetes) (*rest.Config, dynamic.Interface) {
	t.Helper()
	cfg := must[*rest.Config](t)(clientcmd.RESTConfigFromKubeConfig(k.Kubeconfig()))
	return cfg, must[*dynamic.DynamicClient](t)(dynamic.NewForConfig(cfg))
}

func service(name, ip string) map[string]any {
	obj := map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name, "namespace": "web"},
		"spec": map[string]any{"type": "LoadBalancer"},
	}
	if ip != "" {
		obj["status"] = map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": ip}}}}
	}
	return obj
}

func TestKubernetesDiscovery(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	k.AddResource("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", true)
	cfg, _ := kubeClient(t, k)
	client := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(cfg))
	version, err := client.ServerVersion()
	noError(t, err)
	equal(t, "version", version.GitVersion, "v1.37.2")
	lists, err := client.ServerPreferredResources()
	noError(t, err)
	var found []string
	for _, list := range lists {
		for _, r := range list.APIResources {
			found = append(found, fmt.Sprint(list.GroupVersion, "/", r.Name, " ", r.Namespaced))
		}
	}
	for _, want := range []string{"v1/services true", "networking.k8s.io/v1/ingresses true", "networking.k8s.io/v1/ingressclasses false", "gateway.networking.k8s.io/v1/httproutes true"} {
		n := 0
		for _, f := range found {
			if f == want {
				n++
			}
		}
		equal(t, want, n, 1)
	}
}

func TestKubernetesReadsAndWrites(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	_, client := kubeClient(t, k)
	ctx := t.Context()
	noError(t, k.Apply(service("a", "192.0.2.1")))
	noError(t, k.Apply(service("a", ""))) // the status stays
	got, err := client.Resource(services).Namespace("web").Get(ctx, "a", metav1.GetOptions{})
	noError(t, err)
	equal(t, "status", loadBalancerStatus(got.Object), []any{map[string]any{"ip": "192.0.2.1"}})
	list, err := client.Resource(services).List(ctx, metav1.ListOptions{})
	noError(t, err)
	equal(t, "list", []any{len(list.Items), list.Items[0].GetKind(), list.GetResourceVersion()}, []any{1, "Service", got.GetResourceVersion()})
	empty, err := client.Resource(services).Namespace("other").List(ctx, metav1.ListOptions{})
	noError(t, err)
	equal(t, "another namespace", len(empty.Items), 0)

	got.SetLabels(map[string]string{"x": "y"})
	updated, err := client.Resource(services).Namespace("web").Update(ctx, got, metav1.UpdateOptions{})
	noError(t, err)
	equal(t, "uid stays, version moves", []bool{updated.GetUID() == got.GetUID(), updated.GetResourceVersion() != got.GetResourceVersion()}, []bool{true, true})
	_, err = client.Resource(services).Namespace("web").Update(ctx, got, metav1.UpdateOptions{})
	equal(t, "an old version conflicts", apierrors.IsConflict(err), true)
	_, err = client.Resource(services).Namespace("web").Create(ctx, &unstructured.Unstructured{Object: service("a", "")}, metav1.CreateOptions{})
	equal(t, "exists already", apierrors.IsAlreadyExists(err), true)
	_, err = client.Resource(services).Namespace("web").Create(ctx, &unstructured.Unstructured{Object: service("b", "")}, metav1.CreateOptions{})
	noError(t, err)
	noError(t, client.Resource(services).Namespace("web").Delete(ctx, "b", metav1.DeleteOptions{}))
	_, err = client.Resource(services).Namespace("web").Get(ctx, "b", metav1.GetOptions{})
	equal(t, "not found", apierrors.IsNotFound(err), true)

	k.SetAllowed("services", false)
	_, err = client.Resource(services).List(ctx, metav1.ListOptions{})
	equal(t, "forbidden", apierrors.IsForbidden(err), true)
	k.SetToken("other")
	_, err = client.Resource(ingresses).List(ctx, metav1.ListOptions{})
	equal(t, "unauthorized", apierrors.IsUnauthorized(err), true)
	_, client = kubeClient(t, k)
	_, err = client.Resource(schema.GroupVersionResource{Group: "no.such", Version: "v1", Resource: "things"}).List(ctx, metav1.ListOptions{})
	equal(t, "no such resource", apierrors.IsNotFound(err), true)
	k.SetFault(KubeError(500, "InternalError", "etcdserver: leader changed"))
	_, err = client.Resource(ingresses).List(ctx, metav1.ListOptions{})
	equal(t, "internal error", apierrors.IsInternalError(err), true)
}

func TestKubernetesApplyRefusesWhatDoesNotFit(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	for rule, obj := range map[string]map[string]any{
		"unknown kind":                    {"apiVersion": "v1", "kind": "Thing", "metadata": map[string]any{"name": "a"}},
		"wrong version":                   {"apiVersion": "v2", "kind": "Service", "metadata": map[string]any{"name": "a", "namespace": "b"}},
		"no name":                         {"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"namespace": "b"}},
		"no namespace":                    {"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "a"}},
		"cluster kind with a namespace":   {"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "a", "namespace": "b"}},
		"no metadata, not even the empty": {"apiVersion": "v1", "kind": "Node"},
	} {
		if k.Apply(obj) == nil {
			t.Errorf("%s was accepted", rule)
		}
	}
	if k.Delete("Service", "web", "none") == nil || k.PatchStatus("Service", "web", "none", nil) == nil {
		t.Errorf("what does not exist was changed")
	}
}

// TestKubernetesInformer uses client-go's reflector, which lists by watch (KEP-3157).
func TestKubernetesInformer(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	_, client := kubeClient(t, k)
	noError(t, k.Apply(service("a", "192.0.2.1")))
	seen := watchServices(t, client)
	seen.await(t, "add a 192.0.2.1")
	noError(t, k.PatchStatus("Service", "web", "a", map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": "192.0.2.2"}}}}))
	seen.await(t, "update a 192.0.2.2")
	noError(t, k.Apply(service("b", "")))
	seen.await(t, "add b ")
	noError(t, k.Delete("Service", "web", "b"))
	seen.await(t, "delete b ")
	k.Bookmark()
	k.EndWatches()
	noError(t, k.Apply(service("c", "192.0.2.3")))
	seen.await(t, "add c 192.0.2.3")
	k.Expire()
	noError(t, k.Delete("Service", "web", "c"))
	seen.await(t, "delete c 192.0.2.3")
	watchList := false
	for _, r := range k.Requests.All() {
		watchList = watchList || r.Path == "/api/v1/services" && r.Method == "GET" && strings.Contains(r.Query, "sendInitialEvents=true")
	}
	equal(t, "client-go lists by watch", watchList, true)
}

type seenEvents struct {
	mu   sync.Mutex
	wake chan struct{}
	set  map[string]bool
}

func (s *seenEvents) add(verb string, obj any) {
	if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = d.Obj
	}
	u := obj.(*unstructured.Unstructured)
	ip := ""
	for _, in := range loadBalancerStatus(u.Object) {
		ip, _ = in.(map[string]any)["ip"].(string)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set[verb+" "+u.GetName()+" "+ip] = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *seenEvents) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		ok := s.set[want]
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-s.wake:
		case <-deadline:
			t.Fatalf("no %q among %v", want, s.set)
		}
	}
}

func watchServices(t *testing.T, client dynamic.Interface) *seenEvents {
	t.Helper()
	seen := &seenEvents{wake: make(chan struct{}, 1), set: map[string]bool{}}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(services).Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { seen.add("add", o) },
		UpdateFunc: func(_, o any) { seen.add("update", o) },
		DeleteFunc: func(o any) { seen.add("delete", o) },
	})
	noError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	t.Cleanup(func() {
		cancel()
		factory.Shutdown()
	})
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("informer never synced")
	}
	return seen
}
