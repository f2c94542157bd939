package config

import (
	"net/textproto"
	"strings"
)

// maxTargets is what one process is built for.
const maxTargets = 10_000

func (d *decoder) targets(targets []Target) {
	if len(targets) > maxTargets {
		d.check("targets", faultf("split them over several driftprobes", "more than %d targets", maxTargets))
		return
	}
	first := map[string]int{}
	for i := range targets {
		path, t := entryPath("targets", i), &targets[i]
		if d.failed[path] {
			continue
		}
		if d.address(path, t) {
			if j, twice := first[t.Key()]; twice {
				d.check(d.addressPath(path), faultf("keep one of the two", "the same target as %s, %s", entryPath("targets", j), shown(t.Key())))
			} else {
				first[t.Key()] = i
			}
		}
		d.expectations(path, t)
		t.Headers = namedHeaders(d, path+".headers", t.Headers)
		d.headerSources(path+".header_files", t.HeaderFiles, t)
		d.request(path, t)
		d.response(path+".expect", t)
		d.redirects(path, t)
		d.maintenance(path+".maintenance", t.Maintenance)
		d.labels(path+".labels", t.Labels)
	}
}

// addressPath is the key that says which target it is.
func (d *decoder) addressPath(path string) string {
	if d.has(path + ".url") {
		return path + ".url"
	}
	return path + ".host"
}

// address settles what is looked at: exactly one of url and host. It reports
// whether the target has a usable URL.
func (d *decoder) address(path string, t *Target) bool {
	hasURL, hasHost := d.has(path+".url"), d.has(path+".host")
	switch {
	case hasURL && hasHost:
		d.checkKey(path+".host", faultf("keep url, or host for https://HOST/", "url and host are both given"))
		return false
	case !hasURL && !hasHost:
		d.check(path, faultf("add url: https://HOST/path, or host: HOST", "a target needs url or host"))
		return false
	}
	key := d.addressPath(path)
	if d.failed[key] {
		return false
	}
	parse, text := targetFromURL, t.URL
	if hasHost {
		parse, text = targetFromHost, t.Host
	}
	parsed, f := parse(text)
	d.check(key, f)
	t.URL, t.Scheme, t.Host, t.Port, t.Path = parsed.URL, parsed.Scheme, parsed.Host, parsed.Port, parsed.Path
	return f == nil
}

// expectations checks where a target should be published.
func (d *decoder) expectations(path string, t *Target) {
	service, addresses := path+".service", path+".addresses"
	if d.has(service) && d.has(addresses) {
		d.checkKey(addresses, faultf("keep service to follow its load balancer, or addresses to pin them; allow: adds networks to either",
			"service and addresses are both given"))
	}
	if t.Service != "" {
		namespace, name, ok := strings.Cut(t.Service, "/")
		if !ok || !kubernetesLabel(namespace) || !kubernetesLabel(name) {
			d.check(service, faultf("write namespace/name, such as traefik/traefik", "not the name of a Service: %s", shown(t.Service)))
		}
	}
	if d.has(addresses) && len(t.Addresses) == 0 {
		d.check(addresses, faultf("list at least one address, or remove the key", "an empty list pins nothing"))
	}
	d.unique(addresses, len(t.Addresses), func(i int) string { return t.Addresses[i].String() })
	d.unique(path+".allow", len(t.Allow), func(i int) string { return t.Allow[i].String() })
	status := path + ".expect.status"
	if d.has(status) && len(t.Expect.Status) == 0 {
		d.check(status, faultf("list at least one status code, or remove the key", "no status would ever be right"))
	}
	d.unique(status, len(t.Expect.Status), func(i int) string { return t.Expect.Status[i].String() })
	t.Expect.Headers = namedHeaders(d, path+".expect.headers", t.Expect.Headers)
}

// namedHeaders gives the map by canonical header name, and refuses what is no
// name or stands there twice (names ignore case, RFC 9110 §5.1).
func namedHeaders[T any](d *decoder, path string, headers map[string]T) map[string]T {
	if headers == nil {
		return nil
	}
	canonical := make(map[string]T, len(headers))
	written := map[string]string{}
	for _, name := range inFileOrder(d, path, headers) {
		key := join(path, name)
		if !isToken(name) {
			d.checkKey(key, faultf("use letters, digits and -, such as X-Api-Key", "not a header name: %s", shown(name)))
			continue
		}
		proper := textproto.CanonicalMIMEHeaderKey(name)
		if other, twice := written[proper]; twice {
			d.checkKey(key, faultf("keep one of the two; header names ignore case", "the same header as %s", shown(other)))
			continue
		}
		written[proper] = name
		canonical[proper] = headers[name]
		d.values[join(path, proper)] = d.values[key]
		if !strings.HasSuffix(path, ".expect.headers") {
			d.checkKey(key, reservedHeader(proper))
		}
	}
	return canonical
}

// reservedHeader says why a header cannot be sent by choice.
func reservedHeader(name string) *fault {
	switch name {
	case "Host":
		return faultf("put the name into the target's url; it is what Host and SNI are made of", "the Host header comes from the target's URL")
	case "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Te", "Trailer", "Keep-Alive", "Proxy-Connection":
		return faultf("remove it", "the header %s belongs to the HTTP connection", name)
	}
	return nil
}

// headerSources wants one source for each header that is sent. files are as
// they are written, t.Headers by canonical name.
func (d *decoder) headerSources(path string, files map[string]string, t *Target) {
	for _, name := range inFileOrder(d, path, files) {
		key := join(path, name)
		proper := textproto.CanonicalMIMEHeaderKey(name)
		if _, twice := t.Headers[proper]; twice {
			d.checkKey(key, faultf("keep the file, and keep the value out of this one", "headers gives %s too", proper))
		}
	}
	t.HeaderFiles = namedHeaders(d, path, files)
}

// isToken says whether text is a token (RFC 9110 §5.6.2).
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}
