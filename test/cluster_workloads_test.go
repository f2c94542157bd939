package test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftprobe/test/world"
)

// keeper is a workload that may order certificates, in YAML: parts of its container and of
// its pod. The container is Traefik with its store in /data, if the parts say nothing else.
type keeper struct {
	name, kind             string
	spec, args, image, env string
	mounts, volumes, init  string
	// dir is the container's working folder.
	dir string
	// want is a part of what must be said; "" for nothing.
	want string
}

const (
	toldStore = `["--certificatesresolvers.le.acme.storage=/data/acme.json", "--certificatesresolvers.le.acme.tlschallenge=true"]`
	atData    = `{name: data, mountPath: /data}`
	claim     = `{name: data, persistentVolumeClaim: {claimName: traefik}}`
	noArgs    = `["--ping=true"]`
	static    = `, {name: static, configMap: {name: static}}`
	atStatic  = `, {name: static, mountPath: /etc/traefik}`
)

func keepers() []keeper {
	return []keeper{
		{name: "post-mortem", mounts: atData + `, {name: config, mountPath: /data/}`, volumes: claim + `, {name: config, configMap: {name: traefik-config}}`, want: "take away the mount config at /data/: it hides the volume data"},
		{name: "claim", mounts: atData, volumes: claim},
		{name: "host-path", mounts: atData, volumes: `{name: data, hostPath: {path: /srv/traefik}}`},
		{name: "nfs", mounts: atData, volumes: `{name: data, nfs: {server: 10.0.0.9, path: /certs}}`},
		{name: "empty-dir", mounts: atData, volumes: `{name: data, emptyDir: {}}`, want: "on an emptyDir"},
		{name: "memory", mounts: atData, volumes: `{name: data, emptyDir: {medium: Memory}}`, want: "on an emptyDir"},
		{name: "no-source", mounts: atData, volumes: `{name: data}`, want: "on an emptyDir"}, // which the server makes of it
		{name: "config-map", mounts: atData, volumes: `{name: data, configMap: {name: x}}`, want: "on a configMap volume"},
		{name: "secret", mounts: atData, volumes: `{name: data, secret: {secretName: acme}}`, want: "on a secret volume"},
		{name: "projected", mounts: atData, volumes: `{name: data, projected: {sources: [{configMap: {name: x}}]}}`, want: "on a projected volume"},
		{name: "downward", mounts: atData, volumes: `{name: data, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}`, want: "on a downwardAPI volume"},
		{name: "ephemeral", mounts: atData, volumes: `{name: data, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}`, want: "on an ephemeral volume"},
		{name: "inline-csi", mounts: atData, volumes: `{name: data, csi: {driver: inline.example.com}}`, want: "on an inline csi volume"},
		{name: "nothing", want: "in the container's own layer"},
		{name: "elsewhere", mounts: `{name: data, mountPath: /dat}`, volumes: claim, want: "in the container's own layer"},
		{name: "sub-path", mounts: `{name: data, mountPath: /data/acme.json, subPath: acme.json}`, volumes: claim},
		{name: "hidden-below", args: `["--certificatesresolvers.le.acme.storage=/data/le/acme.json"]`, mounts: atData + `, {name: tmp, mountPath: /data/le}`, volumes: claim + `, {name: tmp, emptyDir: {}}`, want: "it hides the volume data"},
		{name: "claim-below", args: `["--certificatesresolvers.le.acme.storage=/data/le/acme.json"]`, mounts: `{name: tmp, mountPath: /data}, {name: data, mountPath: /data/le}`, volumes: claim + `, {name: tmp, emptyDir: {}}`},
		{name: "other-case", args: `["--certificatesResolvers.LE.acme.storage=/data/acme.json"]`, mounts: atData, volumes: `{name: data, emptyDir: {}}`, want: "on an emptyDir"},
		{name: "default-path", args: `["--certificatesresolvers.le.acme.tlschallenge=true"]`, mounts: atData, volumes: claim, want: "set acme.storage=/data/acme.json"},
		{name: "env", args: noArgs, env: `{name: TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE, value: /data/acme.json}`, mounts: atData, volumes: `{name: data, emptyDir: {}}`, want: "the variable TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE"},
		{name: "file", args: noArgs, mounts: atData + atStatic, volumes: `{name: data, emptyDir: {}}` + static, want: "the configuration file's certificatesresolvers.le.acme.storage"},
		{name: "file-items", args: `["--configfile=/etc/traefik/a.yml"]`, mounts: atData + atStatic, volumes: claim + `, {name: static, configMap: {name: static, items: [{key: traefik.yml, path: a.yml}]}}`},
		{name: "file-plain", args: `["--configfile=/etc/traefik/plain.yml"]`, mounts: atStatic[2:], volumes: static[2:]},
		{name: "file-missing", args: noArgs, mounts: atStatic[2:], volumes: `{name: static, configMap: {name: missing, optional: true}}`},
		{name: "file-yaml", args: noArgs, mounts: atData + `, {name: static, mountPath: /etc/traefik/traefik.yaml, subPath: traefik.yaml}`, volumes: `{name: data, emptyDir: {}}` + static, want: "/data/yaml.json (the configuration file's"},
		{name: "file-toml", args: `[--configFile, t.toml]`, dir: "/conf", mounts: atData + `, {name: static, mountPath: /conf}`, volumes: claim + static, want: "/lost/acme.json (the configuration file's"},
		{name: "read-only", mounts: `{name: data, mountPath: /data, readOnly: true}`, volumes: claim, want: "take readOnly from the mount data"},
		{name: "claim-read-only", mounts: atData, volumes: `{name: data, persistentVolumeClaim: {claimName: traefik, readOnly: true}}`, want: "mounted to be read only"},
		{name: "working-folder", args: `["--certificatesresolvers.le.acme.storage=acme.json"]`, dir: "/data", mounts: atData, volumes: claim},
		{name: "another-folder", args: `["--certificatesresolvers.le.acme.storage=acme.json"]`, dir: "/app", mounts: atData, volumes: claim, want: "/app/acme.json"},
		{name: "variable", args: `["--certificatesresolvers.le.acme.storage=$(STORE)/acme.json"]`, env: `{name: STORE, value: /data}`, mounts: atData, volumes: claim},
		{name: "secret-variable", args: `["--certificatesresolvers.le.acme.storage=$(STORE)/acme.json"]`, env: `{name: STORE, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}`, mounts: atData, volumes: claim, want: "keeps its certificates is not known"},
		{name: "two-words", args: `["--certificatesresolvers.le.acme.storage", "/data/acme.json"]`, mounts: atData, volumes: claim},
		{name: "shell", args: `["sh", "-c", "exec traefik --certificatesresolvers.le.acme.storage=/data/acme.json"]`, mounts: atData, volumes: `{name: data, emptyDir: {}}`, want: "on an emptyDir"},
		{name: "replicas", spec: "replicas: 2,", mounts: atData, volumes: claim, want: "2 pods with /data/acme.json on the claim traefik"},
		{name: "scaled", mounts: atData, volumes: claim, want: "3 pods with /data/acme.json on the claim traefik"},
		{name: "set", kind: "StatefulSet", spec: "replicas: 3, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}],", mounts: atData, want: "3 pods, each with its own"},
		{name: "set-of-one", kind: "StatefulSet", spec: "replicas: 1, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}],", mounts: atData},
		{name: "daemon", kind: "DaemonSet", mounts: atData, volumes: `{name: data, hostPath: {path: /srv/traefik}}`, want: "a pod on each node"},
		{name: "sidecar", image: "nginx", args: "[]", init: `{name: edge, image: "traefik:v3.7", restartPolicy: Always, args: ` + toldStore + `}`, want: "in the container's own layer"},
		{name: "job-like", image: "nginx", args: "[]", init: `{name: once, image: "traefik:v3.7", args: ` + toldStore + `}`},
		{name: "caddy", image: "caddy:2", args: "[]", want: "the image's XDG_DATA_HOME=/data"},
		{name: "caddy-inside", image: "caddy:2", args: "[]"},
		{name: "no-resolver", args: noArgs},
		{name: "other", image: "nginx", args: "[]", mounts: atData, volumes: `{name: data, emptyDir: {}}`},
	}
}

func (k keeper) yaml() string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: %s}
spec: {%s selector: {matchLabels: {app: %[2]s}}, template: {metadata: {labels: {app: %[2]s}}, spec: {
  initContainers: [%[4]s], containers: [{name: main, image: %[5]q, workingDir: %[10]q, args: %[6]s, env: [%[7]s], volumeMounts: [%[8]s]}], volumes: [%[9]s]}}}
`, cmp.Or(k.kind, "Deployment"), k.name, k.spec, k.init, cmp.Or(k.image, "traefik:v3.7"), cmp.Or(k.args, toldStore), k.env, k.mounts, k.volumes, k.dir)
}

// TestWhereACMEClientsKeepTheirCertificates has the trap of the post-mortem and its
// neighbours on a real API server, which completes and refuses pod specs by its own rules,
// and looks once with the rights of the shipped manifest.
func TestWhereACMEClientsKeepTheirCertificates(t *testing.T) {
	t.Parallel()
	n := world.Claim(t)
	c := startCluster(t, n)
	c.namespaces(t, "edge")
	twice := keeper{name: "twice", mounts: atData + `, {name: other, mountPath: /data}`, volumes: claim + `, {name: other, emptyDir: {}}`}
	c.refuses(t, "edge", twice.yaml(), "must be unique")
	c.Apply(t, "", definition("acme.cert-manager.io", "Order")+"---"+definition("cert-manager.io", "CertificateRequest"))
	c.AwaitDefinitions(t)
	for _, k := range keepers() {
		c.Apply(t, "edge", k.yaml())
	}
	c.Apply(t, "edge", `
{apiVersion: v1, kind: ConfigMap, metadata: {name: static}, data: {traefik.yml: "certificatesResolvers: {le: {acme: {storage: /data/acme.json}}}", traefik.yaml: "certificatesResolvers: {le: {acme: {storage: /data/yaml.json}}}", t.toml: "[certificatesResolvers.le.acme]\nstorage = \"/lost/acme.json\"", plain.yml: "ping: {}"}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: scaled}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}}}
---
{apiVersion: v1, kind: Service, metadata: {name: caddy}, spec: {type: LoadBalancer, selector: {app: caddy}, ports: [{port: 443}]}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}
---
{apiVersion: cert-manager.io/v1, kind: CertificateRequest, metadata: {name: web-6, annotations: {cert-manager.io/certificate-name: web}}}
---
{apiVersion: acme.cert-manager.io/v1, kind: Order, metadata: {name: web-6-123, annotations: {cert-manager.io/certificate-name: web}}, spec: {dnsNames: [shop.example]}, status: {state: errored, failureTime: "2026-11-22T08:00:00Z", reason: "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2096-11-24 10:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/"}}
---
{apiVersion: v1, kind: Pod, metadata: {name: post-mortem-1, labels: {app: post-mortem}}, spec: {containers: [{name: main, image: "traefik:v3.7"}]}}
`)
	c.Patch(t, world.Path("v1", "Pod", "edge", "post-mortem-1")+"/status", `{"status": {"phase": "Running", "containerStatuses": [{"name": "main", "image": "traefik:v3.7", "imageID": "", "ready": true, "restartCount": 5, "state": {"running": {"startedAt": "2026-11-21T08:00:00Z"}}}]}}`)

	l := once(t, found, "--config", writeConfig(t, "interval: 5s\ntimeout: 5s\n"+c.section))
	said := map[string]string{}
	for _, f := range l.all("issuance/ephemeral-storage") {
		said[f.Subject.Name] = f.text() + "\n" + f.Hint
	}
	for _, k := range keepers() {
		if got := said[k.name]; (k.want == "") != (got == "") || !strings.Contains(got, k.want) {
			t.Errorf("%s: said %q, want %q", k.name, got, k.want)
		}
	}
	l.none(t, "self/source-degraded")
	limits := l.all("issuance/rate-limit")
	if len(limits) != 1 || limits[0].Subject.Name != "web" {
		t.Fatalf("of the refused order is said %+v", limits)
	}
	wantText(t, "the refused order", limits[0].text(), "refused by the CA until 2096-11-24 10:00 UTC", "Order edge/web-6-123")
	wantText(t, "the snapshot", l.stdout, `"restarts": 5`, `"started": "2026-11-21T08:00:00Z"`, `"name": "web-6-123"`, `"requests": 1`)
	for _, a := range c.ours(t, func(world.Access) bool { return true }) {
		switch {
		case a.ResponseStatus.Code == http.StatusForbidden, a.ObjectRef.Resource == "secrets",
			a.ObjectRef.Resource == "configmaps" && (a.Verb != "get" || a.ObjectRef.Name != "static" && a.ObjectRef.Name != "missing"),
			a.ObjectRef.Resource == "pods" && !strings.Contains(a.RequestURI, "labelSelector="):
			t.Errorf("%s %s: %d", a.Verb, a.RequestURI, a.ResponseStatus.Code)
		}
	}
	t.Logf("%d workloads, %d findings, in %.1f s", len(keepers()), len(said), l.ended.Sub(l.began).Seconds())
}

// definition is that of a custom resource with a status, and with any fields.
func definition(group, kind string) string {
	one := strings.ToLower(kind)
	return fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]ss.%[1]s}
spec:
  group: %[1]s
  names: {kind: %[3]s, plural: %[2]ss, singular: %[2]s, listKind: %[3]sList}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, group, one, kind)
}

// refuses expects that the API server does not take a Deployment, and says why.
func (c *cluster) refuses(t *testing.T, namespace, document, why string) {
	t.Helper()
	var status *world.StatusError
	_, err := c.Request(t.Context(), http.MethodPost, world.Path("apps/v1", "Deployment", namespace, ""), "application/yaml", []byte(document))
	if !errors.As(err, &status) || status.Code != http.StatusUnprocessableEntity || !strings.Contains(err.Error(), why) {
		t.Errorf("the API server says %v, want %q", err, why)
	}
}

// TestLintAgainstARealCluster renames the Service of type LoadBalancer in a manifest.
func TestLintAgainstARealCluster(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	c := startCluster(t, w.Net)
	publish(t, w, w.Old)
	w.Balancer(t, w.Old, w.CA.Issue(t, "shop.example", "*.shop.example"))
	c.namespaces(t, "shop", "traefik")
	const labels = "{app.kubernetes.io/name: traefik, app.kubernetes.io/instance: edge}"
	deployed := strings.Replace(traefikService, "{app.kubernetes.io/name: traefik}", labels, 1)
	c.Apply(t, "", deployed+"---"+shopInACluster)
	c.Patch(t, world.ServicePath("traefik", "traefik")+"/status", statusOf(w.Old))
	config := writeConfig(t, c.settings(w, ""))
	lint := func(text string) look {
		file := filepath.Join(t.TempDir(), "rendered.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return execute(t, "lint", "--against", "cluster", "--config", config, "-o", "json", file)
	}
	if l := lint(deployed); l.code != clean {
		t.Errorf("as deployed: exit code %d\n%s%s", l.code, l.stdout, l.stderr)
	}
	l := lint(strings.Replace(deployed, "name: traefik, namespace", "name: traefik-edge, namespace", 1))
	moves := l.parse(t).all("lb/will-move")
	if l.code != found || len(moves) != 1 {
		t.Fatalf("renamed: exit code %d, %d findings\n%s%s", l.code, len(moves), l.stdout, l.stderr)
	}
	wantText(t, "the finding", moves[0].text(), "traefik/traefik-edge, which selects the same pods", "it leaves "+w.Old.String(),
		fmt.Sprintf("%d hostnames lead to it", len(shopHosts())), fmt.Sprintf("TTL %d s", lifetime))
	if denied := c.ours(t, func(a world.Access) bool { return a.ResponseStatus.Code == http.StatusForbidden }); len(denied) > 0 || !slices.ContainsFunc(c.ours(t, fullList), func(a world.Access) bool { return a.ObjectRef.Resource == "services" }) {
		t.Errorf("forbidden: %+v", denied)
	}
}
