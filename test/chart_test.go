package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"driftprobe/test/world"
)

const image = "--set=image.repository=registry.example.com/driftprobe"

// valuesSets are ways to deploy the chart, as its values.
func valuesSets() map[string]string {
	return map[string]string{
		"defaults": "{}",
		"two replicas": `{replicas: 2, image: {digest: "sha256:` + strings.Repeat("0a", 32) + `"}, networkPolicy: {enabled: true, from: [{podSelector: {}}]}, probes: {exec: true},
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app.kubernetes.io/instance: watch}}}]}`,
		"namespaced":     "{namespaces: [shop, traefik], rbac: {certificates: false, events: false}}",
		"shards":         "{shards: 3, replicas: 2, annotations: {a: b}, podLabels: {c: d}}",
		"few ConfigMaps": "{namespaces: [shop, traefik], rbac: {configMaps: [traefik-config, caddy]}, serviceAccount: {annotations: {a: b}}, podDisruptionBudget: {enabled: false}, replicas: 5}",
		"without": `{state: {kind: none}, rbac: {create: false}, serviceAccount: {create: false, name: other}, service: {enabled: false},
  resources: {requests: null, limits: null}, metrics: {scrapeAnnotations: false}}`,
		"everything": `{imagePullSecrets: [{name: pull}], namespaces: [shop, traefik], slack: {existingSecret: s}, digitalocean: {existingSecret: d},
  state: {kind: volume, volume: {storageClassName: fast}}, probes: {exec: true}, labels: {team: a}, annotations: {a: b}, podLabels: {c: d},
  podAnnotations: {e: f}, extraArgs: [--log.format=json], extraEnv: [{name: HTTPS_PROXY, value: x}], extraVolumes: [{name: more, emptyDir: {}}],
  extraVolumeMounts: [{name: more, mountPath: /more}], nodeSelector: {a: b}, tolerations: [{operator: Exists}], priorityClassName: high,
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}},
  metrics: {serviceMonitor: {enabled: true, labels: {release: p}}, podMonitor: {enabled: true}, rules: {enabled: true}, dashboard: {enabled: true}},
  networkPolicy: {enabled: true, ports: [8443], from: [{namespaceSelector: {}}]},
  config: {alerts: {cluster_name: prod}, targets: [{url: "https://a.example/"}]}}`,
	}
}

// tool runs a program of test/apiserver/build.sh, and returns what it prints and whether it
// went well.
func tool(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	folder := world.BuiltFolder()
	if version, elsewhere := map[string]string{"helm": "v3.22.0", "kube-score": "v1.20.0", "actionlint": "v1.7.12"}[name]; elsewhere {
		folder = filepath.Join(filepath.Dir(folder), name+"-"+version)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, name), args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ok is tool for what has to go well.
func ok(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := tool(t, stdin, name, args...)
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func TestTheManifestsAreMadeOfTheChart(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"driftprobe.yaml", "networkpolicy.yaml"} {
		want, err := exec.CommandContext(t.Context(), "../deploy/manifests/generate.sh", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, "../deploy/manifests/"+name); got != string(want) {
			t.Errorf("deploy/manifests/%s is not the chart's output: make manifests", name)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheChartIsScored leaves out two opinions: a limit of processor time makes timeouts that
// nobody else sees, and a version's image does not change.
func TestTheChartIsScored(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"two replicas":  ok(t, "", "helm", "template", "driftprobe", "../deploy/chart", image, "--set=image.tag=v1", "--set=replicas=2", "--set=networkPolicy.enabled=true"),
		"three shards":  ok(t, "", "helm", "template", "driftprobe", "../deploy/chart", image, "--set=image.tag=v1", "--set=shards=3", "--set=replicas=2", "--set=networkPolicy.enabled=true"),
		"the manifests": read(t, "../deploy/manifests/driftprobe.yaml") + "---\n" + read(t, "../deploy/manifests/networkpolicy.yaml"),
	} {
		said := ok(t, text, "kube-score", "score", "--ignore-container-cpu-limit", "--ignore-test=container-image-pull-policy", "-")
		if !strings.Contains(said, "apps/v1/Deployment driftprobe") || strings.Contains(said, "CRITICAL") {
			t.Errorf("%s:\n%s", what, said)
		}
	}
}

// TestTheChartRefuses has mistakes in values: none may be passed over in silence.
func TestTheChartRefuses(t *testing.T) {
	t.Parallel()
	for set, why := range map[string]string{
		"replica=2": "replica", "image.tga=1": "tga", "slack.existingsecret=x": "existingsecret", "state.kind=file": "state",
		"metrics.serviceMonitor.enable=true": "enable", "resources.limits.memory=1000": "memory", "namespaces[0]=A_b": "namespaces",
		"image.digest=sha256:12": "digest", "image.repository=": "set image.repository", "config.state.file=x": "use state.kind",
		"config.kubernetes.lease=a/b": "use replicas and namespaces", "networkPolicy.ports[0]=70000": "ports", "rbac.configMaps[0]=A_b": "configMaps",
		"shards=0": "shards", "shards=65": "shards", "config.shard.count=3": "use shards", "shards=2,state.kind=volume": "use state.kind=configmap",
		"replicas=2,state.kind=volume": "use state.kind=configmap", "service.enabled=false,metrics.serviceMonitor.enabled=true": "use metrics.podMonitor",
	} {
		out, err := tool(t, "", "helm", "template", "driftprobe", "../deploy/chart", image, "--set="+set)
		if err == nil || !strings.Contains(out, why) {
			t.Errorf("--set %s: %v, want a refusal with %q\n%.500s", set, err, why, out)
		}
	}
}

// TestShardsAreDeployedApart: a Deployment for each, that finds its own pods only, and the
// rights to what the program calls its own (cmd/driftprobe TestShardsKeepApart).
func TestShardsAreDeployedApart(t *testing.T) {
	t.Parallel()
	text := ok(t, "", "helm", "template", "watch", "../deploy/chart", image, "--namespace=w", "--set=shards=3", "--set=replicas=2")
	for _, part := range []string{
		"resourceNames: [watch-driftprobe-state, watch-driftprobe-state-shard-1, watch-driftprobe-state-shard-2]\n    verbs: [get, update]",
		"resourceNames: [watch-driftprobe-state-corrupt, watch-driftprobe-state-shard-1-corrupt, watch-driftprobe-state-shard-2-corrupt]\n",
		"resourceNames: [watch-driftprobe, watch-driftprobe-shard-1, watch-driftprobe-shard-2]\n",
		"lease: w/watch-driftprobe\n", "configmap: w/watch-driftprobe-state\n",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q", part)
		}
	}
	deployments := 0
	for document := range strings.SplitSeq(text, "\n---\n") {
		if !strings.Contains(document, "\nkind: Deployment\n") {
			continue
		}
		for part, times := range map[string]int{
			fmt.Sprintf("  name: watch-driftprobe-shard-%d\n", deployments): 1,
			fmt.Sprintf("driftprobe.io/shard: \"%d\"", deployments):         4, // itself, selector, pod, anti-affinity
			fmt.Sprintf("- --shard=%d/3\n", deployments):                    1,
			"driftprobe.io/shard: ":                                         4,
		} {
			if strings.Count(document, part) != times {
				t.Errorf("Deployment %d says %q %d times, want %d:\n%s", deployments, part, strings.Count(document, part), times, document)
			}
		}
		deployments++
	}
	if deployments != 3 || strings.Contains(ok(t, "", "helm", "template", "watch", "../deploy/chart", image), "shard") {
		t.Errorf("%d Deployments of 3 shards, or a word of shards without them", deployments)
	}
}

// TestTheChartOnAnAPIServer has each set of values judged by the real API server, strictly,
// and its pods by the pod security standard "restricted"; then it installs, upgrades and
// uninstalls.
func TestTheChartOnAnAPIServer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, world.Claim(t))
	c.Definitions(t, "servicemonitors.yaml", "podmonitors.yaml", "prometheusrules.yaml")
	c.namespaces(t, "shop", "traefik")
	c.Apply(t, "", "{apiVersion: v1, kind: Namespace, metadata: {name: watch, labels: {pod-security.kubernetes.io/enforce: restricted}}}")
	// Where those of the dry run go: with --namespace kubectl would refuse Roles elsewhere.
	c.Apply(t, "", "{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {pod-security.kubernetes.io/warn: restricted}}}")
	admin := "--kubeconfig=" + c.AdminKubeconfig(t)
	for _, name := range []string{"watch-driftprobe", "other"} { // which the Pod of "helm test" names
		ok(t, fmt.Sprintf("{apiVersion: v1, kind: ServiceAccount, metadata: {name: %s}}", name), "kubectl", admin, "apply", "--filename=-")
	}
	for name, values := range valuesSets() {
		ok(t, values, "helm", "lint", "--strict", "../deploy/chart", image, "--values=-")
		text := ok(t, values, "helm", "template", "watch", "../deploy/chart", image, "--namespace=watch", "--values=-")
		said := ok(t, text, "kubectl", admin, "apply", "--dry-run=server", "--validate=strict", "--filename=-")
		made := regexp.MustCompile(`deployment.apps/watch-driftprobe(-shard-\d)? created \(server dry run\)`).FindAllString(said, -1)
		if strings.Contains(said, "Warning") || len(made) == 0 || len(made) != strings.Count(text, "\nkind: Deployment\n") {
			t.Errorf("%s:\n%s", name, said)
		}
	}
	ok(t, "", "kubectl", admin, "apply", "--dry-run=server", "--validate=strict", "--namespace=driftprobe", "--filename=../deploy/manifests/networkpolicy.yaml")
	if said := ok(t, "", "kubectl", admin, "apply", "--dry-run=server", "--validate=strict", "-k", "../deploy/manifests"); !strings.Contains(said, "deployment.apps/driftprobe configured") && !strings.Contains(said, "deployment.apps/driftprobe unchanged") {
		t.Errorf("kubectl apply -k deploy/manifests:\n%s", said)
	}

	helm := func(args ...string) string {
		return ok(t, "", "helm", append(args, "--namespace=watch", admin)...)
	}
	deployment := world.Path("apps/v1", "Deployment", "watch", "watch-driftprobe")
	budget := world.Path("policy/v1", "PodDisruptionBudget", "watch", "watch-driftprobe")
	wantText(t, "the notes", helm("install", "watch", "../deploy/chart", image), "STATUS: deployed", "looks at the whole cluster", "Nobody is told yet")
	c.podIsTaken(t, deployment)
	c.Gone(t, budget)
	helm("upgrade", "watch", "../deploy/chart", image, "--set=replicas=2")
	if _, err := c.Request(t.Context(), http.MethodGet, budget, "", nil); err != nil {
		t.Error(err)
	}
	wantText(t, "the configuration", ok(t, "", "kubectl", admin, "get", "configmap", "watch-driftprobe", "-n=watch", "-o=yaml"), "lease: watch/watch-driftprobe")
	// Back to one, whose memory is a volume now: what is taken away is not the volume.
	helm("upgrade", "watch", "../deploy/chart", image, "--set=state.kind=volume")
	c.Gone(t, budget)
	c.podIsTaken(t, deployment)
	helm("uninstall", "watch")
	c.Gone(t, deployment)
	c.Gone(t, world.Path("rbac.authorization.k8s.io/v1", "ClusterRole", "", "watch-driftprobe"))
	var before, after struct{ Metadata struct{ UID string } }
	claim := world.Path("v1", "PersistentVolumeClaim", "watch", "watch-driftprobe-state")
	c.object(t, claim, &before)
	helm("install", "watch", "../deploy/chart", image, "--set=state.kind=volume")
	if c.object(t, claim, &after); before != after || before.Metadata.UID == "" {
		t.Errorf("the claim is %+v after it was installed anew, and was %+v", after, before)
	}
}

// podIsTaken makes the pod of a Deployment, as nobody else here does: admission refuses what
// is not restricted.
func (c *cluster) podIsTaken(t *testing.T, deployment string) {
	t.Helper()
	text, err := c.Request(t.Context(), http.MethodGet, deployment, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Spec struct {
			Template struct{ Spec json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	pod := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": ` + string(d.Spec.Template.Spec) + `}`
	const pods = "/api/v1/namespaces/watch/pods?dryRun=All&fieldValidation=Strict"
	if _, err := c.Request(t.Context(), http.MethodPost, pods, "application/json", []byte(pod)); err != nil {
		t.Error(err)
	}
	root := strings.Replace(pod, `"runAsNonRoot":true`, `"runAsNonRoot":false`, 1)
	if _, err := c.Request(t.Context(), http.MethodPost, pods, "application/json", []byte(root)); root == pod || err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("a pod that may be root: %v", err)
	}
}
