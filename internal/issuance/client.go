package issuance

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"driftprobe/internal/inventory"
)

// store is where an ACME client keeps its account and its certificates.
type store struct {
	// client is "Traefik" or "Caddy".
	client string
	// path is the file or folder, absolute and clean.
	path string
	// said is what names the path, for a person.
	said string
}

// stores are the places in which a container keeps certificates; none if it does not
// order any, or keeps them somewhere else than in files.
func stores(c inventory.Container) []store {
	all := traefikStores(c)
	if s, ok := caddyStore(c); ok {
		all = append(all, s)
	}
	return all
}

// traefikStores finds the storage of each certificate resolver. Traefik reads its static
// configuration from a file, or else from arguments, or else from the environment; names
// are compared without case.
// https://doc.traefik.io/traefik/reference/install-configuration/tls/certificate-resolvers/acme/
func traefikStores(c inventory.Container) []store {
	for _, s := range []struct {
		settings map[string]string
		said     func(key string) string
	}{
		{fromConfig(c), func(key string) string { return "the configuration file's " + key }},
		{fromArgs(c), func(key string) string { return "the argument --" + key }},
		{fromEnv(c), func(key string) string {
			return "the variable TRAEFIK_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		}},
	} {
		if all := resolvers(c, s.settings, s.said); len(all) > 0 {
			return all
		}
	}
	return nil
}

// resolvers makes one store of each certificate resolver with ACME.
func resolvers(c inventory.Container, settings map[string]string, said func(string) string) []store {
	paths := map[string]string{}
	for key, value := range settings {
		resolver, setting, _ := strings.Cut(strings.TrimPrefix(key, "certificatesresolvers."), ".")
		if setting == "acme.storage" {
			paths[resolver] = value
		} else if setting == "acme" || strings.HasPrefix(setting, "acme.") {
			paths[resolver] = cmp.Or(paths[resolver], "")
		}
	}
	var all []store
	for _, resolver := range slices.Sorted(maps.Keys(paths)) {
		s := store{client: "Traefik", path: c.Absolute(paths[resolver]), said: said("certificatesresolvers." + resolver + ".acme.storage")}
		if paths[resolver] == "" {
			s.path, s.said = c.Absolute("acme.json"), "the default of certificatesresolvers."+resolver+".acme.storage"
		}
		all = append(all, s)
	}
	return all
}

func ofResolver(key string) bool { return strings.HasPrefix(key, "certificatesresolvers.") }

func fromConfig(c inventory.Container) map[string]string {
	all := map[string]string{}
	for key, value := range c.Config {
		if key = strings.ToLower(key); ofResolver(key) {
			all[key] = value
		}
	}
	return all
}

// fromArgs reads "--name=value" and "--name value".
func fromArgs(c inventory.Container) map[string]string {
	all := map[string]string{}
	for n, arg := range c.Args {
		key, value, whole := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if key = strings.ToLower(key); !strings.HasPrefix(arg, "-") || !ofResolver(key) {
			continue
		}
		if !whole && n+1 < len(c.Args) && !strings.HasPrefix(c.Args[n+1], "-") {
			value = c.Args[n+1]
		}
		all[key] = value
	}
	return all
}

func fromEnv(c inventory.Container) map[string]string {
	all := map[string]string{}
	for name, value := range c.Env {
		name, ours := strings.CutPrefix(strings.ToLower(name), "traefik_")
		if key := strings.ReplaceAll(name, "_", "."); ours && ofResolver(key) {
			all[key] = value
		}
	}
	return all
}

// caddyStore finds Caddy's folder. The image sets XDG_DATA_HOME to /data; a module in the
// place of the file system is somebody else's keeping.
// https://caddyserver.com/docs/conventions#data-directory
func caddyStore(c inventory.Container) (store, bool) {
	if c.Program() != "caddy" {
		return store{}, false
	}
	if off := c.Config["auto_https"]; off == "off" || off == "disable_certs" {
		return store{}, false // it orders none
	}
	s := store{client: "Caddy", path: "/data/caddy", said: "the image's XDG_DATA_HOME=/data"}
	if home := c.Env["XDG_DATA_HOME"]; home != "" {
		s.path, s.said = c.Absolute(home)+"/caddy", "the variable XDG_DATA_HOME"
	}
	if module, folder, _ := strings.Cut(strings.TrimSpace(c.Config["storage"]), " "); module == "file_system" || module == "file" {
		s.path, s.said = cmp.Or(c.Absolute(folder), s.path), "storage in its configuration"
	} else if module != "" {
		return store{}, false
	}
	return s, true
}

// known is false if a part of the path comes from where nobody may look: a Secret, or the
// shell that starts the program.
func (s store) known() bool { return !strings.Contains(s.path, "$") }

// storesOf are those in which a container of the workload keeps certificates. Caddy orders for
// each public name that it serves, and none behind another proxy.
func storesOf(w inventory.Workload, c inventory.Container) []store {
	if _, caddy := caddyStore(c); caddy && len(w.Services) == 0 {
		return traefikStores(c)
	}
	return stores(c)
}

// Orders tells whether a container of the workload is an ACME client that keeps certificates
// in files. It depends on the Services in front of it.
func Orders(w inventory.Workload, c inventory.Container) bool { return len(storesOf(w, c)) > 0 }

// MayOrder tells whether a container is one if there is a Service in front of it.
func MayOrder(c inventory.Container) bool { return len(stores(c)) > 0 }

// Configurable tells whether a configuration file may make it one.
func Configurable(c inventory.Container) bool {
	if program := c.Program(); program == "caddy" || strings.Contains(program, "traefik") {
		return true
	}
	return slices.ContainsFunc(c.Mounts, func(m inventory.Mount) bool { return strings.HasPrefix(c.Absolute(m.Path)+"/", "/etc/traefik/") })
}
