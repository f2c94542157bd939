package manifest

import (
	"encoding/json"
	"maps"
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

// caddyfile finds the options "storage" and "auto_https" in the block of global options,
// which comes first. Sites that all speak plain HTTP are like "auto_https off".
// https://caddyserver.com/docs/caddyfile/options
func caddyfile(text string) map[string]string {
	depth, sites, options, secure := 0, 0, false, false
	var module, automatic string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		option := options && len(words) > 1
		switch {
		case depth == 0 && words[0] == "{" && sites == 0:
			options = true
		case depth == 0:
			options = false
			sites++
			secure = secure || !plainHTTP(words)
		case words[0] == "tls" && !options:
			secure = true
		case depth == 1 && option && words[0] == "auto_https":
			automatic = words[1]
		case depth == 1 && option && words[0] == "storage":
			module = strings.TrimSuffix(strings.Join(words[1:], " "), "{")
		case depth == 2 && option && module != "" && words[0] == "root":
			module = strings.TrimSpace(module) + " " + words[1]
		}
		depth += strings.Count(line, "{") - strings.Count(line, "}")
	}
	if sites > 0 && !secure {
		automatic = "off"
	}
	settings := map[string]string{"storage": cut(strings.TrimSpace(strings.ReplaceAll(module, `"`, ""))), "auto_https": cut(automatic)}
	maps.DeleteFunc(settings, func(_, value string) bool { return value == "" })
	return settings
}

// plainHTTP tells whether what a line at the top of a Caddyfile serves has no certificate:
// all its addresses say so. What else can stand there (a snippet, an import) may say anything.
func plainHTTP(words []string) bool {
	for _, address := range strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return r == ',' || r == ' ' }) {
		port := strings.HasPrefix(address, ":") && address != ":443"
		if address != "{" && address != "}" && !port && !strings.HasPrefix(address, "http://") {
			return false
		}
	}
	return true
}
