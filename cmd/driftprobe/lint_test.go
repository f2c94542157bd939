package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lints runs lint over files of testdata/lint, and returns what it says.
func lints(t *testing.T, stdin string, args ...string) (int, string, string) {
	t.Helper()
	var out, complaints bytes.Buffer
	p := process{env: func(string) string { return "" }, stdin: strings.NewReader(stdin), stdout: &out, stderr: &complaints}
	code := run(t.Context(), p, append([]string{"lint"}, args...))
	return code, out.String(), complaints.String()
}

// The manifests are what Traefik's chart renders: with its defaults, with ACME and without
// persistence, with both, and with the values of the outage that driftprobe comes from.
func TestLint(t *testing.T) {
	const folder = "testdata/lint/"
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"the chart's defaults order no certificates", []string{folder + "defaults.yaml"}, exitClean, []string{"checked 3 objects"}},
		{"with persistence", []string{folder + "persistence.yaml"}, exitClean, nil},
		{"without persistence", []string{folder + "no-persistence.yaml"}, exitFound, []string{
			"WARNING  Traefik in Deployment traefik/traefik loses its certificates at a restart",
			folder + "no-persistence.yaml:10", "emptyDir", "persistence.enabled=true",
		}},
		{"the post-mortem's values", []string{folder + "post-mortem.yaml"}, exitFound, []string{
			"on a configMap volume", "take away the mount traefik-config", "it hides the volume data",
		}},
		{"only what is critical", []string{"--fail-on", "critical", folder + "post-mortem.yaml"}, exitClean, []string{"WARNING"}},
		{"nothing moves", []string{"--against", folder + "no-persistence.yaml", folder + "persistence.yaml"}, exitClean, nil},
		{"the Service is renamed", []string{"--against", folder + "persistence.yaml", folder + "renamed.yaml"}, exitFound, []string{
			"CRITICAL  this gives up the load balancer of traefik/traefik", "traefik/traefik-edge, which selects the same pods", folder + "renamed.yaml:51",
		}},
		{"the Service has no balancer any more", []string{"--against", folder + "persistence.yaml", folder + "node-port.yaml"}, exitFound, []string{"its type becomes NodePort"}},
		{"a whole folder", []string{folder}, exitFound, []string{"no-persistence.yaml", "post-mortem.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, complaints := lints(t, "", c.args...)
			if code != c.code || complaints != "" {
				t.Errorf("exit %d, want %d: %s", code, c.code, complaints)
			}
			for _, want := range c.says {
				if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

// What else the chart can be told, each as one change of what it renders with persistence.
func TestLintVariants(t *testing.T) {
	text, err := os.ReadFile("testdata/lint/persistence.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const (
		claim   = "persistentVolumeClaim: {claimName: traefik}"
		mount   = "mountPath: /data\n"
		storage = `"--certificatesresolvers.letsencrypt.acme.storage=/data/acme.json"`
		scaler  = `
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: traefik, namespace: traefik}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: traefik}, maxReplicas: 3}
`
		static = `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: static, namespace: traefik}
data:
  traefik.toml: |
    [certificatesResolvers.le.acme]
    storage = "/lost/acme.json"
`
		caddy = `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: files, namespace: web}
spec: {selector: {matchLabels: {app: files}}, template: {metadata: {labels: {app: files}}, spec: {containers: [{name: caddy, image: "caddy:2"}]}}}
`
		front = `
---
apiVersion: v1
kind: Service
metadata: {name: files, namespace: web}
spec: {type: LoadBalancer, selector: {app: files}, ports: [{port: 443}]}
`
	)
	for _, c := range []struct {
		name, old, new, more string
		says                 string // "": nothing is found
	}{
		{name: "an existing claim", old: claim, new: "persistentVolumeClaim: {claimName: mine}"},
		{name: "a sub-path of the claim", old: mount, new: "mountPath: /data\n              subPath: certs\n"},
		{name: "persistence.path, and the storage not", old: mount, new: "mountPath: /certs\n", says: "in the container's own layer"},
		{name: "persistence.accessMode and two replicas", old: "replicas: 1", new: "replicas: 2", says: "2 pods with /data/acme.json on the claim traefik"},
		{name: "autoscaling", old: "  replicas: 1\n", more: scaler, says: "3 pods with /data/acme.json on the claim traefik"},
		{name: "autoscaling of something else", more: strings.Replace(scaler, "name: traefik}", "name: web}", 1)},
		{name: "deployment.kind: DaemonSet", old: "kind: Deployment", new: "kind: DaemonSet", says: "a pod on each node"},
		{name: "a claim that is read-only", old: mount, new: "mountPath: /data\n              readOnly: true\n", says: "mounted to be read only"},
		{name: "additionalVolumeMounts over the file", old: mount, new: "mountPath: /data\n            - {name: tmp, mountPath: /data/acme.json, subPath: acme.json}\n", says: "it hides the volume data"},
		{name: "storage in the folder for temporary files", old: "/data/acme.json", new: "/tmp/acme.json", says: "on an emptyDir"},
		{name: "storage from a Secret", old: storage, new: `"--certificatesresolvers.letsencrypt.acme.storage=$(STORE)"`, says: "INFO  where Traefik in Deployment traefik/traefik keeps its certificates is not known"},
		{name: "arguments as two words", old: storage, new: `"--certificatesResolvers.letsencrypt.acme.storage"` + "\n            - /tmp/acme.json", says: "/tmp/acme.json"},
		{name: "a file in TOML", old: "          volumeMounts:\n", new: "          volumeMounts:\n            - {name: static, mountPath: /etc/traefik}\n", more: static, says: "/lost/acme.json (the configuration file's"},
		{name: "Caddy behind Traefik", more: caddy},
		{name: "Caddy in front", more: caddy + front, says: "Caddy in Deployment web/files loses its certificates"},
		{name: "no namespace", old: "  namespace: traefik\n  labels:\n    app", new: "  labels:\n    app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := string(text)
			if c.old != "" {
				if in = strings.Replace(in, c.old, c.new, 1); in == string(text) {
					t.Fatalf("there is no %q", c.old)
				}
			}
			if c.name == "a file in TOML" {
				in = strings.Replace(in, "      volumes:\n", "      volumes:\n        - {name: static, configMap: {name: static}}\n", 1)
			}
			want := exitClean
			if c.says != "" && !strings.HasPrefix(c.says, "INFO") {
				want = exitFound
			}
			code, out, complaints := lints(t, in+c.more, "-")
			if code != want || complaints != "" {
				t.Errorf("exit %d, want %d: %s\n%s", code, want, complaints, out)
			}
			flat := strings.Join(strings.Fields(out), " ")
			if !strings.Contains(flat, strings.TrimPrefix(c.says, "INFO  ")) {
				t.Errorf("it does not say %q:\n%s", c.says, out)
			}
			if c.says == "" && strings.Contains(out, "certificates at") {
				t.Errorf("found\n%s", out)
			}
		})
	}
}

// The formats for machines have what --against finds, with its place.
func TestLintAgainstFormats(t *testing.T) {
	const folder = "testdata/lint/"
	for format, says := range map[string][]string{
		"json":  {`"lb/will-move"`, `"severity": "critical"`, folder + "renamed.yaml"},
		"sarif": {`"ruleId": "lb/will-move"`, `"startLine": 51`, folder + "renamed.yaml"},
		"junit": {`failures="1"`, `classname="driftprobe.lb/will-move"`, folder + "renamed.yaml"},
	} {
		code, out, complaints := lints(t, "", "-o", format, "--against", folder+"persistence.yaml", folder+"renamed.yaml")
		for _, want := range says {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %s:\n%s", format, want, out)
			}
		}
		if code != exitFound || complaints != "" {
			t.Errorf("%s: exit %d: %s", format, code, complaints)
		}
	}
}

// Against a folder the hostnames are counted that its objects declare, of every kind.
func TestLintAgainstAFolderCountsHostnames(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	text, err := os.ReadFile("testdata/lint/persistence.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pinned := strings.Replace(string(text), "kind: Service\nmetadata:\n", "kind: Service\nmetadata:\n  annotations: {kubernetes.digitalocean.com/load-balancer-id: 4f0c}\n", 1)
	for path, text := range map[string]string{
		before + "/traefik.yml": pinned, before + "/README.md": "not: [yaml", after + "/traefik.yaml": string(text),
		before + "/sub/ingress.yaml": "kind: Ingress\nmetadata: {name: a}\nspec: {rules: [{host: a.shop.example}]}\n---\nkind: HTTPRoute\nmetadata: {name: b}\nspec: {hostnames: [b.shop.example]}\n",
		before + "/sub/route.json":   `{"kind": "IngressRoute", "metadata": {"name": "c"}, "spec": {"routes": [{"match": "Host(` + "`c.shop.example`" + `)"}]}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, complaints := lints(t, "", "--against", before, after)
	flat := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"it is not told any more to use the load balancer 4f0c", "3 hostnames lead to it: a.shop.example, b.shop.example, c.shop.example"} {
		if code != exitFound || complaints != "" || !strings.Contains(flat, want) {
			t.Errorf("exit %d, %q does not say %q", code, out+complaints, want)
		}
	}
	if code, out, _ := lints(t, "", "--against", before, before); code != exitClean {
		t.Errorf("nothing changes: exit %d:\n%s", code, out)
	}
}

func TestLintReadsStandardInput(t *testing.T) {
	text, err := os.ReadFile("testdata/lint/post-mortem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := lints(t, string(text), "-")
	if code != exitFound || !strings.Contains(out, "standard input:10") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

func TestLintFormats(t *testing.T) {
	for format, valid := range map[string]func([]byte) bool{
		"json": json.Valid, "sarif": json.Valid,
		"junit": func(b []byte) bool { return xml.Unmarshal(b, new(struct{ XMLName xml.Name })) == nil },
	} {
		code, out, _ := lints(t, "", "-o", format, "testdata/lint/post-mortem.yaml")
		if code != exitFound || !valid([]byte(out)) || !strings.Contains(out, "issuance/ephemeral-storage") {
			t.Errorf("%s: exit %d:\n%s", format, code, out)
		}
	}
}

func TestLintBadInput(t *testing.T) {
	for _, c := range []struct {
		name, stdin string
		args        []string
		says        string
	}{
		{"nothing", "", nil, "lint has nothing to read"},
		{"no such file", "", []string{"testdata/lint/missing.yaml"}, "missing.yaml"},
		{"no such place", "", []string{"--against", "testdata/missing", "testdata/lint/persistence.yaml"}, "testdata/missing"},
		{"a template that was not rendered", "kind: Pod\nmetadata: {{ .Values.x }}\n", []string{"-"}, "standard input:"},
		{"no object", "hello: world\n", []string{"-"}, "standard input:1: not a Kubernetes object"},
		{"nothing from a command that failed", "# nothing\n---\n", []string{"-"}, "there is no Kubernetes object in standard input"},
		{"nothing deployed", "", []string{"--against", t.TempDir(), "testdata/lint/persistence.yaml"}, "there is no Kubernetes object in /"},
		{"unknown flag", "", []string{"--agianst", "x", "-"}, "agianst"},
		{"unknown format", "", []string{"-o", "yaml", "-"}, `"yaml"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, complaints := lints(t, c.stdin, c.args...)
			if code != exitUsage || out != "" || !strings.Contains(complaints, c.says) || !strings.Contains(complaints, "hint:") {
				t.Errorf("exit %d, %q, %q", code, out, complaints)
			}
		})
	}
}

func TestLintHelp(t *testing.T) {
	if code, out, _ := lints(t, "", "--help"); code != exitClean || !strings.Contains(out, "--against deployed/ rendered/") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// In JUnit what was judged and is well is a test that passes, so that a clean run is no empty one.
func TestLintJUnit(t *testing.T) {
	for file, want := range map[string]struct {
		code          int
		tests, faults string
		well          []string
	}{
		"persistence.yaml": {exitClean, `tests="3"`, `failures="0"`, []string{`classname="driftprobe.lint" name="Deployment traefik/traefik"`}},
		"post-mortem.yaml": {exitFound, `tests="3"`, `failures="1"`, []string{`classname="driftprobe.lint" name="Service traefik/traefik"`}},
	} {
		code, out, complaints := lints(t, "", "-o", "junit", "testdata/lint/"+file)
		if code != want.code || complaints != "" {
			t.Errorf("%s: exit %d: %s", file, code, complaints)
		}
		for _, text := range append(want.well, want.tests, want.faults) {
			if !strings.Contains(out, text) {
				t.Errorf("%s: no %s:\n%s", file, text, out)
			}
		}
	}
}
