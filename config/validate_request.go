package config

import (
	"slices"
	"strings"
)

// request checks what is sent.
func (d *decoder) request(path string, t *Target) {
	t.Method = strings.ToUpper(t.Method)
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	if d.has(path+".method") && !slices.Contains(methods, t.Method) {
		d.check(path+".method", faultf("use one of: "+strings.Join(methods, ", "), "not a method: %s", shown(t.Method)))
	}
	if d.has(path+".body") && d.has(path+".body_file") {
		d.checkKey(path+".body", faultf("keep one of the two", "body and body_file are both given"))
	}
	if t.SendsBody() && slices.Contains([]string{"", "GET", "HEAD"}, t.Method) {
		d.checkKey(d.first(path+".body", path+".body_file"), faultf("add method: POST", "a body is sent with POST, PUT or PATCH"))
	}
	for _, key := range []string{"body_regex", "json"} {
		if t.Method == "HEAD" && d.has(path+".expect."+key) {
			d.checkKey(path+".expect."+key, faultf("use method: GET", "the response to HEAD has no body"))
		}
	}
	d.authorization(path, t)
	cert := path + ".client_certificate"
	if d.has(cert) && (!d.has(cert+".cert_file") || !d.has(cert+".key_file")) {
		d.check(cert, faultf("give both cert_file and key_file", "a client certificate is a certificate and its key"))
	}
	for _, key := range []string{"method", "body", "body_file", "headers", "header_files", "basic_auth", "bearer_token_file", "redirects"} {
		if d.has(path+"."+key) && (t.Scheme == "tcp" || t.Scheme == "tls") {
			d.checkKey(path+"."+key, faultf("remove it, or use an https:// or http:// URL", "%s:// sends no request", t.Scheme))
		}
	}
	if d.has(cert) && (t.Scheme == "tcp" || t.Scheme == "http") {
		d.checkKey(cert, faultf("remove it, or use an https:// or tls:// URL", "%s:// has no certificates", t.Scheme))
	}
}

// authorization wants at most one source of that header.
func (d *decoder) authorization(path string, t *Target) {
	basic := path + ".basic_auth"
	if d.has(basic) {
		switch inFile, inline := d.has(basic+".password_file"), d.has(basic+".password"); {
		case !d.has(basic + ".username"):
			d.check(basic, faultf("add username: NAME", "basic_auth needs a username"))
		case strings.Contains(t.BasicAuth.Username, ":"):
			d.check(basic+".username", faultf("use a name without one", "a user name has no colon (RFC 7617)"))
		case inFile && inline:
			d.checkKey(basic+".password", faultf("keep password_file, and keep the password out of this file", "password and password_file are both given"))
		case !inFile && !inline:
			d.check(basic, faultf("add password_file: PATH", "basic_auth needs a password"))
		}
	}
	var given []string
	for _, key := range []string{basic, path + ".bearer_token_file"} {
		if d.has(key) {
			given = append(given, key)
		}
	}
	_, inline := t.Headers["Authorization"]
	_, inFile := t.HeaderFiles["Authorization"]
	if len(given) == 2 || len(given) == 1 && (inline || inFile) {
		d.checkKey(given[len(given)-1], faultf("keep one of basic_auth, bearer_token_file and the header Authorization",
			"the header Authorization is given twice"))
	}
}

// redirects checks where redirects may lead.
func (d *decoder) redirects(path string, t *Target) {
	hosts := path + ".redirects.hosts"
	for i, text := range t.Redirects.Hosts {
		host, f := hostASCII(text)
		if f == nil && host == t.Host {
			f = faultf("remove it", "redirects to the target's own host are followed anyway")
		}
		d.check(entryPath(hosts, i), f)
		if f == nil {
			t.Redirects.Hosts[i] = host
		}
	}
	d.unique(hosts, len(t.Redirects.Hosts), func(i int) string { return t.Redirects.Hosts[i] })
	if len(t.Redirects.Hosts) > 0 && !t.Redirects.Follow {
		d.checkKey(hosts, faultf("add follow: true beside it", "redirects are not followed, so hosts has no effect"))
	}
}

// first gives the first of the keys that is in the file.
func (d *decoder) first(paths ...string) string {
	i := slices.IndexFunc(paths, d.has)
	return paths[max(i, 0)]
}
