package manifest

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	const stream = `---
# Source: traefik/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: traefik, namespace: traefik}
---
---
# nothing but a comment
---
{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web"}}
---
kind: List
items:
  - kind: Pod
    metadata: {name: a}
  - kind: ServiceList
    items: [{kind: Service, metadata: {name: b}}]
`
	all, err := Read("in.yaml", strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range all {
		got = append(got, o.Kind+"/"+o.Name)
	}
	if s := strings.Join(got, " "); s != "Service/traefik Deployment/web Pod/a Service/b" {
		t.Error(s)
	}
	if o := all[0]; o.Source != "traefik/templates/service.yaml" || o.Line != 3 || o.Namespace != "traefik" {
		t.Errorf("%+v", o)
	}
	if o := all[2]; o.Line != 14 {
		t.Errorf("the Pod stands in line %d", o.Line)
	}
}

func TestReadSaysWhereItIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"kind: Pod\nmetadata: {name: a\n":         "in.yaml:",
		"kind: Pod\n---\nname: a\n":               "in.yaml:3: not a Kubernetes object: it has no kind",
		"- a\n- b\n":                              "in.yaml:1: not a Kubernetes object: a list",
		"hello":                                   "in.yaml:1: not a Kubernetes object: a text",
		"kind: Pod\na: *b\n":                      "in.yaml: unknown anchor",
		"kind: Pod\nkind: Pod\n":                  "in.yaml:2: mapping key",
		"kind: List\nitems: [{metadata: {}}]\n":   "it has no kind",
		"a: &a [x,x,x,x,x,x,x,x,x]\nkind: \x00\n": "in.yaml",
	} {
		_, err := Read("in.yaml", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// An object that grows without end when its aliases are followed is refused.
func TestReadIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("kind: Pod\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for n := 1; n < 12; n++ {
		p := string(rune('a' + n))
		q := string(rune('a' + n - 1))
		if n == 1 {
			q = "a0"
		}
		b.WriteString(p + ": &" + p + " [*" + strings.Repeat(q+",*", 9) + q + "]\n")
	}
	if _, err := Read("bomb.yaml", strings.NewReader(b.String())); err == nil {
		t.Error("it was read")
	}
}

const deployment = `
kind: Deployment
metadata: {name: traefik, namespace: edge, labels: {helm.sh/chart: traefik-37.1.0}}
spec:
  replicas: 2
  template:
    metadata: {labels: {app.kubernetes.io/name: traefik}}
    spec:
      initContainers: [{name: once}, {name: beside, restartPolicy: Always}]
      containers:
        - name: traefik
          image: traefik:v3
          args:
            - --certificatesresolvers.le.acme.storage=/data/acme.json
            - --certificatesresolvers.le.acme.eab.hmacencoded=topsecret
            - --certificatesresolvers.old.acme.storage
            - /old/acme.json
            - --api.insecure=true
          env:
            - {name: DO_AUTH_TOKEN, value: topsecret}
            - {name: TRAEFIK_CERTIFICATESRESOLVERS_X_ACME_EAB_KID, value: topsecret}
            - {name: TRAEFIK_CERTIFICATESRESOLVERS_X_ACME_STORAGE, value: /x.json}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: conf, mountPath: /etc/traefik, subPath: sub}
      volumes:
        - {name: data, persistentVolumeClaim: {claimName: traefik}}
        - {name: conf, configMap: {name: traefik-config, items: [{key: static, path: sub/traefik.yml}]}}
        - {name: bare}
`

func TestWorkload(t *testing.T) {
	all, err := Read("d.yaml", strings.NewReader(deployment))
	if err != nil {
		t.Fatal(err)
	}
	w, ok := Workload(all[0].Fields)
	if !ok || w.String() != "Deployment edge/traefik" || w.Replicas != 2 || w.Chart != "traefik-37.1.0" || w.Labels["app.kubernetes.io/name"] != "traefik" {
		t.Fatalf("%+v", w)
	}
	c := w.Containers[0]
	if got := strings.Join(c.Args, " "); got != "--certificatesresolvers.le.acme.storage=/data/acme.json --certificatesresolvers.le.acme.eab.hmacencoded= --certificatesresolvers.old.acme.storage=/old/acme.json" {
		t.Error(got)
	}
	if len(c.Env) != 2 || c.Env["TRAEFIK_CERTIFICATESRESOLVERS_X_ACME_STORAGE"] != "/x.json" || c.Env["TRAEFIK_CERTIFICATESRESOLVERS_X_ACME_EAB_KID"] != "" {
		t.Errorf("environment %v", c.Env)
	}
	if len(w.Containers) != 2 || w.Containers[1].Name != "beside" {
		t.Errorf("containers %+v", w.Containers)
	}
	if w.Volumes[0].Of != "traefik" || w.Volumes[0].Kind != "persistentVolumeClaim" || w.Volumes[2].Kind != "emptyDir" {
		t.Errorf("volumes %+v", w.Volumes)
	}
	if m, ok := Configuration(w, c); !ok || m != (ConfigMap{"traefik-config", [maxFiles]string{"static"}}) {
		t.Errorf("configuration in %+v", m)
	}
}

// A StatefulSet's claim takes the place of a volume of the same name.
func TestAClaimComesBeforeAVolume(t *testing.T) {
	all, err := Read("w.yaml", strings.NewReader("kind: StatefulSet\nspec: {template: {spec: {volumes: [{name: data, emptyDir: {}}]}}, volumeClaimTemplates: [{metadata: {name: data}}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if w, _ := Workload(all[0].Fields); len(w.Volumes) == 0 || w.Volumes[0].Kind != "volumeClaimTemplate" {
		t.Errorf("%+v", w.Volumes)
	}
}

func TestWorkloadIsNothingElse(t *testing.T) {
	for _, text := range []string{
		"kind: Service", "kind: ReplicaSet",
		"kind: Pod\nmetadata: {ownerReferences: [{kind: ReplicaSet}]}",
	} {
		all, err := Read("o.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := Workload(all[0].Fields); ok {
			t.Errorf("%s gives %+v", text, w)
		}
	}
}

func TestSettings(t *testing.T) {
	all, err := Read("d.yaml", strings.NewReader(deployment))
	if err != nil {
		t.Fatal(err)
	}
	w, _ := Workload(all[0].Fields)
	traefik := w.Containers[0]
	caddy := traefik
	caddy.Image = "caddy:2"
	for _, c := range []struct {
		name, text, key, want string
		caddy                 bool
	}{
		{"Traefik", "certificatesResolvers:\n  LE:\n    acme: {email: a@b, storage: /data/acme.json}\n", "certificatesresolvers.le.acme.storage", "/data/acme.json", false},
		{"another kind of resolver", "certificatesResolvers: {ts: {tailscale: {}}}", "certificatesresolvers.ts.acme.storage", "", false},
		{"broken", "certificatesResolvers: [", "certificatesresolvers.le.acme.storage", "", false},
		{"of a wrong shape", "certificatesResolvers: {le: [1], x: {acme: 3}}", "certificatesresolvers.le.acme.storage", "", false},
		{"Caddy", "# mine\n{\n\temail a@b\n\tstorage file_system /certs\n}\nexample.com {\n\tstorage x\n}\n", "storage", "file_system /certs", true},
		{"Caddy, in a block", "{\n\tstorage file_system {\n\t\troot /certs\n\t}\n}\n", "storage", "file_system /certs", true},
		{"Caddy without options", "example.com {\n\tstorage redis\n}\n", "storage", "", true},
		{"Caddy in JSON", `{"storage": {"module": "file_system", "root": "/certs"}, "apps": {}}`, "storage", "file_system /certs", true},
		{"Caddy in JSON, elsewhere", `{"storage": {"module": "redis", "password": "x"}}`, "storage", "redis", true},
		{"Caddy in JSON, as it comes", `{"apps": {"http": {}}}`, "storage", "", true},
		{"Caddy, in quotes", "{\n\tstorage file_system \"/certs\"\n}\n", "storage", "file_system /certs", true},
		{"Caddy without certificates", "{\n\tauto_https off\n}\nexample.com {\n}\n", "auto_https", "off", true},
		{"Caddy with its redirects off", "{\n\tauto_https disable_redirects\n}\n:80 {\n}\na.example {\n}\n", "auto_https", "disable_redirects", true},
		{"Caddy with plain HTTP alone", ":80, :8080 {\n\trespond hi\n}\nhttp://a.example {\n}\n", "auto_https", "off", true},
		{"Caddy with TLS on a port", ":8443 {\n\ttls {\n\t\ton_demand\n\t}\n}\n", "auto_https", "", true},
		{"Caddy with plain HTTP and more", "http://a.example, b.example {\n}\n", "auto_https", "", true},
		{"Caddy with an import", ":80 {\n}\nimport sites/*\n", "auto_https", "", true},
		{"Caddy in Redis", "{\n\tstorage redis {\n\t\thost x\n\t}\n}\n", "storage", "redis", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := traefik
			if c.caddy {
				in = caddy
			}
			if got := Settings(in, c.text)[c.key]; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(deployment)
	f.Add("kind: List\nitems: [{kind: Pod, spec: {containers: [1, {args: [2], env: [{}]}], volumes: [null]}}]")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Read("fuzz", strings.NewReader(text))
		if err != nil {
			return
		}
		for _, o := range all {
			Scaled(o.Fields)
			Hosts(o)
			w, _ := Workload(o.Fields)
			for _, c := range w.Containers {
				Configuration(w, c)
				Settings(c, text)
				tomlSettings(text)
			}
		}
	})
}

func TestIn(t *testing.T) {
	all, err := Read("in.yaml", strings.NewReader(`
{kind: Service, apiVersion: v1, metadata: {name: a}}
---
{kind: Service, apiVersion: v1, metadata: {name: b, namespace: own}}
---
{kind: ClusterRole, metadata: {name: c}}
---
{kind: IngressClass, metadata: {name: d}}
---
{kind: Pod}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range all {
		o = o.In("edge")
		got = append(got, o.Namespace+"/"+fields(o.Fields).text("metadata", "namespace"))
	}
	if s := strings.Join(got, " "); s != "edge/edge own/own / / /" {
		t.Error(s)
	}
}
