package manifest

import (
	"fmt"
	"strings"
	"testing"

	"driftprobe/internal/inventory"
)

// workloadOf reads a Deployment with one container, of which the YAML is given.
func workloadOf(t *testing.T, container, volumes string) inventory.Workload {
	t.Helper()
	all, err := Read("w.yaml", strings.NewReader("kind: Deployment\nspec: {template: {spec: {containers: [{"+container+"}], volumes: ["+volumes+"]}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	w, ok := Workload(all[0].Fields)
	if !ok || len(w.Containers) != 1 {
		t.Fatalf("%+v", w)
	}
	return w
}

// How a program is told, in all the ways in which Kubernetes lets it be told.
func TestWhatAContainerIsTold(t *testing.T) {
	const storage = "--certificatesresolvers.le.acme.storage"
	for container, want := range map[string]string{
		`args: [` + storage + `=/data/acme.json]`:                                                                                                        storage + "=/data/acme.json",
		`args: [` + storage + `, /data/acme.json]`:                                                                                                       storage + "=/data/acme.json",
		`command: [traefik, ` + storage + `=/a.json]`:                                                                                                    storage + "=/a.json",
		`command: [sh, -c], args: ["exec traefik ` + storage + `=/a.json \"--configFile=/x.yml\""]`:                                                      storage + "=/a.json --configFile=/x.yml",
		`command: [/bin/sh, -ec, "traefik \\\n  ` + storage + ` /a.json;"]`:                                                                              storage + "=/a.json",
		`args: [--configFile, /etc/x.yml]`:                                                                                                               "--configFile=/etc/x.yml",
		`env: [{name: DIR, value: /data}, {name: FILE, value: "$(DIR)/acme.json"}], args: ["` + storage + `=$(FILE)"]`:                                   storage + "=/data/acme.json",
		`env: [{name: FILE, value: "$(DIR)/acme.json"}, {name: DIR, value: /data}], args: ["` + storage + `=$(FILE)"]`:                                   storage + "=$(DIR)/acme.json",
		`env: [{name: DIR, valueFrom: {secretKeyRef: {name: s, key: k}}}], args: ["` + storage + `=$(DIR)/acme.json"]`:                                   storage + "=$(DIR)/acme.json",
		`args: ["` + storage + `=$(NONE)/$$(X)/$"]`:                                                                                                      storage + "=$(NONE)/$(X)/$",
		`env: [{name: TOKEN, value: topsecret}], args: ["--certificatesresolvers.le.acme.eab.kid=$(TOKEN)", --api=true]`:                                 "--certificatesresolvers.le.acme.eab.kid=",
		`env: [{name: TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE, value: /a.json}]`:                                                                   "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE=/a.json",
		`env: [{name: TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE, valueFrom: {configMapKeyRef: {name: a, key: b}}}]`:                                  "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE=$(TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE)",
		`env: [{name: D, value: /d}, {name: XDG_DATA_HOME, value: "$(D)/x"}, {name: TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EAB_KID, value: "topsecret"}]`: "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EAB_KID= XDG_DATA_HOME=/d/x",
		`args: [1, {a: b}, null, --certificatesresolvers.le.acme.storage]`:                                                                               storage + "=",
	} {
		c := workloadOf(t, container, "").Containers[0]
		got := c.Args
		for _, name := range []string{"TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE", "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EAB_KID", "XDG_DATA_HOME"} {
			if value, there := c.Env[name]; there {
				got = append(got, name+"="+value)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s\n is told %s\n    want %s", container, s, want)
		}
	}
}

// References that grow when they are followed must not.
func TestReferencesAreBounded(t *testing.T) {
	var env []string
	for n := range 200 {
		env = append(env, fmt.Sprintf(`{name: V%d, value: "%s"}`, n+1, strings.Repeat(fmt.Sprintf("$(V%d)xxxxxxxxxx", n), 20)))
	}
	c := workloadOf(t, `env: [`+strings.Join(env, ", ")+`], args: ["--certificatesresolvers.a.acme.storage=$(V200)"]`, "").Containers[0]
	if n := len(strings.Join(c.Args, "")); n > 2*maxText {
		t.Errorf("%d bytes", n)
	}
	long := []any{map[string]any{"name": "A", "value": strings.Repeat("x", 1<<16)}}
	for n := range maxVariables - 1 {
		long = append(long, map[string]any{"name": fmt.Sprint("B", n), "value": "$(A)$(A)"})
	}
	kept := 0
	for _, value := range variables(fields{"env": long}) {
		kept += len(value)
	}
	if kept > maxVariables*maxText {
		t.Errorf("%d bytes of variables", kept)
	}
}

// Two variables can differ in case alone: which one counts must not change from look to look.
func TestTheConfigurationFileIsTheSameEachTime(t *testing.T) {
	w := workloadOf(t, `env: [{name: traefik_configfile, value: /b.yml}, {name: TRAEFIK_CONFIGFILE, value: /a.yml}]`, "")
	for range 100 {
		if got := configFiles(w.Containers[0]); len(got) != 1 || got[0] != "/a.yml" {
			t.Fatal(got)
		}
	}
}

func TestMountsThatCannotBeWrittenTo(t *testing.T) {
	for _, c := range []struct {
		mount, volume string
		want          bool
	}{
		{`{name: d, mountPath: /data}`, `{name: d, persistentVolumeClaim: {claimName: x}}`, false},
		{`{name: d, mountPath: /data, readOnly: true}`, `{name: d, persistentVolumeClaim: {claimName: x}}`, true},
		{`{name: d, mountPath: /data, readOnly: false}`, `{name: d, persistentVolumeClaim: {claimName: x, readOnly: true}}`, true},
		{`{name: d, mountPath: /data}`, `{name: e, persistentVolumeClaim: {claimName: x, readOnly: true}}`, false},
		{`{name: d, mountPath: /data, readOnly: "true"}`, `{name: d}`, false},
	} {
		w := workloadOf(t, "workingDir: /app, volumeMounts: ["+c.mount+"]", c.volume)
		if got := w.Containers[0]; got.Mounts[0].ReadOnly != c.want || got.Dir != "/app" {
			t.Errorf("%s, %s: %+v", c.mount, c.volume, got)
		}
	}
}

// Where the configuration file lies, and under which names.
func TestConfiguration(t *testing.T) {
	const static = `{name: c, configMap: {name: static}}`
	for _, c := range []struct{ name, container, volumes, want string }{
		{"a folder", `image: traefik, volumeMounts: [{name: c, mountPath: /etc/traefik}]`, static, "static traefik.toml traefik.yaml traefik.yml"},
		{"one entry of it", `image: traefik, volumeMounts: [{name: c, mountPath: /etc/traefik}]`, `{name: c, configMap: {name: static, items: [{key: a, path: traefik.yml}]}}`, "static a"},
		{"a file", `image: traefik, volumeMounts: [{name: c, mountPath: /etc/traefik/traefik.toml, subPath: b}]`, static, "static b"},
		{"in its folder", `image: traefik, workingDir: /app, volumeMounts: [{name: c, mountPath: /app/traefik.yml, subPath: b}]`, static, "static b"},
		{"in the root", `image: traefik, volumeMounts: [{name: c, mountPath: /traefik.yml, subPath: b}]`, static, "static b"},
		{"told", `image: traefik, args: [--configfile=/x/y.toml], volumeMounts: [{name: c, mountPath: /x}]`, static, "static y.toml"},
		{"told, in its folder", `image: traefik, workingDir: /x, args: [--configfile, y.toml], volumeMounts: [{name: c, mountPath: /x}]`, static, "static y.toml"},
		{"told by a variable", `image: traefik, env: [{name: TRAEFIK_CONFIGFILE, value: /x/y.yml}], volumeMounts: [{name: c, mountPath: /x}]`, static, "static y.yml"},
		{"hidden", `image: traefik, volumeMounts: [{name: c, mountPath: /etc}, {name: d, mountPath: /etc/traefik}]`, static + `, {name: d}`, ""},
		{"from a Secret", `image: traefik, volumeMounts: [{name: c, mountPath: /etc/traefik}]`, `{name: c, secret: {secretName: static}}`, ""},
		{"Caddy", `image: caddy, volumeMounts: [{name: c, mountPath: /etc/caddy}]`, static, "static Caddyfile"},
		{"Caddy, told", `image: caddy, command: [caddy, run, --config, /etc/caddy/a.json], volumeMounts: [{name: c, mountPath: /etc/caddy}]`, static, "static a.json"},
	} {
		w := workloadOf(t, c.container, c.volumes)
		m, ok := Configuration(w, w.Containers[0])
		if got := strings.TrimSpace(m.Name + " " + strings.TrimSpace(strings.Join(m.Keys[:], " "))); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	m := ConfigMap{Name: "static", Keys: [maxFiles]string{"a", "b", "c"}}
	if got := m.Text(map[string]any{"data": map[string]any{"b": "second", "c": "third"}}); got != "second" {
		t.Errorf("read %q", got)
	}
}

func TestTOML(t *testing.T) {
	const key = "certificatesresolvers.le.acme.storage"
	for text, want := range map[string]string{
		"[certificatesResolvers.le.acme]\n  email = \"a@b\"\n  storage = \"/data/acme.json\" # kept\n":                 "/data/acme.json",
		"[certificatesResolvers]\n[certificatesResolvers.le]\n[certificatesResolvers.le.acme]\nstorage='/a'":           "/a",
		"[certificatesresolvers.\"LE\".acme]\nstorage = \"/a\\u0062\"\n[certificatesresolvers.le.acme.tlschallenge]\n": "/ab",
		"certificatesResolvers.le.acme.storage = \"/a\"\n[log]\nstorage = \"/b\"":                                      "/a",
		"[certificatesResolvers.le]\nacme = { email = \"a@b\", storage = \"/a\" }":                                     "/a",
		"[certificatesResolvers.le.acme.httpChallenge]\n entryPoint = \"web\"":                                         "",
	} {
		got, there := Settings(inventory.Container{Image: "traefik"}, text)[key]
		if got != want || !there {
			t.Errorf("%q: %q, %v; want %q", text, got, there, want)
		}
	}
	for _, text := range []string{"[certificatesResolvers.ts.tailscale]\n", "[[[", "= =\n[.]\n.=", "[log]\nlevel = \"DEBUG\""} {
		if got := Settings(inventory.Container{Image: "traefik"}, text); len(got) != 0 {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestScaled(t *testing.T) {
	for text, want := range map[string]string{
		"{kind: HorizontalPodAutoscaler, metadata: {namespace: a}, spec: {maxReplicas: 5, scaleTargetRef: {kind: Deployment, name: w}}}": "Deployment a/w 5",
		"{kind: HorizontalPodAutoscaler, metadata: {namespace: a}, spec: {maxReplicas: many, scaleTargetRef: {kind: Deployment}}}":       "",
		"{kind: Deployment, spec: {maxReplicas: 5}}": "",
	} {
		all, err := Read("s.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		w, ok := Scaled(all[0].Fields)
		if got := fmt.Sprint(w, " ", w.Replicas); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
}

func TestHosts(t *testing.T) {
	for text, want := range map[string]string{
		`{kind: Ingress, spec: {rules: [{host: b.example.}, {host: a.example}, {}]}}`:                                                             "a.example b.example",
		`{kind: HTTPRoute, spec: {hostnames: [a.example]}}`:                                                                                       "a.example",
		"{kind: IngressRoute, spec: {routes: [{match: 'Host(`a.example`, `b.example`) && PathPrefix(`/x`)'}, {match: 'Method(`GET`)'}, {}]}}":     "a.example b.example",
		"{kind: IngressRouteTCP, spec: {routes: [{match: 'HostSNI(`a.example`)'}, {match: 'HostSNI(`*`)'}, {match: 'HostRegexp(`x.example`)'}]}}": "a.example",
		`{kind: Service, metadata: {annotations: {external-dns.alpha.kubernetes.io/hostname: "b.example, a.example"}}}`:                           "a.example b.example",
	} {
		all, err := Read("h.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Hosts(all[0]), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
