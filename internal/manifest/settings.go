package manifest

import (
	"path"
	"slices"
	"strings"

	"driftprobe/internal/inventory"

	"gopkg.in/yaml.v3"
)

// ConfigMap is where a container's configuration file comes from.
type ConfigMap struct {
	// Name is that of a ConfigMap in the workload's namespace; Key the entry in it.
	Name, Key string
}

// Configuration finds the ConfigMap whose entry is the static configuration of the ACME
// client in a container; false if the file comes from somewhere else, or there is none.
func Configuration(w inventory.Workload, c inventory.Container) (ConfigMap, bool) {
	for _, file := range configFiles(c) {
		if m, ok := mounted(w, c, file); ok {
			return m, true
		}
	}
	return ConfigMap{}, false
}

// configFiles are the paths at which the client looks for its configuration.
func configFiles(c inventory.Container) []string {
	for _, arg := range c.Args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name = strings.ToLower(name); (name == "configfile" || name == "config") && value != "" {
			return []string{path.Clean("/" + value)}
		}
	}
	for name, value := range c.Env {
		if strings.EqualFold(name, "TRAEFIK_CONFIGFILE") && value != "" {
			return []string{path.Clean("/" + value)}
		}
	}
	if c.Program() == "caddy" {
		return []string{"/etc/caddy/Caddyfile"}
	}
	return []string{"/etc/traefik/traefik.yml", "/etc/traefik/traefik.yaml"}
}

// mounted finds the ConfigMap that is mounted nearest over a file.
func mounted(w inventory.Workload, c inventory.Container, file string) (ConfigMap, bool) {
	var found ConfigMap
	nearest := 0
	for _, m := range c.Mounts {
		at := path.Clean("/" + m.Path)
		inside, under := strings.CutPrefix(file, strings.TrimSuffix(at, "/")+"/")
		if len(at) < nearest || file != at && !under {
			continue
		}
		nearest, found = len(at), ConfigMap{}
		if n := slices.IndexFunc(w.Volumes, func(v inventory.Volume) bool { return v.Name == m.Volume }); n >= 0 && w.Volumes[n].Kind == "configMap" {
			if file == at {
				inside = ""
			}
			found = entry(w.Volumes[n], path.Join(m.SubPath, inside))
		}
	}
	return found, found.Name != ""
}

// entry is what lies at a path inside a volume of a ConfigMap: the entry of that name, if
// the volume does not choose.
func entry(v inventory.Volume, inside string) ConfigMap {
	if len(v.Items) == 0 {
		return ConfigMap{v.Of, inside}
	}
	if key, ok := v.Items[inside]; ok {
		return ConfigMap{v.Of, key}
	}
	return ConfigMap{}
}

// maxConfig bounds the configuration that is read, in bytes. A ConfigMap has at most 1 MiB.
const maxConfig = 1 << 20

// Settings reads what a configuration file says of where certificates are kept: Traefik's
// in YAML, or a Caddyfile. All else in it is left out.
func Settings(c inventory.Container, text string) map[string]string {
	if len(text) > maxConfig {
		return nil
	}
	if c.Program() == "caddy" {
		return caddyfile(text)
	}
	var parsed map[string]any
	if yaml.Unmarshal([]byte(text), &parsed) != nil {
		return nil
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

// caddyfile finds the option "storage" in the block of global options, which comes first.
// https://caddyserver.com/docs/caddyfile/options#storage
func caddyfile(text string) map[string]string {
	depth := 0
	var module string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if depth == 0 && words[0] != "{" {
			break // a site: there are no global options, or they are over
		}
		switch {
		case depth == 1 && words[0] == "storage" && len(words) > 1:
			module = strings.TrimSuffix(strings.Join(words[1:], " "), "{")
		case depth == 2 && module != "" && words[0] == "root" && len(words) > 1:
			module = strings.TrimSpace(module) + " " + words[1]
		}
		depth += strings.Count(line, "{") - strings.Count(line, "}")
	}
	if module = strings.TrimSpace(module); module == "" {
		return nil
	}
	return map[string]string{"storage": cut(module)}
}
