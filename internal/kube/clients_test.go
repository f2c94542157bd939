package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

// workload is one that runs Traefik, with a certificate store in /data.
func workload(kind, namespace, name string, change ...func(pod object)) object {
	pod := object{
		"containers": []any{
			object{
				"name": "traefik", "image": "docker.io/traefik:v3.6",
				"args":         []any{"--entrypoints.web.address=:8000", "--certificatesresolvers.le.acme.storage=/data/acme.json"},
				"volumeMounts": []any{object{"name": "data", "mountPath": "/data"}},
			},
			object{"name": "beside", "image": "busybox", "volumeMounts": []any{object{"name": "other", "mountPath": "/other"}}},
		},
		"volumes": []any{object{"name": "data", "emptyDir": object{}}, object{"name": "other", "emptyDir": object{}}},
	}
	for _, f := range change {
		f(pod)
	}
	labels := object{"app": name}
	return object{
		"apiVersion": "apps/v1", "kind": kind, "metadata": object{"namespace": namespace, "name": name},
		"spec": object{"replicas": 1, "selector": object{"matchLabels": labels}, "template": object{"metadata": object{"labels": labels}, "spec": pod}},
	}
}

// args are those of the first container.
func args(all ...any) func(object) {
	return func(pod object) { pod["containers"].([]any)[0].(object)["args"] = all }
}

func image(name string) func(object) {
	return func(pod object) { pod["containers"].([]any)[0].(object)["image"] = name }
}

// configured mounts a ConfigMap where Traefik looks for its configuration.
func configured(pod object) {
	traefik := pod["containers"].([]any)[0].(object)
	traefik["volumeMounts"] = append(traefik["volumeMounts"].([]any), object{"name": "static", "mountPath": "/etc/traefik"})
	pod["volumes"] = append(pod["volumes"].([]any), object{"name": "static", "configMap": object{"name": "traefik-static"}})
}

func pod(namespace, name, app, phase string, restarts int) object {
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"namespace": namespace, "name": name, "labels": object{"app": app}, "creationTimestamp": "2026-11-20T08:00:00Z"},
		"status": object{"phase": phase, "containerStatuses": []any{
			object{"restartCount": restarts, "state": object{"running": object{"startedAt": "2026-11-21T08:00:00Z"}}},
			object{"restartCount": 1, "state": object{"running": object{"startedAt": "2026-11-20T08:00:05Z"}}},
		}},
	}
}

func balancing(namespace, name, app string) object {
	s := service(namespace, name, object{"ip": "203.0.113.10"})
	s["spec"].(object)["selector"] = object{"app": app}
	return s
}

func TestWorkloadsThatOrderCertificatesAreKept(t *testing.T) {
	t.Parallel()
	k := newServer(t, balancing("traefik", "edge", "traefik"), balancing("traefik", "other", "x"), service("traefik", "hand"),
		workload("Deployment", "traefik", "traefik"), workload("Deployment", "shop", "web", args("--port=80"), image("nginx")),
		workload("DaemonSet", "shop", "node", args("--providers.file=true")),
		workload("Deployment", "shop", "files", args(), image("caddy:2")),
		pod("traefik", "traefik-1", "traefik", "Running", 5), pod("traefik", "traefik-0", "traefik", "Failed", 9), pod("shop", "web-1", "web", "Running", 0))
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := []inventory.Workload{{
		Kind: "Deployment", Namespace: "traefik", Name: "traefik", Replicas: 1, Labels: map[string]string{"app": "traefik"},
		Containers: []inventory.Container{{
			Name: "traefik", Image: "docker.io/traefik:v3.6", Args: []string{"--certificatesresolvers.le.acme.storage=/data/acme.json"},
			Mounts: []inventory.Mount{{Volume: "data", Path: "/data"}},
		}},
		Volumes:  []inventory.Volume{{Name: "data", Kind: "emptyDir"}},
		Services: []inventory.ServiceRef{{Namespace: "traefik", Name: "edge"}},
		Pods:     []inventory.Pod{{Name: "traefik-1", Created: at("2026-11-20T08:00:00Z"), Started: at("2026-11-21T08:00:00Z"), Restarts: 6}},
	}}
	if !reflect.DeepEqual(inv.Workloads, want) || len(inv.Gaps) != 0 {
		t.Errorf("workloads\n got %+v\nwant %+v\ngaps %+v", inv.Workloads, want, inv.Gaps)
	}
	again, err := json.Marshal(inv.Workloads)
	var read []inventory.Workload
	if err != nil || json.Unmarshal(again, &read) != nil || !reflect.DeepEqual(read, inv.Workloads) {
		t.Errorf("not the same from JSON: %v, %+v", err, read)
	}
	for _, r := range k.Requests.All() {
		if strings.Contains(r.Path, "/pods") && r.Path != "/api/v1/namespaces/traefik/pods" || strings.Contains(r.Path, "configmaps") || strings.Contains(r.Path, "secrets") {
			t.Errorf("asked for %s", r.Path)
		}
	}
	apply(t, k, balancing("shop", "files", "files"), pod("traefik", "traefik-1", "traefik", "Running", 6))
	await(t, c, "Caddy at the edge, and one more restart", func(i inventory.Inventory) bool {
		return len(i.Workloads) == 2 && i.Workloads[0].Name == "files" && len(i.Workloads[1].Pods) == 1 && i.Workloads[1].Pods[0].Restarts == 7
	})
	apply(t, k, workload("Deployment", "traefik", "traefik", args()))
	await(t, c, "no resolver any more", func(i inventory.Inventory) bool { return len(i.Workloads) == 1 })
}

func TestOtherWorkloadsAreNotKept(t *testing.T) {
	c := offline()
	f := c.clients.kinds[0]
	for _, o := range []object{
		workload("Deployment", "a", "web", args("--port=80"), image("nginx")),
		workload("Deployment", "a", "prometheus", args("--config=/etc/traefik.d/x.yml"), image("prom/prometheus"), mounting("/etc/traefik.d")),
		workload("Deployment", "a", "plain", args()),
	} {
		if err := f.Add(unstructuredOf(o)); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.values()) != 0 || signalled(c) {
		t.Errorf("kept: %+v", f.values())
	}
	if err := f.Add(unstructuredOf(workload("Deployment", "a", "file", args(), configured))); err != nil || len(f.values()) != 1 {
		t.Errorf("a configuration file may name a resolver: %v, %+v", err, f.values())
	}
	if w := c.workloads(); len(w) != 0 {
		t.Errorf("it was not read yet: %+v", w)
	}
}

// mounting mounts a ConfigMap at a path.
func mounting(path string) func(object) {
	return func(pod object) {
		pod["containers"].([]any)[0].(object)["volumeMounts"] = []any{object{"name": "c", "mountPath": path}}
		pod["volumes"] = []any{object{"name": "c", "configMap": object{"name": "c"}}}
	}
}

func configMap(text string) object {
	return object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"namespace": "traefik", "name": "traefik-static"},
		"data": object{"traefik.yml": text},
	}
}

func TestTheConfigurationFileIsReadByName(t *testing.T) {
	t.Parallel()
	k := newServer(t, workload("StatefulSet", "traefik", "traefik", args(), configured),
		configMap("certificatesResolvers: {le: {acme: {email: a@b, storage: /data/acme.json}}}\nlog: {level: SECRET}"))
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	if len(inv.Workloads) != 1 || !reflect.DeepEqual(inv.Workloads[0].Containers[0].Config, map[string]string{"certificatesresolvers.le.acme.storage": "/data/acme.json"}) {
		t.Fatalf("%+v, %+v", inv.Workloads, inv.Gaps)
	}
	for _, r := range k.Requests.All() {
		if strings.Contains(r.Path, "configmaps") && r.Path != "/api/v1/namespaces/traefik/configmaps/traefik-static" {
			t.Errorf("asked for %s", r.Path)
		}
	}
	// It is read again when the workload changes, and held when it can't be.
	apply(t, k, configMap("certificatesResolvers: {le: {acme: {storage: /other.json}}}"), workload("StatefulSet", "traefik", "traefik", args("--configfile=/etc/traefik/traefik.yml"), configured))
	await(t, c, "the new path", func(i inventory.Inventory) bool {
		return len(i.Workloads) == 1 && i.Workloads[0].Containers[0].Config["certificatesresolvers.le.acme.storage"] == "/other.json"
	})
	k.SetAllowed("configmaps", false)
	apply(t, k, workload("StatefulSet", "traefik", "traefik", args("--configfile=/etc/traefik/traefik.yml", "--certificatesresolvers.le.acme.email=a@b"), configured))
	inv = await(t, c, "the gap", func(i inventory.Inventory) bool { return len(i.Gaps) == 1 })
	if g := inv.Gaps[0]; g.What != "ConfigMap traefik/traefik-static" || !g.Held || !strings.Contains(g.Hint, "grant get on configmaps") || len(inv.Workloads) != 1 {
		t.Errorf("%+v, %+v", g, inv.Workloads)
	}
}

func TestWithoutRightsNoWorkloadIsKnownAndAllElseIs(t *testing.T) {
	t.Parallel()
	k := newServer(t, balancing("traefik", "edge", "traefik"), workload("Deployment", "traefik", "traefik"), workload("Deployment", "traefik", "filed", args(), configured))
	mild := []string{"deployments", "statefulsets", "daemonsets", "pods", "configmaps", "horizontalpodautoscalers", "orders", "certificaterequests"}
	for _, plural := range mild {
		k.SetAllowed(plural, false)
	}
	c := synced(t, k, Settings{})
	inv := c.Inventory()
	if len(inv.Services) != 1 || len(inv.Workloads) != 0 || len(inv.Gaps) != 3 {
		t.Errorf("%+v", inv)
	}
	for _, g := range inv.Gaps {
		if slices.ContainsFunc(g.Resources, func(r string) bool { return !slices.Contains(mild, r) }) {
			t.Errorf("a gap in %v", g.Resources)
		}
	}
	k.SetAllowed("deployments", true)
	inv = await(t, c, "the workload, without its pods", func(i inventory.Inventory) bool {
		return len(i.Workloads) == 1 && gapOf(i, "pods in namespace traefik") != nil
	})
	if inv.Workloads[0].Pods != nil || gapOf(inv, "ConfigMap traefik/traefik-static") == nil {
		t.Errorf("%+v", inv)
	}
}

func TestAnAutoscalerCounts(t *testing.T) {
	t.Parallel()
	k := newServer(t, workload("Deployment", "traefik", "traefik"), workload("DaemonSet", "traefik", "daemons"))
	k.AddResource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true)
	scales := func(kind, name string, most int) object {
		return object{
			"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": object{"namespace": "traefik", "name": "h" + name},
			"spec": object{"maxReplicas": most, "scaleTargetRef": object{"kind": kind, "name": name}},
		}
	}
	apply(t, k, scales("Deployment", "traefik", 3), scales("Deployment", "daemons", 9))
	inv := synced(t, k, Settings{}).Inventory()
	if len(inv.Workloads) != 2 || inv.Workloads[1].Replicas != 3 || inv.Workloads[0].Replicas != 0 || !inv.Workloads[0].PerNode {
		t.Errorf("%+v", inv.Workloads)
	}
}

func orderOf(name, certificate, state, reason, created string) object {
	return object{
		"apiVersion": "acme.cert-manager.io/v1", "kind": "Order",
		"metadata": object{"namespace": "shop", "name": name, "creationTimestamp": created, "annotations": object{annotationCertificate: certificate}},
		"spec":     object{"dnsNames": []any{"www.shop.example", "shop.example"}},
		"status":   object{"state": state, "reason": reason, "failureTime": created},
	}
}

func TestRefusedOrders(t *testing.T) {
	t.Parallel()
	const limited = "429 urn:ietf:params:acme:error:rateLimited: too many, retry after 2026-11-24 10:00:00 UTC"
	k := newServer(t)
	c := impatient(t, k, Settings{})
	k.AddResource("acme.cert-manager.io", "v1", "Order", "orders", true)
	k.AddResource("cert-manager.io", "v1", "CertificateRequest", "certificaterequests", true)
	apply(t, k, orderOf("web-1", "web", "errored", limited, "2026-11-22T08:00:00Z"), orderOf("api-1", "api", "valid", "", "2026-11-22T08:00:00Z"),
		orderOf("bad-1", "bad", "errored", "400 malformed", "2026-11-22T08:00:00Z"), orderOf("old-1", "old", "errored", limited, "2026-11-22T08:00:00Z"),
		orderOf("old-2", "old", "valid", "", "2026-11-22T09:00:00Z"),
		object{"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": object{"namespace": "shop", "name": "web-1", "annotations": object{annotationCertificate: "web"}}})
	inv := await(t, c, "the refused order", func(i inventory.Inventory) bool { return len(i.Refused) == 1 && i.Refused[0].Requests == 1 })
	r := inv.Refused[0]
	if r.Name != "web-1" || r.Certificate != "web" || r.At.Hour() != 8 || strings.Join(r.Hosts, " ") != "shop.example www.shop.example" || len(inv.Gaps) != 0 {
		t.Errorf("%+v, gaps %+v", r, inv.Gaps)
	}
	apply(t, k, orderOf("web-2", "web", "pending", "", "2026-11-22T10:00:00Z"))
	await(t, c, "a newer order", func(i inventory.Inventory) bool { return len(i.Refused) == 0 })
}

func TestAFileThatIsSlowDoesNotHoldTheRest(t *testing.T) {
	t.Parallel()
	k := newServer(t, service("a", "one"), workload("Deployment", "traefik", "traefik", args(), configured), configMap(""))
	k.SetFault(lab.HTTPWhen(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "configmaps") }, lab.KubeError(500, "InternalError", "etcdserver: leader changed")))
	inv := synced(t, k, Settings{}).Inventory()
	if len(inv.Services) != 1 || len(inv.Gaps) != 1 || !strings.Contains(inv.Gaps[0].Why, "leader changed") {
		t.Errorf("%+v", inv)
	}
}

func TestWorkloadsAreBoundedAndTheRestIsSaid(t *testing.T) {
	c := offline()
	f := c.clients.kinds[0]
	var many []any
	for i := range 2000 {
		many = append(many, fmt.Sprintf("--certificatesresolvers.r%d.acme.storage=%s", i, strings.Repeat("x", 500)))
	}
	mount := object{"name": "data", "mountPath": "/" + strings.Repeat("y", 500)}
	huge := workload("Deployment", "a", "huge", args(many...), func(pod object) {
		pod["containers"].([]any)[0].(object)["volumeMounts"] = slices.Repeat([]any{mount}, 200)
	})
	if err := f.Add(unstructuredOf(huge)); err != nil {
		t.Fatal(err)
	}
	if kept := f.values(); len(kept) != 1 || !kept[0].huge || len(kept[0].workload.Containers) != 0 {
		t.Errorf("kept %d bytes", len(fmt.Sprint(kept)))
	}
	for i := range maxClients + 2 {
		if err := f.Add(unstructuredOf(workload("Deployment", "b", fmt.Sprintf("w%03d", i)))); err != nil {
			t.Fatal(err)
		}
	}
	inv := c.Inventory()
	if len(inv.Workloads) != maxClients-1 || inv.Workloads[0].Name != "w000" {
		t.Errorf("%d workloads", len(inv.Workloads))
	}
	if gapOf(inv, "3 of the workloads") == nil || gapOf(inv, "Deployment a/huge") == nil {
		t.Errorf("gaps %+v", inv.Gaps)
	}
}
