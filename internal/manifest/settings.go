package manifest

import (
	"maps"
	"path"
	"slices"
	"strings"

	"driftprobe/internal/inventory"

	"gopkg.in/yaml.v3"
)

// ConfigMap is where a container's configuration file comes from.
type ConfigMap struct {
	// Name is that of a ConfigMap in the workload's namespace. Keys are the entries that
	// the file can be; the first that is there is.
	Name string
	Keys [maxFiles]string
}

// maxFiles is how many names a configuration file can have.
const maxFiles = 6

// Text is the file's content, of the ConfigMap as an object; "" if it is not there.
func (m ConfigMap) Text(object map[string]any) string {
	for _, key := range m.Keys {
		if text := fields(object).text("data", key); text != "" {
			return text
		}
	}
	return ""
}

// Configuration finds the ConfigMap whose entry is the static configuration of the ACME
// client in a container; false if the file comes from somewhere else, or there is none.
func Configuration(w inventory.Workload, c inventory.Container) (ConfigMap, bool) {
	var found ConfigMap
	n := 0
	for _, file := range configFiles(c) {
		if name, key := mounted(w, c, file); name != "" && n < maxFiles && (n == 0 || name == found.Name) {
			found.Name, found.Keys[n] = name, key
			n++
		}
	}
	return found, n > 0
}

// configFiles are the paths at which the client looks for its configuration.
func configFiles(c inventory.Container) []string {
	for _, arg := range c.Args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name = strings.ToLower(name); (name == "configfile" || name == "config") && value != "" {
			return []string{c.Absolute(value)}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		if value := c.Env[name]; strings.EqualFold(name, "TRAEFIK_CONFIGFILE") && value != "" {
			return []string{c.Absolute(value)}
		}
	}
	if c.Program() == "caddy" {
		return []string{"/etc/caddy/Caddyfile"}
	}
	var files []string
	for _, folder := range []string{"/etc/traefik", c.Absolute(".")} {
		for _, name := range []string{"traefik.toml", "traefik.yaml", "traefik.yml"} {
			files = append(files, path.Join(folder, name))
		}
	}
	return files
}

// mounted finds the entry of a ConfigMap that is mounted nearest over a file; "" for none.
func mounted(w inventory.Workload, c inventory.Container, file string) (name, key string) {
	nearest := 0
	for _, m := range c.Mounts {
		at := c.Absolute(m.Path)
		inside, under := strings.CutPrefix(file, strings.TrimSuffix(at, "/")+"/")
		if len(at) < nearest || file != at && !under {
			continue
		}
		nearest, name, key = len(at), "", ""
		if n := slices.IndexFunc(w.Volumes, func(v inventory.Volume) bool { return v.Name == m.Volume }); n >= 0 && w.Volumes[n].Kind == "configMap" {
			if file == at {
				inside = ""
			}
			name, key = entry(w.Volumes[n], path.Join(m.SubPath, inside))
		}
	}
	return name, key
}

// entry is what lies at a path inside a volume of a ConfigMap: the entry of that name, if
// the volume does not choose.
func entry(v inventory.Volume, inside string) (name, key string) {
	if len(v.Items) == 0 {
		return v.Of, inside
	}
	if key, ok := v.Items[inside]; ok {
		return v.Of, key
	}
	return "", ""
}

// maxConfig bounds the configuration that is read, in bytes. A ConfigMap has at most 1 MiB.
const maxConfig = 1 << 20

// Settings reads what a configuration file says of where certificates are kept: Traefik's
// in YAML or TOML, Caddy's in its own form or JSON. All else in it is left out.
func Settings(c inventory.Container, text string) map[string]string {
	if len(text) > maxConfig {
		return nil
	}
	if c.Program() == "caddy" {
		return caddySettings(text)
	}
	var parsed map[string]any
	if yaml.Unmarshal([]byte(text), &parsed) != nil {
		return tomlSettings(text)
	}
	settings := map[string]string{}
	for key, v := range parsed {
		resolvers, ok := v.(map[string]any)
		if !ok || !strings.EqualFold(key, "certificatesResolvers") {
			continue
		}
		for name, v := range resolvers {
			resolver, _ := v.(map[string]any)
			for kind, v := range resolver {
				if !strings.EqualFold(kind, "acme") || len(settings) >= maxMounts {
					continue
				}
				settings["certificatesresolvers."+cut(strings.ToLower(name))+".acme.storage"] = cut(storageOf(v))
			}
		}
	}
	return settings
}

func storageOf(acme any) string {
	settings, _ := acme.(map[string]any)
	for key, v := range settings {
		if s, ok := v.(string); ok && strings.EqualFold(key, "storage") {
			return s
		}
	}
	return ""
}
