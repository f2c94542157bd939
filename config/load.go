package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
)

// Parse reads one YAML document; name stands for it in errors. An empty
// document is Default. The error is of type Problems: every problem of the
// document at once, each with a position and a hint. Paths to files stay as
// they are written.
func Parse(name string, data []byte) (Config, error) {
	c := Default()
	d := newDecoder(name)
	root, f, place := parseDocument(data)
	if f != nil {
		d.report(place, "", f)
	}
	if root != nil && root.Tag != "!!null" {
		d.decode(root, reflect.ValueOf(&c).Elem(), "")
		d.settle(&c)
	}
	if len(d.problems) > 0 {
		d.problems.sort()
		return Config{}, d.problems
	}
	return c, nil
}

// Load reads the file at path with Parse. Relative paths in it start at its
// folder. The error is of type Problems.
func Load(path string) (Config, error) {
	data, err := readBounded(path, maxFileSize)
	if err != nil {
		p := fileProblem("configuration", path, err)
		if errors.Is(err, fs.ErrNotExist) {
			p.Hint = "check the path given with --config"
		}
		return Config{}, Problems{p}
	}
	c, err := Parse(path, data)
	if err != nil {
		return Config{}, err
	}
	for _, file := range files(&c) {
		*file.value = resolved(filepath.Dir(path), *file.value)
	}
	for i := range c.Targets {
		target := &c.Targets[i]
		for name, file := range target.HeaderFiles {
			target.HeaderFiles[name] = resolved(filepath.Dir(path), file)
		}
		for _, file := range secretFiles(target) {
			*file.value = resolved(filepath.Dir(path), *file.value)
		}
	}
	return c, nil
}

func resolved(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// namedFile is a key whose value is the path of a file.
type namedFile struct {
	path  string
	value *string
}

// files lists them, except for those of targets.
func files(c *Config) []namedFile {
	all := []namedFile{
		{"tls.ca_file", &c.TLS.CAFile},
		{"kubernetes.kubeconfig", &c.Kubernetes.Kubeconfig},
		{"digitalocean.token_file", &c.DigitalOcean.TokenFile},
		{"alerts.slack.webhook_url_file", &c.Alerts.Slack.WebhookURLFile},
		{"alerts.heartbeat.url_file", &c.Alerts.Heartbeat.URLFile},
		{"alerts.alertmanager.bearer_token_file", &c.Alerts.Alertmanager.BearerTokenFile},
		{"alerts.alertmanager.basic_auth.password_file", &c.Alerts.Alertmanager.BasicAuth.PasswordFile},
		{"state.file", &c.State.File},
		{"certificates.ct.certspotter.key_file", &c.Certificates.CT.CertSpotter.KeyFile},
	}
	for i := range c.Certificates.CT.Logs {
		all = append(all, namedFile{entryPath("certificates.ct.logs", i) + ".public_key_file", &c.Certificates.CT.Logs[i].PublicKeyFile})
	}
	for i := range c.Alerts.Webhooks {
		w, at := &c.Alerts.Webhooks[i], entryPath("alerts.webhooks", i)
		all = append(all, namedFile{at + ".url_file", &w.URLFile}, namedFile{at + ".key_file", &w.KeyFile})
	}
	return all
}

// secretFiles lists those of one target by the key below it, except for its
// header files.
func secretFiles(t *Target) []namedFile {
	return []namedFile{
		{"body_file", &t.BodyFile},
		{"bearer_token_file", &t.BearerTokenFile},
		{"basic_auth.password_file", &t.BasicAuth.PasswordFile},
		{"client_certificate.cert_file", &t.ClientCertificate.CertFile},
		{"client_certificate.key_file", &t.ClientCertificate.KeyFile},
	}
}
