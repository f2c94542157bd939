package test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"driftprobe/test/world"
)

// TestALargeCluster measures the program with 5,000 Ingresses and 200 Services of
// type LoadBalancer beside an empty cluster, and what the change of one object costs.
// It measures, and so it runs alone.
func TestALargeCluster(t *testing.T) {
	const ingresses, balancers = 5000, 200
	n := world.Claim(t)
	c := startCluster(t, n)
	c.namespaces(t, "shop")
	// Nothing answers at the root, so what is measured is the cluster's part.
	settings := "interval: 10m\ntimeout: 1s\ndns: {root_servers: [" + n.Addr(1).String() + "], timeout: 1s, interval: 10m}\nprobe: {allow_addresses: [127.0.0.0/8]}\n" + c.section
	p := serve(t, n, settings)
	p.kill(t)
	for _, v := range manifests(t)["Deployment"].Spec.Template.Spec.Containers[0].Env {
		p.env = append(p.env, v.Name+"="+v.Value)
	}
	p.start(t)
	p.awaitTargets(t, 0)
	empty, _ := p.memory(t)
	p.kill(t)

	var work sync.WaitGroup
	numbers := make(chan int)
	for range 16 {
		work.Go(func() {
			for i := range numbers {
				if i < balancers {
					c.Apply(t, "shop", largeService(n, i))
				}
				c.Apply(t, "shop", largeIngress(i, "host"))
			}
		})
	}
	began := time.Now()
	for i := range ingresses {
		numbers <- i
	}
	close(numbers)
	work.Wait()
	t.Logf("%d objects made in %.0f s", ingresses+balancers, time.Since(began).Seconds())

	began = time.Now()
	p.start(t)
	p.awaitTargets(t, ingresses)
	t.Logf("%.1f s to a report about all", time.Since(began).Seconds())
	full, peak := 0, 0
	err := world.PollEvery(t, time.Second, 20*time.Second, func(context.Context) error {
		full, peak = p.memory(t)
		if full-empty > 60<<10 {
			return fmt.Errorf("%d MiB more than with an empty cluster, want at most 60", (full-empty)>>10)
		}
		return nil
	})
	t.Logf("memory: %d MiB with an empty cluster, %d MiB with the full one, at most %d MiB", empty>>10, full>>10, peak>>10)
	if err != nil {
		t.Error(err)
	}

	before := c.ours(t, ofObjects)
	p.changed(t, "an Ingress", "changed-7.shop.example", func() { c.Apply(t, "shop", largeIngress(7, "changed")) })
	p.changed(t, "a Service's address", `code="lb/replaced"`, func() {
		c.Patch(t, world.ServicePath("shop", "balancer-7")+"/status", statusOf(n.Addr(53)))
	})
	if after := c.ours(t, ofObjects); len(after) != len(before) {
		t.Errorf("the change of two objects cost %d requests, the last %+v", len(after)-len(before), after[len(after)-1])
	}
}

// TestAClusterOfManyWorkloads measures what it takes to find the one among 3,000 Deployments
// that orders certificates, by a watch and by lists, as older API servers have it.
func TestAClusterOfManyWorkloads(t *testing.T) {
	const deployments = 3000
	n := world.Claim(t)
	c := startCluster(t, n)
	c.namespaces(t, "shop")
	settings := "interval: 10m\ntimeout: 1s\ndns: {root_servers: [" + n.Addr(1).String() + "], timeout: 1s}\n" + c.section
	p := serve(t, n, settings)
	p.awaitTargets(t, 0)
	_, empty := p.memory(t)
	p.kill(t)
	var work sync.WaitGroup
	numbers := make(chan int)
	for range 16 {
		work.Go(func() {
			for i := range numbers {
				c.Apply(t, "shop", largeDeployment(i))
			}
		})
	}
	for i := range deployments {
		numbers <- i
	}
	close(numbers)
	work.Wait()
	c.Apply(t, "shop", keepers()[0].yaml())
	for _, v := range manifests(t)["Deployment"].Spec.Template.Spec.Containers[0].Env {
		p.env = append(p.env, v.Name+"="+v.Value)
	}
	for _, watches := range []bool{true, false} {
		p.env = append(p.env, fmt.Sprintf("KUBE_FEATURE_WatchListClient=%t", watches))
		p.start(t)
		p.awaitDocument(t, "the workload", 40*time.Second, func(d document) bool { return len(d.Report.all("issuance/ephemeral-storage")) == 1 })
		_, peak := p.memory(t)
		t.Logf("by a watch %t: at most %d MiB, %d with an empty cluster", watches, peak>>10, empty>>10)
		if peak-empty > 40<<10 {
			t.Errorf("%d MiB more than with an empty cluster, want at most 40", (peak-empty)>>10)
		}
		p.kill(t)
	}
}

func largeDeployment(i int) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%d
  labels: {app.kubernetes.io/name: web, app.kubernetes.io/instance: web-%[1]d, app.kubernetes.io/managed-by: Helm, helm.sh/chart: web-1.4.2}
  annotations: {meta.helm.sh/release-name: web-%[1]d, note: %[2]q}
spec:
  selector: {matchLabels: {app: web-%[1]d}}
  template:
    metadata: {labels: {app: web-%[1]d}}
    spec:
      containers:
        - {name: web, image: "registry.example.com/web:1.4.2", args: [--config=/etc/web/web.yml], env: [{name: A, value: %[2]q}], volumeMounts: [{name: config, mountPath: /etc/web}], resources: {requests: {cpu: 10m, memory: 64Mi}}}
      volumes: [{name: config, configMap: {name: web-%[1]d}}]
`, i, strings.Repeat("text that nobody needs ", 50))
}

// ofObjects fits the requests for objects; which kinds there are is asked for now and then.
func ofObjects(a world.Access) bool { return a.ObjectRef.Resource != "" }

// changed makes a change, and measures how long it takes until the metrics, which are
// those of the last report, tell of it.
func (p *watcher) changed(t *testing.T, what, word string, change func()) {
	t.Helper()
	began := time.Now()
	change()
	if err := world.PollEvery(t, 200*time.Millisecond, 30*time.Second, func(ctx context.Context) error { return p.mentions(ctx, word) }); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f s from the change of %s to the report", time.Since(began).Seconds(), what)
}

func largeService(n world.Net, i int) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata:
  name: balancer-%d
  labels: {app.kubernetes.io/name: traefik, app.kubernetes.io/instance: balancer-%[1]d, app.kubernetes.io/managed-by: Helm, helm.sh/chart: traefik-37.1.0}
  annotations: {meta.helm.sh/release-name: traefik, meta.helm.sh/release-namespace: shop, service.beta.kubernetes.io/do-loadbalancer-name: balancer-%[1]d}
spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false, selector: {app: traefik}, ports: [{name: web, port: 80}, {name: websecure, port: 443}]}
status: {loadBalancer: {ingress: [{ip: %s}]}}
`, i, n.Addr(byte(54+i)))
}

func largeIngress(i int, host string) string {
	return fmt.Sprintf(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web-%d
  labels: {app.kubernetes.io/name: web, app.kubernetes.io/instance: web-%[1]d, app.kubernetes.io/managed-by: Helm, helm.sh/chart: web-1.4.2}
  annotations: {cert-manager.io/cluster-issuer: letsencrypt, traefik.ingress.kubernetes.io/router.entrypoints: websecure, meta.helm.sh/release-name: web-%[1]d, driftprobe.io/service: shop/balancer-%d}
spec:
  ingressClassName: traefik
  tls: [{hosts: [%s-%[1]d.shop.example], secretName: web-%[1]d-tls}]
  rules: [{host: %[3]s-%[1]d.shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web-%[1]d, port: {number: 8080}}}}]}}]
`, i, i%200, host)
}

// awaitTargets returns when a report is about so many targets. The page is large, and
// writing it takes memory.
func (p *watcher) awaitTargets(t *testing.T, want int) {
	t.Helper()
	err := world.PollEvery(t, time.Second, time.Minute, func(ctx context.Context) error {
		text, err := p.get(ctx, "/metrics")
		if err != nil {
			return err
		}
		if _, err := p.get(ctx, "/-/ready"); err != nil {
			return err
		}
		if got := strings.Count(string(text), "\ndriftprobe_target_ok{"); got != want {
			return fmt.Errorf("%d targets, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p *watcher) mentions(ctx context.Context, what string) error {
	text, err := p.get(ctx, "/metrics")
	if err == nil && !strings.Contains(string(text), what) {
		err = fmt.Errorf("no word of %s", what)
	}
	return err
}

// memory is the resident memory of the program in KiB, now and at most, see proc(5).
func (p *watcher) memory(t *testing.T) (now, peak int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &now)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	return now, peak
}
