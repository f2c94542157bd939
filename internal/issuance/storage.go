package issuance

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// Storage says which ACME clients keep their certificates where a restart loses them, or
// where several of them would overwrite each other's.
func Storage(workloads []inventory.Workload) []finding.Finding {
	var all []finding.Finding
	for _, w := range workloads {
		if f, ok := storage(w); ok {
			all = append(all, f)
		}
	}
	finding.Sort(all)
	return all
}

// Loses tells which ACME client of a workload loses its certificates at a restart,
// "Traefik" or "Caddy"; "" if none does.
func Loses(w inventory.Workload) string {
	for _, c := range w.Containers {
		for _, s := range storesOf(w, c) {
			if k := (keeping{w, c, s, mountsOver(c, s.path)}); s.known() && k.loss() != "" {
				return s.client
			}
		}
	}
	return ""
}

// storage judges one workload: the first fault that it has says what to do about all.
func storage(w inventory.Workload) (f finding.Finding, bad bool) {
	for _, c := range w.Containers {
		for _, s := range storesOf(w, c) {
			k := keeping{w, c, s, mountsOver(c, s.path)}
			if !s.known() {
				f, bad = k.unknown(), true
			} else if f, bad := k.judge(); bad {
				return f, true
			}
		}
	}
	return f, bad
}

// keeping is one store with the mounts that lie over its path, the one that holds it first.
type keeping struct {
	workload  inventory.Workload
	container inventory.Container
	store     store
	over      []inventory.Mount
}

// mountsOver are the mounts under which a path lies, the nearest first. Of two at one path
// ("/data" and "/data/") the later hides the earlier.
func mountsOver(c inventory.Container, file string) []inventory.Mount {
	var over []inventory.Mount
	for _, m := range c.Mounts {
		if at := c.Absolute(m.Path); at == file || strings.HasPrefix(file, strings.TrimSuffix(at, "/")+"/") {
			over = append(over, m)
		}
	}
	slices.Reverse(over)
	slices.SortStableFunc(over, func(a, b inventory.Mount) int { return len(c.Absolute(b.Path)) - len(c.Absolute(a.Path)) })
	return over
}

// loss says how a kind of volume loses what is written to it; "" for those that keep it.
func loss(kind string) string {
	switch kind {
	case "":
		return "in the container's own layer, which each restart throws away"
	case "emptyDir":
		return "on an emptyDir, which goes with the pod"
	case "ephemeral":
		return "on an ephemeral volume, which goes with the pod"
	case "csi":
		return "on an inline csi volume, which goes with the pod"
	case "configMap", "secret", "projected", "downwardAPI", "image":
		return "on a " + kind + " volume, which cannot be written to"
	}
	return ""
}

func (k keeping) judge() (finding.Finding, bool) {
	volume := k.volume()
	if how := k.loss(); how != "" {
		return k.lost(volume, how), true
	}
	if k.workload.Replicas > 1 || k.workload.PerNode {
		return k.several(volume), true
	}
	return finding.Finding{}, false
}

// loss says how the store loses what is written to it; "" if it keeps it.
func (k keeping) loss() string {
	if how := loss(k.volume().Kind); how != "" || !k.over[0].ReadOnly {
		return how
	}
	return "on a volume that is mounted to be read only, so that it cannot be written to"
}

// unknown tells that nothing can be said.
func (k keeping) unknown() finding.Finding {
	f := k.finding(fmt.Sprintf("where %s in %s keeps its certificates is not known", k.store.client, k.workload))
	f.Severity = finding.Info
	f.Expected = "a path that the manifest names"
	f.Observed = fmt.Sprintf("%s (%s): only the cluster knows the rest", printable(k.store.path), printable(k.store.said))
	f.Hint = "see yourself that a PersistentVolumeClaim is mounted there, or write the path as it is"
	return f
}

// volume is the one that holds the store. A mount of a volume that the pod does not
// declare, which Kubernetes refuses, counts as none.
func (k keeping) volume() inventory.Volume {
	if len(k.over) == 0 {
		return inventory.Volume{}
	}
	return k.named(k.over[0].Volume)
}

func (k keeping) named(volume string) inventory.Volume {
	n := slices.IndexFunc(k.workload.Volumes, func(v inventory.Volume) bool { return v.Name == volume })
	if n < 0 {
		return inventory.Volume{}
	}
	return k.workload.Volumes[n]
}

func (k keeping) finding(summary string) finding.Finding {
	return finding.Finding{
		Code: finding.IssuanceEphemeralStorage, Severity: finding.Warning, Summary: summary,
		Subject:  finding.Subject{Namespace: k.workload.Namespace, Name: k.workload.Name},
		Expected: "a PersistentVolumeClaim that one pod writes to, mounted at " + k.folder(),
		SeenAt:   []string{fmt.Sprintf("%s/%s (%s, container %s)", k.workload.Namespace, k.workload.Name, k.workload.Kind, printable(k.container.Name))},
	}
}

func (k keeping) lost(v inventory.Volume, how string) finding.Finding {
	f := k.finding(fmt.Sprintf("%s in %s loses its certificates at a restart", k.store.client, k.workload))
	f.Observed = fmt.Sprintf("%s (%s) is %s", printable(k.store.path), printable(k.store.said), how)
	if v.Name != "" {
		f.Observed += fmt.Sprintf(" (volume %s, mounted at %s)", printable(v.Name), printable(k.over[0].Path))
	}
	f.Hint = "mount a PersistentVolumeClaim at " + k.folder()
	if v.Name != "" && loss(v.Kind) == "" {
		f.Hint = fmt.Sprintf("take readOnly from the mount %s at %s, and from the volume", printable(v.Name), printable(k.over[0].Path))
	} else if hidden, ok := k.hidden(); ok {
		f.Hint = fmt.Sprintf("take away the mount %s at %s: it hides the volume %s, which would keep them", printable(v.Name), printable(k.over[0].Path), printable(hidden))
	} else if v.Name != "" && k.container.Absolute(k.over[0].Path) == k.folder() {
		f.Hint += fmt.Sprintf(" in place of the volume %s", printable(v.Name))
	}
	if k.store.client == "Traefik" && path.Dir(k.store.path) == "/" {
		f.Hint += " and set acme.storage=/data/acme.json"
	}
	if strings.HasPrefix(k.workload.Chart, "traefik-") {
		f.Hint += "; with Traefik's chart: persistence.enabled=true, and nothing else mounted at " + k.folder()
	}
	return f
}

// hidden finds a volume of the pod that would keep what is written, and is mounted where
// the store is, under the mount that has it.
func (k keeping) hidden() (string, bool) {
	for _, m := range k.over[min(1, len(k.over)):] {
		if v := k.named(m.Volume); v.Name != "" && loss(v.Kind) == "" && !m.ReadOnly {
			return v.Name, true
		}
	}
	return "", false
}

// several judges a store that is safe, and has several pods before it.
func (k keeping) several(v inventory.Volume) finding.Finding {
	pods := finding.Count(k.workload.Replicas, "pod", "pods")
	if k.workload.PerNode {
		pods = "a pod on each node"
	}
	f := k.finding(fmt.Sprintf("%s in %s keeps its certificates apart in several pods", k.store.client, k.workload))
	f.Observed = fmt.Sprintf("%s, each with its own %s: each orders the same certificates, and the limit is for all", pods, printable(k.store.path))
	if v.Kind == "persistentVolumeClaim" {
		f.Summary = fmt.Sprintf("several pods of %s write to one file of certificates", k.workload)
		f.Observed = fmt.Sprintf("%s with %s on the claim %s: they overwrite what the others ordered", pods, printable(k.store.path), printable(v.Of))
	}
	f.Hint = "run one pod that orders (replicas: 1, strategy Recreate), or leave ordering to cert-manager, which keeps certificates in Secrets"
	return f
}

// folder is where a volume belongs: over a whole folder, and never over the root.
func (k keeping) folder() string {
	switch dir := path.Dir(k.store.path); {
	case k.store.client == "Caddy" && path.Base(k.store.path) != "caddy":
		return printable(k.store.path)
	case dir != "/":
		return printable(dir)
	}
	return "/data"
}
