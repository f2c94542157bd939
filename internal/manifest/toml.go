package manifest

import (
	"strconv"
	"strings"
)

// tomlSettings finds the storage of each certificate resolver in Traefik's configuration in
// TOML, where it stands as people write it: a table with dotted keys, and text in quotes. A
// resolver that is written in another way is not found. https://toml.io/en/v1.0.0
func tomlSettings(text string) map[string]string {
	settings := map[string]string{}
	var table []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, header := strings.CutPrefix(line, "["); header {
			name, _, _ = strings.Cut(name, "]")
			table = tomlKey(name)
			line = ""
		}
		key, value, _ := strings.Cut(line, "=")
		whole := append(table[:len(table):len(table)], tomlKey(key)...)
		if len(whole) < 3 || !strings.EqualFold(whole[0], "certificatesResolvers") || !strings.EqualFold(whole[2], "acme") || len(settings) >= maxMounts {
			continue
		}
		name := "certificatesresolvers." + cut(strings.ToLower(whole[1])) + ".acme.storage"
		if len(whole) == 4 && strings.EqualFold(whole[3], "storage") {
			settings[name] = cut(tomlText(value))
		} else if inline, found := strings.CutPrefix(strings.TrimSpace(value), "{"); found && len(whole) == 3 {
			settings[name] = cut(inlineStorage(inline))
		} else if _, known := settings[name]; !known {
			settings[name] = ""
		}
	}
	return settings
}

// inlineStorage finds the storage in an inline table. A comma within a text parts it too,
// which harms only a path that has one.
func inlineStorage(table string) string {
	for part := range strings.SplitSeq(table, ",") {
		if key, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.Trim(strings.TrimSpace(key), "\"'"), "storage") {
			return tomlText(value)
		}
	}
	return ""
}

// tomlKey takes a dotted key apart.
func tomlKey(key string) []string {
	var all []string
	for part := range strings.SplitSeq(key, ".") {
		if part = strings.Trim(strings.TrimSpace(part), "\"'"); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// tomlText reads text in quotes, before a comment.
func tomlText(value string) string {
	value = strings.TrimSpace(value)
	if literal, ok := strings.CutPrefix(value, "'"); ok {
		literal, _, _ = strings.Cut(literal, "'")
		return literal
	}
	quoted, err := strconv.QuotedPrefix(value)
	if err != nil {
		return ""
	}
	value, _ = strconv.Unquote(quoted)
	return value
}
