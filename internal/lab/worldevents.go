package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"
)

// populate puts the cluster's objects in place and lets the cloud give the
// Service its first balancer.
func (w *World) populate(ctx context.Context) error {
	for _, obj := range w.clusterObjects() {
		if err := w.Kube.Apply(obj); err != nil {
			return err
		}
	}
	// The cluster is not of today.
	if err := w.createTraefik(ctx, time.Now().AddDate(0, -1, 0)); err != nil {
		return err
	}
	if got := w.LBAddr(); got != w.OldAddr {
		return fmt.Errorf("first load balancer is at %v, want %v", got, w.OldAddr)
	}
	return w.SyncIngressStatus()
}

// DeleteTraefik deletes the Service. The cloud controller deletes its balancer,
// whose address from then on refuses connections.
func (w *World) DeleteTraefik(ctx context.Context) error {
	if err := w.Kube.Delete("Service", "traefik", "traefik"); err != nil {
		return err
	}
	if err := w.Cloud.Sync(ctx); err != nil {
		return err
	}
	return w.takeFailure()
}

// CreateTraefik creates the Service. It gets a balancer of another id at the next
// address, unless a fault of the API delays that: then Cloud.Sync goes on later.
func (w *World) CreateTraefik(ctx context.Context) error { return w.createTraefik(ctx, time.Now()) }

func (w *World) createTraefik(ctx context.Context, born time.Time) error {
	service := traefikService()
	service["metadata"].(map[string]any)["creationTimestamp"] = born.UTC().Format(time.RFC3339)
	if err := w.Kube.Apply(service); err != nil {
		return err
	}
	for range 2 { // the first round orders the balancer, the second sees its address
		if err := w.Cloud.Sync(ctx); err != nil {
			return err
		}
	}
	return w.takeFailure()
}

// LBAddr is the address in the Service's status; not valid when there is none.
func (w *World) LBAddr() netip.Addr {
	for _, in := range loadBalancerStatus(w.Kube.Get("Service", "traefik", "traefik")) {
		entry, _ := in.(map[string]any)
		ip, _ := entry["ip"].(string)
		if addr, err := netip.ParseAddr(ip); err == nil {
			return addr
		}
	}
	return netip.Addr{}
}

func loadBalancerStatus(obj map[string]any) []any {
	status, _ := obj["status"].(map[string]any)
	lb, _ := status["loadBalancer"].(map[string]any)
	ingress, _ := lb["ingress"].([]any)
	return ingress
}

// SyncIngressStatus copies the Service's address into every Ingress of class
// traefik, as Traefik does. Until it is called they keep the old one.
func (w *World) SyncIngressStatus() error {
	entries := []any{}
	if addr := w.LBAddr(); addr.IsValid() {
		entries = append(entries, map[string]any{"ip": addr.String()})
	}
	for _, obj := range w.Kube.List("Ingress") {
		spec, _ := obj["spec"].(map[string]any)
		if spec["ingressClassName"] != "traefik" {
			continue
		}
		meta := obj["metadata"].(map[string]any)
		status := map[string]any{"loadBalancer": map[string]any{"ingress": entries}}
		if err := w.Kube.PatchStatus("Ingress", fmt.Sprint(meta["namespace"]), fmt.Sprint(meta["name"]), status); err != nil {
			return err
		}
	}
	return nil
}

// FixRecords sets the apex and wildcard A records to addr, at DigitalOcean and so
// on every name server. Caches keep what they have.
func (w *World) FixRecords(addr netip.Addr) error {
	for _, rec := range w.DO.Records(w.Zone) {
		if rec.Type != "A" {
			continue
		}
		if _, ok := w.DO.updateRecord(w.Zone, rec.ID, DomainRecord{Data: addr.String()}); !ok {
			return fmt.Errorf("record %d of %s is gone", rec.ID, w.Zone)
		}
	}
	return w.takeFailure()
}

// LoseCertificates makes every balancer, now and later, serve Traefik's default
// certificate, as when the ACME store is lost and the order is refused.
func (w *World) LoseCertificates() error {
	cert, err := TraefikDefault()
	if err != nil {
		return err
	}
	w.serve(cert)
	return nil
}

// RestartTraefik starts the ingress controller anew, at a moment that can lie in the past.
// It has lost its certificates and orders them again right then, as the pod and the
// certificate say.
func (w *World) RestartTraefik(at time.Time) error { return w.restart(at, w.Zone, "*."+w.Zone) }

// MendTraefik gives Traefik a claim for acme.json, and its certificate one more name, so
// that the authority has no reason to refuse it.
func (w *World) MendTraefik(at time.Time) error {
	if err := w.Kube.Apply(traefikDeployment(false)); err != nil {
		return err
	}
	return w.restart(at, w.Zone, "*."+w.Zone, "spare.example")
}

func (w *World) restart(at time.Time, names ...string) error {
	cert, err := w.CA.Issue(CertSpec{Names: names, Logged: at.Add(20 * time.Second)})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.good = cert
	w.restarts++
	restarts := w.restarts
	w.mu.Unlock()
	w.serve(cert)
	return w.Kube.Apply(traefikPod(at, restarts))
}

// RestartRefused is the restart after which the authority refuses.
func (w *World) RestartRefused(at time.Time) error {
	w.mu.Lock()
	w.restarts++
	restarts := w.restarts
	w.mu.Unlock()
	if err := w.LoseCertificates(); err != nil {
		return err
	}
	return w.Kube.Apply(traefikPod(at, restarts))
}

// RestoreCertificates ends LoseCertificates.
func (w *World) RestoreCertificates() { w.serve(w.good) }

func (w *World) serve(cert tls.Certificate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cert = cert
	for _, b := range w.balancers {
		b.SetCertificates(cert)
	}
}

func traefikService() map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{
			"name": "traefik", "namespace": "traefik",
			"labels": map[string]any{"app.kubernetes.io/name": "traefik", "app.kubernetes.io/managed-by": "Helm"},
		},
		"spec": map[string]any{
			"type":     "LoadBalancer",
			"selector": map[string]any{"app.kubernetes.io/name": "traefik"},
			"ports": []any{
				map[string]any{"name": "web", "port": 80, "protocol": "TCP", "targetPort": "web"},
				map[string]any{"name": "websecure", "port": 443, "protocol": "TCP", "targetPort": "websecure"},
			},
		},
	}
}

// clusterObjects is all but the Service: namespaces, the class, Traefik's
// Deployment, and an Ingress for each three hosts.
func (w *World) clusterObjects() []map[string]any {
	objects := []map[string]any{
		{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "traefik"}},
		{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop"}},
		{
			"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
			"metadata": map[string]any{"name": "traefik"},
			"spec":     map[string]any{"controller": "traefik.io/ingress-controller"},
		},
		traefikDeployment(w.spec.Forgetful),
	}
	for i := 0; i < len(w.Hosts); i += 3 {
		objects = append(objects, ingressFor(fmt.Sprintf("shop-%d", i/3+1), w.Hosts[i:min(i+3, len(w.Hosts))]))
	}
	return objects
}

// traefikDeployment keeps acme.json on a claim; or on a configMap, which is what the
// outage begins with.
func traefikDeployment(forgetful bool) map[string]any {
	volume := map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "traefik"}}
	if forgetful {
		volume = map[string]any{"name": "data", "configMap": map[string]any{"name": "traefik-config"}}
	}
	labels := map[string]any{"app.kubernetes.io/name": "traefik"}
	container := map[string]any{
		"name": "traefik", "image": "traefik:v3.7",
		"args": []any{
			"--entryPoints.websecure.address=:8443/tcp",
			"--certificatesresolvers.letsencrypt.acme.storage=/data/acme.json",
			"--certificatesresolvers.letsencrypt.acme.dnschallenge.provider=digitalocean",
		},
		"volumeMounts": []any{map[string]any{"name": "data", "mountPath": "/data"}},
	}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "traefik", "namespace": "traefik", "labels": labels},
		"spec": map[string]any{
			"replicas": 1,
			"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec": map[string]any{
					"containers": []any{container},
					"volumes":    []any{volume},
				},
			},
		},
		"status": map[string]any{"replicas": 1, "readyReplicas": 1},
	}
}

// traefikPod is the pod whose container runs since a moment.
func traefikPod(started time.Time, restarts int) map[string]any {
	at := started.UTC().Format(time.RFC3339)
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"name": "traefik-5d8f9c7b6-x7k2p", "namespace": "traefik",
			"creationTimestamp": time.Now().Add(-6 * 24 * time.Hour).UTC().Format(time.RFC3339),
			"labels":            map[string]any{"app.kubernetes.io/name": "traefik"},
		},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "traefik", "image": "traefik:v3.7"}}},
		"status": map[string]any{
			"phase": "Running",
			"containerStatuses": []any{map[string]any{
				"name": "traefik", "restartCount": restarts, "state": map[string]any{"running": map[string]any{"startedAt": at}},
			}},
		},
	}
}

func ingressFor(name string, hosts []string) map[string]any {
	var rules, tlsHosts []any
	for _, host := range hosts {
		tlsHosts = append(tlsHosts, host)
		backend := map[string]any{"service": map[string]any{"name": name, "port": map[string]any{"number": 80}}}
		rules = append(rules, map[string]any{"host": host, "http": map[string]any{"paths": []any{
			map[string]any{"path": "/", "pathType": "Prefix", "backend": backend},
		}}})
	}
	return map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
		"metadata": map[string]any{"name": name, "namespace": "shop"},
		"spec":     map[string]any{"ingressClassName": "traefik", "rules": rules, "tls": []any{map[string]any{"hosts": tlsHosts}}},
	}
}
