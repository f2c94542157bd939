package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names that DigitalOcean's cloud controller uses.
const (
	annotationLBID   = "kubernetes.digitalocean.com/load-balancer-id"
	annotationLBName = "service.beta.kubernetes.io/do-loadbalancer-name"
	annotationLBHost = "service.beta.kubernetes.io/do-loadbalancer-hostname"
	annotationLBNet  = "service.beta.kubernetes.io/do-loadbalancer-network"
	annotationDisown = "service.kubernetes.io/do-loadbalancer-disown"
	annotationPROXY  = "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol"
	lbFinalizer      = "service.kubernetes.io/load-balancer-cleanup"
)

// Objects are those of a cluster: the lab's Kubernetes has them, and a real one can.
// Objects are JSON, and Apply writes their status too.
type Objects interface {
	List(kind string) []map[string]any
	Get(kind, namespace, name string) map[string]any
	Apply(obj map[string]any) error
}

// CloudController does for Services of type LoadBalancer what DigitalOcean's
// cloud controller does: it creates a balancer through the API, writes its
// address into the status, and deletes it with the Service. Like the real one it
// acts on a Service only when the Service was changed or is not yet done: an
// address that changes at DigitalOcean leaves the status as it was. A disowned Service
// it leaves alone, and its balancer too when the Service goes.
type CloudController struct {
	kube   Objects
	cloud  *DigitalOcean
	client *http.Client
	tags   []string

	mu   sync.Mutex        // one round at a time
	done map[string]string // namespace/name → resourceVersion that was settled
}

// NewCloudController ties the two parts; tags are put on new balancers.
func NewCloudController(kube Objects, cloud *DigitalOcean, tags ...string) *CloudController {
	return &CloudController{
		kube: kube, cloud: cloud, tags: tags, done: map[string]string{},
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// Sync does one round over all Services. A Service whose balancer has no address
// yet is left for the next round. One Service's error does not stop the others.
func (c *CloudController) Sync(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, svc := range c.kube.List("Service") {
		if err := c.syncService(ctx, svc); err != nil {
			errs = append(errs, fmt.Errorf("sync Service %s: %w", serviceKey(svc), err))
		}
	}
	return errors.Join(errs...)
}

// Run calls Sync until ctx ends. Errors of the API are tried again, as the real
// one does, and not returned.
func (c *CloudController) Run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		_ = c.Sync(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *CloudController) syncService(ctx context.Context, svc map[string]any) error {
	meta := svc["metadata"].(map[string]any)
	if _, deleting := meta["deletionTimestamp"]; deleting {
		return c.release(ctx, svc)
	}
	if spec, _ := svc["spec"].(map[string]any); spec["type"] != "LoadBalancer" || annotationOf(svc, annotationDisown) == "true" || c.done[serviceKey(svc)] == meta["resourceVersion"] {
		return nil
	}
	lb, err := c.ensure(ctx, svc)
	if err != nil {
		return err
	}
	annotations, _ := meta["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[annotationLBID] = lb.ID
	meta["annotations"] = annotations
	if f := finalizersOf(svc); !slices.Contains(f, any(lbFinalizer)) {
		meta["finalizers"] = append(f, lbFinalizer)
	}
	if lb.IP != "" {
		svc["status"] = map[string]any{"loadBalancer": map[string]any{"ingress": ingressOf(lb, annotations)}}
	}
	if err := c.kube.Apply(svc); err != nil {
		return err
	}
	if lb.IP != "" {
		stored := c.kube.Get("Service", fmt.Sprint(meta["namespace"]), fmt.Sprint(meta["name"]))
		c.done[serviceKey(svc)] = fmt.Sprint(stored["metadata"].(map[string]any)["resourceVersion"])
	}
	return nil
}

// ingressOf is the status of a balancer that has an address.
func ingressOf(lb LoadBalancer, annotations map[string]any) []any {
	if host, _ := annotations[annotationLBHost].(string); host != "" {
		return []any{map[string]any{"hostname": host}}
	}
	out := []any{map[string]any{"ip": lb.IP, "ipMode": "VIP"}}
	if ip, err := netip.ParseAddr(lb.IPv6); err == nil {
		out = append(out, map[string]any{"ip": ip.String(), "ipMode": "VIP"})
	}
	return out
}

func serviceKey(svc map[string]any) string {
	meta := svc["metadata"].(map[string]any)
	return fmt.Sprintf("%v/%v", meta["namespace"], meta["name"])
}

// ensure finds the Service's balancer, by id and then by name, or creates one.
func (c *CloudController) ensure(ctx context.Context, svc map[string]any) (LoadBalancer, error) {
	var list struct {
		LBs []LoadBalancer `json:"load_balancers"`
	}
	if err := c.call(ctx, http.MethodGet, "/v2/load_balancers?per_page=200", nil, &list); err != nil {
		return LoadBalancer{}, err
	}
	id, name := lbIdentity(svc)
	for _, match := range []func(LoadBalancer) bool{
		func(lb LoadBalancer) bool { return id != "" && lb.ID == id },
		func(lb LoadBalancer) bool { return lb.Name == name },
	} {
		if i := slices.IndexFunc(list.LBs, match); i >= 0 {
			return list.LBs[i], nil
		}
	}
	var made struct {
		LB LoadBalancer `json:"load_balancer"`
	}
	order := map[string]any{
		"name": name, "region": "fra1", "tags": c.tags, "network": annotationOf(svc, annotationLBNet),
		"enable_proxy_protocol": annotationOf(svc, annotationPROXY) == "true",
	}
	err := c.call(ctx, http.MethodPost, "/v2/load_balancers", order, &made)
	return made.LB, err
}

func annotationOf(svc map[string]any, key string) string {
	meta, _ := svc["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	value, _ := annotations[key].(string)
	return value
}

// lbIdentity is the id the Service remembers, and the name its balancer bears.
func lbIdentity(svc map[string]any) (id, name string) {
	meta := svc["metadata"].(map[string]any)
	id = annotationOf(svc, annotationLBID)
	if name = annotationOf(svc, annotationLBName); name == "" {
		name = "a" + strings.ReplaceAll(fmt.Sprint(meta["uid"]), "-", "")
		name = name[:min(len(name), 32)]
	}
	return id, name
}

// release deletes the balancer and then lets the Service go.
func (c *CloudController) release(ctx context.Context, svc map[string]any) error {
	finalizers := finalizersOf(svc)
	if !slices.Contains(finalizers, any(lbFinalizer)) {
		return nil
	}
	if id, _ := lbIdentity(svc); id != "" && annotationOf(svc, annotationDisown) != "true" {
		if err := c.call(ctx, http.MethodDelete, "/v2/load_balancers/"+id, nil, nil); err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	meta := svc["metadata"].(map[string]any)
	meta["finalizers"] = slices.DeleteFunc(finalizers, func(f any) bool { return f == lbFinalizer })
	delete(c.done, serviceKey(svc))
	return c.kube.Apply(svc)
}

var errNotFound = errors.New("not found")

// call is one request to the API over the wire, so that its faults are met here too.
func (c *CloudController) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.cloud.URL()+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cloud.Token())
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask DigitalOcean: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return errNotFound
	case resp.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	case out == nil:
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, bodyLimit)).Decode(out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}
