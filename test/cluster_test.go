package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// account is the ServiceAccount of deploy/manifests/driftprobe.yaml, as RBAC and the audit log
// name it.
const account = "system:serviceaccount:driftprobe:driftprobe"

// cluster is a real API server that the shipped manifest is applied to, with the
// program's way into it: through a gate, and as the ServiceAccount of the manifest.
type cluster struct {
	*world.APIServer
	gate *world.Gate
	// token is the file that holds the program's token.
	token   string
	section string // of the configuration
}

// stock is the part of a snapshot's inventory that these tests read.
type stock struct {
	Targets []struct {
		Host, Origin string
		MoveUntil    time.Time `json:"move_until"`
		Declarations []struct{ Object string }
	}
	Services []struct {
		Namespace, Name string
		Addresses       []netip.Addr
		Endpoints       *struct{ Ready, Total int }
	}
	Gaps []struct {
		Resources []string
		Why       string
		Since     time.Time
		Held      bool
	}
}

// hosts are those of the targets, with their origin.
func (s stock) hosts() map[string]string {
	all := map[string]string{}
	for _, t := range s.Targets {
		all[t.Host] = t.Origin
	}
	return all
}

// clusters bounds how many run at the same time: each is a heavy program to start, and
// tests beside them measure seconds.
var clusters = make(chan struct{}, 3)

func startCluster(t *testing.T, n world.Net) *cluster {
	t.Helper()
	clusters <- struct{}{}
	t.Cleanup(func() { <-clusters })
	c := &cluster{APIServer: world.StartAPIServer(t, n), token: filepath.Join(t.TempDir(), "token")}
	c.gate = world.NewGate(t, netip.AddrPortFrom(n.Addr(52), 6443), c.At)
	c.namespaces(t, "driftprobe")
	c.shipped(t)
	c.renew(t)
	c.section = fmt.Sprintf("kubernetes: {kubeconfig: %q}\n", c.Kubeconfig(t, c.gate.At.String(), c.token))
	return c
}

// shipped applies the manifest as users do.
func (c *cluster) shipped(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../deploy/manifests/driftprobe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(t, "driftprobe", string(text))
}

func (c *cluster) namespaces(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		c.Apply(t, "", fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", name))
	}
}

// renew gives the program a new token, as the kubelet does.
func (c *cluster) renew(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(c.token+".new", []byte(c.Token(t, "driftprobe", "driftprobe")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.token+".new", c.token); err != nil {
		t.Fatal(err)
	}
}

// ours are the program's requests so far that fit.
func (c *cluster) ours(t *testing.T, fits func(world.Access) bool) []world.Access {
	t.Helper()
	return slices.DeleteFunc(c.Accesses(t), func(a world.Access) bool { return a.User.Username != account || !fits(a) })
}

// settings are the usual ones for the cluster, in the world if there is one.
func (c *cluster) settings(w *world.World, more string) string {
	return fmt.Sprintf(`interval: 1s
timeout: 1s
dns: {root_servers: [%s], resolvers: [%s], interval: 1s, timeout: 1s}
tls: {ca_file: %q}
probe: {allow_addresses: [127.0.0.0/8, "2001:db8::/32"]}
%s%s`, w.Root, w.Resolver.Addr, w.CA.RootFile, c.section, more)
}

// operator does what Traefik and the cloud controller do.
type operator struct {
	*cluster
	controller *lab.CloudController
}

func (c *cluster) operator(t *testing.T, cloud *lab.DigitalOcean) *operator {
	t.Helper()
	o := &operator{cluster: c}
	o.controller = lab.NewCloudController(services{t.Context(), c.APIServer}, cloud)
	return o
}

// round is one round of both: the controller's, and then Traefik copies the status of
// its Service to the Ingresses of its class.
func (o *operator) round(ctx context.Context) error {
	err := o.controller.Sync(ctx)
	svc := services{ctx, o.APIServer}.Get("Service", "traefik", "traefik")
	if svc == nil {
		return err
	}
	status, marshalErr := json.Marshal(map[string]any{"status": svc["status"]})
	text, listErr := o.Request(ctx, http.MethodGet, "/apis/networking.k8s.io/v1/ingresses", "", nil)
	if err := errors.Join(err, marshalErr, listErr); err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Spec     struct{ IngressClassName string }
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, i := range list.Items {
		if i.Spec.IngressClassName == "traefik" {
			at := world.Path("networking.k8s.io/v1", "Ingress", i.Metadata.Namespace, i.Metadata.Name) + "/status"
			if _, err := o.Request(ctx, http.MethodPatch, at, "application/merge-patch+json", status); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle returns when there is nothing left to do, and all Services but those named
// have addresses.
func (o *operator) settle(t *testing.T, but ...string) {
	t.Helper()
	var before string
	err := world.Poll(t, 20*time.Second, func(ctx context.Context) error {
		if err := o.round(ctx); err != nil {
			return err
		}
		var versions []string
		for _, svc := range (services{ctx, o.APIServer}).List("Service") {
			meta := svc["metadata"].(map[string]any)
			if name := fmt.Sprint(meta["name"]); !slices.Contains(but, name) {
				if svc["spec"].(map[string]any)["type"] == "LoadBalancer" && len(statusEntries(svc)) == 0 {
					return errors.New(name + " has no address")
				}
				versions = append(versions, fmt.Sprint(name, meta["resourceVersion"]))
			}
		}
		last := before
		if before = strings.Join(versions, " "); before != last {
			return errors.New("it is not settled: " + before)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("wait for the cloud controller: %v", err)
	}
}

// statusEntries are status.loadBalancer.ingress of a Service.
func statusEntries(svc map[string]any) []any {
	status, _ := svc["status"].(map[string]any)
	balancer, _ := status["loadBalancer"].(map[string]any)
	entries, _ := balancer["ingress"].([]any)
	return entries
}

// services are the Services of the API server as the lab's controller wants them.
type services struct {
	ctx context.Context
	api *world.APIServer
}

// List returns none when the server does not answer: the controller tries again.
func (s services) List(kind string) []map[string]any {
	text, err := s.api.Request(s.ctx, http.MethodGet, world.Path("v1", kind, "", ""), "", nil)
	var list struct{ Items []map[string]any }
	if err != nil || json.Unmarshal(text, &list) != nil {
		return nil
	}
	return list.Items
}

// Get returns nil if there is no such object.
func (s services) Get(kind, namespace, name string) map[string]any {
	text, err := s.api.Request(s.ctx, http.MethodGet, world.Path("v1", kind, namespace, name), "", nil)
	var object map[string]any
	if err != nil || json.Unmarshal(text, &object) != nil {
		return nil
	}
	return object
}

// Apply writes what the controller changes: annotations, finalizers and the status.
func (s services) Apply(obj map[string]any) error {
	meta := obj["metadata"].(map[string]any)
	at := world.ServicePath(fmt.Sprint(meta["namespace"]), fmt.Sprint(meta["name"]))
	own := map[string]any{"annotations": meta["annotations"], "finalizers": meta["finalizers"], "uid": meta["uid"]}
	if err := s.patch(at, map[string]any{"metadata": own}); err != nil {
		return err
	}
	if meta["deletionTimestamp"] != nil {
		return nil // with its last finalizer it has gone
	}
	return s.patch(at+"/status", map[string]any{"status": obj["status"]})
}

func (s services) patch(at string, merge map[string]any) error {
	text, err := json.Marshal(merge)
	if err == nil {
		_, err = s.api.Request(s.ctx, http.MethodPatch, at, "application/merge-patch+json", text)
	}
	return err
}
