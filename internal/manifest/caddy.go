package manifest

import (
	"encoding/json"
	"strings"
)

// caddySettings reads where Caddy keeps its certificates, of a Caddyfile or JSON.
func caddySettings(text string) map[string]string {
	var config struct {
		Storage struct{ Module, Root string }
	}
	if json.Unmarshal([]byte(text), &config) != nil {
		return caddyfile(text)
	}
	module := strings.TrimSpace(config.Storage.Module + " " + config.Storage.Root)
	if module == "" {
		return nil
	}
	return map[string]string{"storage": cut(module)}
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
