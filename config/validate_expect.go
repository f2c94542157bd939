package config

import (
	"net/textproto"
	"strings"
	"time"

	"driftprobe/finding"
)

// maxJSONPath bounds one path into a JSON text, in bytes.
const maxJSONPath = 256

// response checks what is expected beyond status, body and headers.
func (d *decoder) response(path string, t *Target) {
	e := &t.Expect
	for _, key := range inFileOrder(d, path+".json", e.JSON) {
		if len(key) > maxJSONPath || strings.TrimSpace(key) == "" || strings.HasPrefix(key, "@") || strings.HasPrefix(key, "!") {
			d.checkKey(join(path+".json", key), faultf(`write the keys to the value, such as status or "checks.0.name"`, "not a path into JSON: %s", shown(key)))
		}
	}
	if e.Protocol != "" && e.Protocol != "h2" && e.Protocol != "http/1.1" {
		d.check(path+".protocol", faultf(`write h2 or http/1.1`, "not a version of HTTP that can be asked for: %s", shown(e.Protocol)))
	}
	if e.Protocol == "h2" && t.Scheme != "https" {
		d.check(path+".protocol", faultf("use an https:// URL", "HTTP/2 is agreed on in the TLS handshake, which %s:// has not", t.Scheme))
	}
	d.between(path+".within", e.Within, time.Millisecond, 24*time.Hour)
	d.identity(path+".identity", t)
	d.faulty(path, t)
	for _, key := range []string{"status", "body_regex", "headers", "json", "final_url", "protocol", "identity"} {
		switch {
		case !d.has(path + "." + key):
		case t.Scheme == "tcp" || t.Scheme == "tls":
			d.checkKey(path+"."+key, faultf("remove it, or use an https:// or http:// URL", "%s:// has no response to expect anything of", t.Scheme))
		case t.Wildcard():
			d.checkKey(path+"."+key, faultf("name one host under it as a target of its own", "nobody need be at home at the name that stands for a wildcard, so no response can be expected"))
		}
	}
}

// within refuses what no look could take: it ends before.
func (d *decoder) within(c *Config) {
	for i, t := range c.Targets {
		if t.Expect.Within > c.Timeout && !d.failed["timeout"] {
			d.check(entryPath("targets", i)+".expect.within", faultf("lower it, or raise timeout",
				"a look ends after the timeout of %s, found %s", brief(c.Timeout), brief(t.Expect.Within)))
		}
	}
}

// identity wants a header or a page.
func (d *decoder) identity(path string, t *Target) {
	if !d.has(path) {
		return
	}
	i := &t.Expect.Identity
	header, page := d.has(path+".header"), d.has(path+".path")
	switch {
	case header && page:
		d.checkKey(path+".path", faultf("keep one of the two", "header and path are both given"))
	case !header && !page:
		d.check(path, faultf("add header: NAME, or path: /PAGE", "a proof is a header or a page"))
	case header && !isToken(i.Header):
		d.check(path+".header", faultf("use letters, digits and -, such as X-Served-By", "not a header name: %s", shown(i.Header)))
	case header:
		i.Header = textproto.CanonicalMIMEHeaderKey(i.Header)
	case i.Regex == nil:
		d.check(path, faultf("add regex: what only the target says", "a page proves nothing if any text is right"))
	default:
		parsed, f := targetFromURL("https://" + "x.example" + i.Path)
		if f != nil || !strings.HasPrefix(i.Path, "/") {
			d.check(path+".path", faultf("write it like /.well-known/proof", "not the path of a page: %s", shown(i.Path)))
			return
		}
		i.Path = parsed.Path
	}
}

// faulty checks targets that are meant to be bad.
func (d *decoder) faulty(path string, t *Target) {
	e := t.Expect
	if d.has(path+".tls") && len(e.TLS) == 0 {
		d.check(path+".tls", faultf("list at least one fault, or remove the key", "no fault would ever be right"))
	}
	for i, name := range e.TLS {
		if _, known := finding.Lookup(finding.Code("tls/" + name)); !known || name == "accepted" {
			hint := "use what stands after tls/ in docs/findings.md"
			if meant := Nearest(name, tlsFaults()); meant != "" {
				hint = `did you mean "` + meant + `"?`
			}
			d.check(entryPath(path+".tls", i), faultf(hint, "not a fault of certificates: %s", shown(name)))
		}
	}
	d.unique(path+".tls", len(e.TLS), func(i int) string { return e.TLS[i] })
	if len(e.TLS) > 0 && (t.Scheme == "http" || t.Scheme == "tcp") {
		d.checkKey(path+".tls", faultf("use an https:// or tls:// URL", "%s:// has no certificates", t.Scheme))
	}
	if !e.Unreachable {
		return
	}
	for _, key := range []string{"status", "body_regex", "headers", "json", "final_url", "protocol", "identity", "within", "tls"} {
		if d.has(path + "." + key) {
			d.checkKey(path+"."+key, faultf("keep one of the two", "what may not be reached has no response to expect anything of"))
		}
	}
}

func tlsFaults() []string {
	var names []string
	for _, e := range finding.Catalogue() {
		if name, ok := strings.CutPrefix(string(e.Code), "tls/"); ok && e.Code != finding.TLSAccepted {
			names = append(names, name)
		}
	}
	return names
}
