package manifest

import (
	"maps"
	"slices"
	"strings"

	"driftprobe/internal/inventory"
)

// The bounds of what is read of one workload.
const (
	maxContainers = 32
	maxMounts     = 128
	maxText       = 512
	maxVariables  = 512
)

// Workload reads a Deployment, StatefulSet, DaemonSet or Pod; false for anything else, and
// for a Pod that another object made.
func Workload(object map[string]any) (inventory.Workload, bool) {
	o := fields(object)
	w := inventory.Workload{
		Kind: o.text("kind"), Namespace: cut(o.text("metadata", "namespace")), Name: cut(o.text("metadata", "name")),
		Chart: cut(o.text("metadata", "labels", "helm.sh/chart")), Replicas: 1,
	}
	pod := o.object("spec", "template")
	switch w.Kind {
	case "Deployment", "StatefulSet":
		if n, ok := o.number("spec", "replicas"); ok {
			w.Replicas = n
		}
	case "DaemonSet":
		w.Replicas, w.PerNode = 0, true
	case "Pod":
		if len(o.list("metadata", "ownerReferences")) > 0 {
			return inventory.Workload{}, false
		}
		pod = o
	default:
		return inventory.Workload{}, false
	}
	w.Labels = pod.labels("metadata", "labels")
	for _, c := range first(slices.Concat(pod.list("spec", "containers"), sidecars(pod)), maxContainers) {
		w.Containers = append(w.Containers, container(c))
	}
	// A claim takes the place of a volume of the same name, so it comes first.
	for _, claim := range first(o.list("spec", "volumeClaimTemplates"), maxMounts) {
		w.Volumes = append(w.Volumes, inventory.Volume{Name: cut(claim.text("metadata", "name")), Kind: "volumeClaimTemplate"})
	}
	for _, v := range first(pod.list("spec", "volumes"), maxMounts) {
		w.Volumes = append(w.Volumes, volume(v))
	}
	for n := range w.Containers {
		for m, mount := range w.Containers[n].Mounts {
			w.Containers[n].Mounts[m].ReadOnly = mount.ReadOnly || readOnly(pod, mount.Volume)
		}
	}
	return w, true
}

// readOnly tells whether a volume as a whole can't be written to, as a claim can be.
func readOnly(pod fields, name string) bool {
	return slices.ContainsFunc(first(pod.list("spec", "volumes"), maxMounts), func(v fields) bool {
		return cut(v.text("name")) == name && slices.ContainsFunc(slices.Sorted(maps.Keys(v)), func(kind string) bool {
			return v.object(kind)["readOnly"] == true
		})
	})
}

// Scaled reads a HorizontalPodAutoscaler: the workload that it scales, with the most Replicas
// that it may have; false for anything else.
func Scaled(object map[string]any) (inventory.Workload, bool) {
	o := fields(object)
	most, ok := o.number("spec", "maxReplicas")
	return inventory.Workload{
		Kind: cut(o.text("spec", "scaleTargetRef", "kind")), Namespace: cut(o.text("metadata", "namespace")),
		Name: cut(o.text("spec", "scaleTargetRef", "name")), Replicas: most,
	}, ok && o.text("kind") == "HorizontalPodAutoscaler"
}

// sidecars are the init containers that go on running.
func sidecars(pod fields) []fields {
	return slices.DeleteFunc(pod.list("spec", "initContainers"), func(c fields) bool { return c.text("restartPolicy") != "Always" })
}

func container(c fields) inventory.Container {
	r := inventory.Container{Name: cut(c.text("name")), Image: cut(c.text("image")), Dir: cut(c.text("workingDir"))}
	known := variables(c)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if name, value, ok := tellingVariable(name, known[name]); ok {
			if r.Env == nil {
				r.Env = map[string]string{}
			}
			r.Env[name] = cut(value)
		}
	}
	r.Args = telling(words(slices.Concat(c.texts("command"), c.texts("args"))), known)
	for _, m := range first(c.list("volumeMounts"), maxMounts) {
		r.Mounts = append(r.Mounts, inventory.Mount{Volume: cut(m.text("name")), Path: cut(m.text("mountPath")), SubPath: cut(m.text("subPath")), ReadOnly: m["readOnly"] == true})
	}
	return r
}

// telling keeps the arguments that say where certificates are kept. Those that only show
// that a resolver is there keep their name: their values can be secrets.
func telling(args []string, known map[string]string) []string {
	var kept []string
	for n := 0; n < len(args); n++ {
		name, value, whole := strings.Cut(args[n], "=")
		key := strings.ToLower(strings.TrimLeft(name, "-"))
		apart := !whole && n+1 < len(args) && !strings.HasPrefix(args[n+1], "-")
		if apart {
			value = args[n+1]
		}
		switch {
		case !strings.HasPrefix(name, "-"):
		case isStorage(key), key == "configfile", key == "config":
			kept = append(kept, cut(name)+"="+cut(expanded(value, known)))
		case strings.HasPrefix(key, "certificatesresolvers."):
			kept = append(kept, cut(name)+"=")
		}
	}
	return first(kept, maxMounts)
}

func tellingVariable(name, value string) (string, string, bool) {
	key := strings.ReplaceAll(strings.ToLower(name), "_", ".")
	switch resolver, ours := strings.CutPrefix(key, "traefik."); {
	case name == "XDG_DATA_HOME", ours && isStorage(resolver), key == "traefik.configfile":
		return cut(name), value, true
	case ours && strings.HasPrefix(resolver, "certificatesresolvers."):
		return cut(name), "", true
	}
	return "", "", false
}

// isStorage tells whether a setting of Traefik is the path of a certificate store.
func isStorage(key string) bool {
	return strings.HasPrefix(key, "certificatesresolvers.") && strings.HasSuffix(key, ".acme.storage")
}

func volume(v fields) inventory.Volume {
	r := inventory.Volume{Name: cut(v.text("name"))}
	for _, kind := range slices.Sorted(maps.Keys(v)) {
		if kind == "name" {
			continue
		}
		source := v.object(kind)
		r.Kind = cut(kind)
		for _, name := range []string{"claimName", "name", "secretName", "path"} {
			if r.Of == "" {
				r.Of = cut(source.text(name))
			}
		}
		for _, item := range first(source.list("items"), maxMounts) {
			if r.Items == nil {
				r.Items = map[string]string{}
			}
			r.Items[cut(item.text("path"))] = cut(item.text("key"))
		}
	}
	if r.Kind == "" {
		r.Kind = "emptyDir" // a volume without a source is one
	}
	return r
}

func first[T any](all []T, n int) []T { return all[:min(len(all), n)] }

// cut bounds a text, and makes it valid for JSON.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "") }
