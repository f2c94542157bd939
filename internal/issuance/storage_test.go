package issuance

import (
	"strings"
	"testing"

	"driftprobe/internal/inventory"
)

func TestStorage(t *testing.T) {
	const arg = "--certificatesresolvers.le.acme.storage=/data/acme.json"
	traefik := func(change ...func(*inventory.Workload)) inventory.Workload {
		w := inventory.Workload{
			Kind: "Deployment", Namespace: "traefik", Name: "traefik", Replicas: 1,
			Containers: []inventory.Container{{Name: "traefik", Image: "docker.io/traefik:v3.6", Args: []string{"--entrypoints.websecure.address=:8443", arg}}},
		}
		for _, f := range change {
			f(&w)
		}
		return w
	}
	volume := func(kind, at string) func(*inventory.Workload) {
		return func(w *inventory.Workload) {
			name := "v" + string(rune('0'+len(w.Volumes)))
			w.Volumes = append(w.Volumes, inventory.Volume{Name: name, Kind: kind, Of: "its-source"})
			w.Containers[0].Mounts = append(w.Containers[0].Mounts, inventory.Mount{Volume: name, Path: at})
		}
	}
	args := func(all ...string) func(*inventory.Workload) {
		return func(w *inventory.Workload) { w.Containers[0].Args = all }
	}
	replicas := func(n int) func(*inventory.Workload) { return func(w *inventory.Workload) { w.Replicas = n } }
	readOnly := func(w *inventory.Workload) { w.Containers[0].Mounts[0].ReadOnly = true }
	in := func(folder string) func(*inventory.Workload) {
		return func(w *inventory.Workload) { w.Containers[0].Dir = folder }
	}
	front := func(w *inventory.Workload) {
		w.Services = []inventory.ServiceRef{{Namespace: "traefik", Name: "edge"}}
	}
	caddy := func(image, storage string, env map[string]string) inventory.Workload {
		w := inventory.Workload{
			Kind: "Deployment", Replicas: 1, Volumes: []inventory.Volume{{Name: "d", Kind: "persistentVolumeClaim"}},
			Containers: []inventory.Container{{Image: image, Env: env, Config: map[string]string{"storage": storage}, Mounts: []inventory.Mount{{Volume: "d", Path: "/data"}}}},
		}
		front(&w)
		return w
	}
	chart := func(w *inventory.Workload) { w.Chart = "traefik-37.1.0" }
	for _, c := range []struct {
		name string
		in   inventory.Workload
		// want is a part of what is observed or hinted; "" for no finding.
		want string
	}{
		{"a claim at /data", traefik(volume("persistentVolumeClaim", "/data")), ""},
		{"hostPath", traefik(volume("hostPath", "/data")), ""},
		{"nfs", traefik(volume("nfs", "/data")), ""},
		{"a claim at the file itself", traefik(volume("persistentVolumeClaim", "/data/acme.json")), ""},
		{"a claim at the root of it all", traefik(volume("persistentVolumeClaim", "/")), ""},
		{"the post-mortem: a configMap over the claim", traefik(volume("persistentVolumeClaim", "/data"), volume("configMap", "/data/")), "take away the mount v1 at /data/: it hides the volume v0"},
		{"a configMap alone", traefik(volume("configMap", "/data")), "cannot be written to (volume v0, mounted at /data)"},
		{"a claim above, an emptyDir below", traefik(volume("persistentVolumeClaim", "/"), volume("emptyDir", "/data")), "it hides the volume v0"},
		{"a claim below, an emptyDir above", traefik(volume("emptyDir", "/"), volume("persistentVolumeClaim", "/data")), ""},
		{"the chart's default", traefik(volume("emptyDir", "/data"), chart), "persistence.enabled=true"},
		{"nothing mounted", traefik(), "in the container's own layer"},
		{"mounted elsewhere", traefik(volume("persistentVolumeClaim", "/dat")), "in the container's own layer"},
		{"mounted beside, with the same beginning", traefik(volume("persistentVolumeClaim", "/data/acme")), "in the container's own layer"},
		{"secret", traefik(volume("secret", "/data")), "on a secret volume"},
		{"projected", traefik(volume("projected", "/data")), "on a projected volume"},
		{"generic ephemeral", traefik(volume("ephemeral", "/data")), "on an ephemeral volume"},
		{"a mount without a volume", traefik(func(w *inventory.Workload) {
			w.Containers[0].Mounts = []inventory.Mount{{Volume: "ghost", Path: "/data"}}
		}), "in the container's own layer"},
		{"two pods on one claim", traefik(volume("persistentVolumeClaim", "/data"), replicas(2)), "they overwrite what the others ordered"},
		{"a StatefulSet with a claim each", traefik(volume("volumeClaimTemplate", "/data"), replicas(3)), "3 pods, each with its own /data/acme.json"},
		{"a DaemonSet on the nodes' disks", traefik(volume("hostPath", "/data"), func(w *inventory.Workload) { w.Kind, w.Replicas, w.PerNode = "DaemonSet", 0, true }), "a pod on each node"},
		{"scaled to nothing", traefik(volume("persistentVolumeClaim", "/data"), replicas(0)), ""},
		{"no ACME at all", traefik(args("--providers.kubernetesingress")), ""},
		{"other case, value apart", traefik(args("--certificatesResolvers.LE.ACME.Storage", "/certs/acme.json")), "/certs/acme.json"},
		{"the default path", traefik(args("--certificatesresolvers.le.acme.email=", "--certificatesresolvers.le.acme.tlschallenge=true")), "mount a PersistentVolumeClaim at /data and set acme.storage=/data/acme.json"},
		{"a resolver of another kind", traefik(args("--certificatesresolvers.ts.tailscale=true")), ""},
		{"two resolvers, one is lost", traefik(volume("persistentVolumeClaim", "/data"), args(arg, "--certificatesresolvers.old.acme.storage=/tmp/old.json")), "/tmp/old.json"},
		{"by environment", traefik(args(), func(w *inventory.Workload) {
			w.Containers[0].Env = map[string]string{"TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE": "/data/acme.json"}
		}), "the variable TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE"},
		{"by a file, which comes before arguments", traefik(volume("persistentVolumeClaim", "/data"), func(w *inventory.Workload) {
			w.Containers[0].Config = map[string]string{"certificatesResolvers.le.acme.storage": "/lost/acme.json"}
		}), "/lost/acme.json"},
		{"hostile text", traefik(args("--certificatesresolvers.x.acme.storage=/\x1b[31m/../a\nb")), `/a\x0ab`},
		{"a sidecar", traefik(volume("persistentVolumeClaim", "/data"), front, func(w *inventory.Workload) {
			w.Containers = append(w.Containers, inventory.Container{Name: "caddy", Image: "caddy:2"})
		}), "Caddy in Deployment traefik/traefik loses"},
		{"a sidecar behind the proxy", traefik(volume("persistentVolumeClaim", "/data"), func(w *inventory.Workload) {
			w.Containers = append(w.Containers, inventory.Container{Name: "caddy", Image: "caddy:2"})
		}), ""},
		{"Caddy with a claim", caddy("ghcr.io/x/caddy@sha256:1", "", nil), ""},
		{"Caddy elsewhere", caddy("caddy", "", map[string]string{"XDG_DATA_HOME": "/var/lib"}), "/var/lib/caddy"},
		{"Caddy in Redis", caddy("caddy", "redis", map[string]string{"XDG_DATA_HOME": "/var/lib"}), ""},
		{"Caddy without certificates", func() inventory.Workload {
			w := caddy("caddy", "", map[string]string{"XDG_DATA_HOME": "/var/lib"})
			w.Containers[0].Config["auto_https"] = "off"
			return w
		}(), ""},
		{"Caddy told where", caddy("caddy", "file_system /certs", nil), "mount a PersistentVolumeClaim at /certs"},
		{"mounted read-only", traefik(volume("persistentVolumeClaim", "/data"), readOnly), "take readOnly from the mount v0 at /data, and from the volume"},
		{"a claim hidden by one that is read-only", traefik(volume("persistentVolumeClaim", "/data"), readOnly, volume("configMap", "/data/")), "mount a PersistentVolumeClaim at /data in place"},
		{"a relative path in its folder", traefik(volume("persistentVolumeClaim", "/data"), args("--certificatesresolvers.le.acme.storage=acme.json"), in("/data")), ""},
		{"a relative path elsewhere", traefik(volume("persistentVolumeClaim", "/data"), args("--certificatesresolvers.le.acme.storage=acme.json"), in("/app")), "/app/acme.json"},
		{"the default in its folder", traefik(volume("persistentVolumeClaim", "/data"), args("--certificatesresolvers.le.acme.email="), in("/data/")), ""},
		{"a part that only the cluster knows", traefik(args("--certificatesresolvers.le.acme.storage=$(STORE)/acme.json")), "keeps its certificates is not known"},
		{"another that is lost for certain", traefik(args("--certificatesresolvers.a.acme.storage=$(STORE)/acme.json", "--certificatesresolvers.b.acme.storage=/tmp/b.json")), "/tmp/b.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Storage([]inventory.Workload{c.in})
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("found %+v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d findings, want 1", len(got))
			}
			f := got[0]
			text := f.Summary + " | " + f.Expected + " | " + f.Observed + " | " + f.Hint
			t.Log(text)
			if !strings.Contains(text, c.want) || f.Code != "issuance/ephemeral-storage" {
				t.Errorf("%s does not say %q", f.Code, c.want)
			}
			if strings.ContainsAny(text, "\x1b\n") {
				t.Error("the text is not escaped")
			}
		})
	}
}
