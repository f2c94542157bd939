package config

import (
	"path"
	"strings"
	"time"

	"driftprobe/finding"
)

// Notes are what is right in the file and has no effect: silences and windows that were over
// at now, and secrets that are sent nowhere, as no address is the target's for certain.
// mapped says that a cluster is watched, which may name the Service of any target.
func (c *Config) Notes(now time.Time, mapped bool) Problems {
	var all Problems
	note := func(key, hint, message string) {
		if len(all) < maxProblems {
			all = append(all, c.At(key, message, hint))
		}
	}
	over := func(at string, windows []Window) {
		for i, w := range windows {
			if w.Parsed.Weekly == nil && !w.Parsed.Until.After(now) {
				note(entryPath(at, i)+".until", "remove the window, or give it another end", "the window is over since "+w.Until)
			}
		}
	}
	for i, s := range c.Alerts.Silences {
		if !s.Parsed.After(now) {
			note(entryPath("alerts.silences", i)+".until", "remove the silence, or give it another end", "the silence is over since "+s.Until)
		}
	}
	over("maintenance", c.Maintenance)
	for i, t := range c.Targets {
		at := entryPath("targets", i)
		over(at+".maintenance", t.Maintenance)
		if t.unclaimed() && !mapped {
			note(at, "name service or addresses: secrets go only to an address that is the target's for certain",
				"its "+strings.Join(t.secretKeys(), ", ")+" will be sent to nobody")
		}
	}
	all.Sort()
	return all
}

// unclaimed says whether the file gives the target secrets and no address that is its own.
func (t Target) unclaimed() bool {
	return t.Secrets() && t.Service == "" && len(t.Addresses) == 0
}

// secretKeys are the keys of what is sent to the target alone.
func (t Target) secretKeys() []string {
	var keys []string
	for _, k := range []struct {
		key   string
		given bool
	}{
		{"headers", len(t.Headers) > 0}, {"header_files", len(t.HeaderFiles) > 0}, {"body", t.SendsBody()},
		{"basic_auth", t.BasicAuth.Username != ""}, {"bearer_token_file", t.BearerTokenFile != ""},
		{"client_certificate", t.ClientCertificate.CertFile != ""},
	} {
		if k.given {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// keepNoted notes where the things stand that Notes may speak of.
func (d *decoder) keepNoted(c *Config) {
	keep := func(key string) {
		if at, ok := d.values[key]; ok {
			c.put(key, place{d.file, at})
		}
	}
	for i := range c.Alerts.Silences {
		keep(entryPath("alerts.silences", i) + ".until")
	}
	windows := func(at string, all []Window) {
		for i := range all {
			keep(entryPath(at, i) + ".until")
		}
	}
	windows("maintenance", c.Maintenance)
	for i, t := range c.Targets {
		windows(entryPath("targets", i)+".maintenance", t.Maintenance)
		if t.unclaimed() {
			keep(entryPath("targets", i))
		}
	}
}

// codePattern wants a pattern that fits one of the codes at least.
func codePattern(text string) *fault {
	if f := pattern(text); f != nil {
		return f
	}
	var names []string
	for _, e := range finding.Catalogue() {
		if fits, err := path.Match(text, string(e.Code)); fits && err == nil {
			return nil
		}
		names = append(names, string(e.Code), e.Code.Family()+"/*")
	}
	hint := "use a code of docs/findings.md, or a pattern such as dns/*"
	if meant := Nearest(text, names); meant != "" {
		hint = `did you mean "` + meant + `"?`
	}
	return faultf(hint, "no finding has such a code: %s", shown(text))
}
