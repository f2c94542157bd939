package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// content is what a file that the configuration names must hold.
type content int

const (
	aSecret      content = iota // any text
	aHeader                     // the value of a header: one line
	aURL                        // https, or http to this machine
	aPlainURL                   // https or http
	certificates                // PEM
	aPair                       // the PEM key of the certificate named beside it
	another                     // what is read and judged elsewhere
)

// place is where a file is named: in the configuration, or by a flag.
type place struct {
	file string
	position
}

// namedFile is a file by the key that names it, such as targets[0].body_file.
type namedFile struct {
	key, path string
	holds     content
}

// eachFile gives each file that is named to do, and makes what comes back its path.
func (c *Config) eachFile(do func(namedFile) string) {
	file := func(key string, path *string, holds content) {
		if *path != "" {
			*path = do(namedFile{key, *path, holds})
		}
	}
	file("tls.ca_file", &c.TLS.CAFile, certificates)
	file("kubernetes.kubeconfig", &c.Kubernetes.Kubeconfig, another)
	file("digitalocean.token_file", &c.DigitalOcean.TokenFile, aHeader)
	file("state.file", &c.State.File, another)
	file("certificates.ct.certspotter.key_file", &c.Certificates.CT.CertSpotter.KeyFile, aHeader)
	for i := range c.Certificates.CT.Logs {
		file(entryPath("certificates.ct.logs", i)+".public_key_file", &c.Certificates.CT.Logs[i].PublicKeyFile, another)
	}
	a := &c.Alerts
	file("alerts.slack.webhook_url_file", &a.Slack.WebhookURLFile, aURL)
	file("alerts.heartbeat.url_file", &a.Heartbeat.URLFile, aPlainURL)
	file("alerts.alertmanager.bearer_token_file", &a.Alertmanager.BearerTokenFile, aHeader)
	file("alerts.alertmanager.basic_auth.password_file", &a.Alertmanager.BasicAuth.PasswordFile, aSecret)
	for i := range a.Webhooks {
		w, at := &a.Webhooks[i], entryPath("alerts.webhooks", i)
		file(at+".url_file", &w.URLFile, aPlainURL)
		file(at+".key_file", &w.KeyFile, aSecret)
	}
	for i := range c.Targets {
		t, at := &c.Targets[i], entryPath("targets", i)
		for _, name := range slices.Sorted(maps.Keys(t.HeaderFiles)) {
			path := t.HeaderFiles[name]
			file(join(at+".header_files", name), &path, aHeader)
			t.HeaderFiles[name] = path
		}
		file(at+".body_file", &t.BodyFile, aSecret)
		file(at+".bearer_token_file", &t.BearerTokenFile, aHeader)
		file(at+".basic_auth.password_file", &t.BasicAuth.PasswordFile, aSecret)
		file(at+".client_certificate.cert_file", &t.ClientCertificate.CertFile, certificates)
		file(at+".client_certificate.key_file", &t.ClientCertificate.KeyFile, aPair)
	}
}

// Given says that a flag gives the path at key, and not the file.
func (c *Config) Given(key, flag string) { c.put(key, place{file: flag}) }

func (c *Config) put(key string, at place) {
	if c.places == nil {
		c.places = map[string]place{}
	}
	c.places[key] = at
}

// At is a problem of the file that key names: it says where the name stands, or the section
// that lacks it, or the flag that gives it.
func (c *Config) At(key, message, hint string) Problem {
	named := key
	at, known := c.places[named]
	if section, _, _ := strings.Cut(key, "."); !known {
		if at, known = c.places[section]; known {
			named = section
		}
	}
	p := Problem{File: at.file, Line: at.line, Column: at.column, Path: key, Message: named + ": " + message, Hint: hint}
	if known && at.line == 0 {
		p.Message = message // the flag's name comes first
	}
	return p
}

// Unusable opens every file that is named, and says of each why it cannot be read or used.
// Nothing of them is kept or shown. Three are left to those who read them: the kubeconfig,
// the state, and the keys of logs.
func (c *Config) Unusable() Problems {
	var all Problems
	cert := map[string]Secret{} // by the key of its pair
	c.eachFile(func(f namedFile) string {
		if _, known := c.places[f.key]; !known || f.holds == another || len(all) == maxProblems {
			return f.path
		}
		text, p := readFile(f)
		if p == nil {
			p = f.holds.refuses(f, text, cert[f.key])
		}
		if p != nil {
			all = append(all, c.At(f.key, p.message, p.hint))
		}
		if pair, ok := strings.CutSuffix(f.key, ".cert_file"); ok && p == nil {
			cert[pair+".key_file"] = text
		}
		return f.path
	})
	all.Sort()
	return all
}

// readFile reads the text of a file. Bundles of certificates are larger than secrets.
func readFile(f namedFile) (Secret, *fault) {
	limit := int64(MaxSecret)
	if f.holds == certificates {
		limit = MaxFile
	}
	text, err := readText(f.path, f.key, limit)
	var p Problem
	if errors.As(err, &p) {
		return Secret{}, &fault{p.Message, p.Hint}
	}
	return text, nil
}

// refuses says what is wrong with the text of a file. cert is that of its certificate.
func (want content) refuses(f namedFile, text, cert Secret) *fault {
	switch want {
	case aHeader:
		if strings.ContainsFunc(text.Reveal(), unicode.IsControl) {
			return faultf("write one line of text into it", "the file %s holds more than the one line that a header can have", shown(f.path))
		}
	case aURL, aPlainURL:
		check := parseEndpoint
		if want == aPlainURL {
			check = plainEndpoint
		}
		if wrong := check(text.Reveal()); wrong != nil {
			return faultf(wrong.hint, "in the file %s: %s", shown(f.path), wrong.message)
		}
	case certificates:
		if !x509.NewCertPool().AppendCertsFromPEM([]byte(text.Reveal())) {
			return faultf("it must hold certificates in PEM form (-----BEGIN CERTIFICATE-----)", "the file %s holds no certificate", shown(f.path))
		}
	case aPair:
		if _, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(text.Reveal())); err != nil && !cert.IsZero() {
			return faultf("give a PEM certificate and the unencrypted PEM key that belongs to it",
				"the file %s holds no key of the certificate beside it", shown(f.path))
		}
	}
	return nil
}

// keep notes where the files are named that can be opened (a path that was refused is none),
// and the sections that need none.
func (d *decoder) keep(c *Config) {
	for _, section := range []string{"digitalocean", "kubernetes"} {
		if d.has(section) {
			c.put(section, place{d.file, d.keys[section]})
		}
	}
	c.eachFile(func(f namedFile) string {
		if at, ok := d.values[f.key]; ok && !d.failed[f.key] {
			c.put(f.key, place{d.file, at})
		}
		return f.path
	})
}

// checkFiles checks the paths of all files that are named.
func (d *decoder) checkFiles(c *Config) {
	c.eachFile(func(f namedFile) string {
		d.filePath(f.key, f.path)
		return f.path
	})
}
