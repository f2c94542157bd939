package config

import (
	"net/url"
	"strings"
)

// transparency checks the sources of Certificate Transparency.
func (d *decoder) transparency(c CT) {
	const section = "certificates.ct"
	if c.CertSpotter.APIURL != "" {
		d.check(section+".certspotter.api_url", parseSource(c.CertSpotter.APIURL))
	}
	d.unique(section+".logs", len(c.Logs), func(i int) string { return strings.TrimRight(c.Logs[i].URL, "/") })
	for i, log := range c.Logs {
		path := entryPath(section+".logs", i)
		if log.URL == "" {
			d.check(path, faultf("add url: https://LOG/PATH, the log's monitoring prefix", "a log needs a URL"))
		} else {
			d.check(path+".url", parseSource(log.URL))
		}
		if log.PublicKeyFile == "" {
			d.check(path, faultf("add public_key_file: PATH", "a log is believed only by its signature, and needs its public key"))
		}
	}
}

// parseSource wants the URL below which a source answers.
func parseSource(text string) *fault {
	if f := parseEndpoint(text); f != nil {
		return f
	}
	if u, err := url.Parse(text); err != nil || u.RawQuery != "" || u.Fragment != "" {
		return faultf("end it after the path", "a URL with ? or #")
	}
	return nil
}
