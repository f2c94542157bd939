package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Every mistake is told at once, those in the files that the configuration names too, each
// with its place and what to do, and nobody is asked for it.
func TestCheckConfigOpensEveryFile(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.clientCertificate()
	s.file("other.key", s.clientCertificate()) // one line of a key
	s.file("empty", " \n")
	s.file("text", "hello\n")
	s.file("two-lines", "one\ntwo\n")
	s.file("url", "https://hooks.slack.example/services/labsecret\n")
	s.file("plain", "http://ops.example/labsecret\n")
	s.file("no-url", "hooks.slack.example/labsecret\n")
	const text = `intervall: 30s
targets:
  - url: https://a.shop.example/
    header_files: {x-api-key: %[1]s/none, X-Other: two-lines}
    body_file: empty
    method: POST
  - url: https://b.shop.example/
    basic_auth: {username: me, password_file: ""}
    client_certificate: {cert_file: client.pem, key_file: other.key}
  - url: https://c.shop.example/
    bearer_token_file: none
    client_certificate: {cert_file: text, key_file: client.key}
tls: {ca_file: text}
kubernetes: {kubeconfig: text}
digitalocean: {token_file: empty}
certificates:
  ct:
    certspotter: {key_file: none}
    logs: [{url: "https://ct.example/", public_key_file: text}]
alerts:
  slack: {webhook_url_file: plain}
  heartbeat: {url_file: no-url}
  alertmanager: {urls: ["http://127.0.0.1:9093"], bearer_token_file: none}
  webhooks:
    - {name: ops, url_file: plain, key_file: empty}
    - {name: chat, url_file: dop_v1_labsecret}
state: {file: text/state.json}
`
	file := s.file("broken.yaml", fmt.Sprintf(text, s.folder))
	want := []string{
		":1:1: unknown key", `:4:31: targets[0].header_files.X-Api-Key: there is no file "` + s.folder + `/none"`,
		":4:", "targets[0].header_files.X-Other: the file", "more than the one line",
		":5:16: targets[0].body_file: the file", "is empty",
		":9:59: targets[1].client_certificate.key_file: the file", "no key of the certificate beside it",
		":11:24: targets[2].bearer_token_file: there is no file",
		":12:37: targets[2].client_certificate.cert_file: the file", "holds no certificate",
		":13:16: tls.ca_file: the file", ":14:26: kubernetes.kubeconfig: ", ":15:28: digitalocean.token_file: the file",
		":18:29: certificates.ct.certspotter.key_file: there is no file",
		":19:58: certificates.ct.logs[0].public_key_file: ", "-----BEGIN PUBLIC KEY-----",
		":21:29: alerts.slack.webhook_url_file: in the file", "expected an https:// URL",
		":22:25: alerts.heartbeat.url_file: in the file", ":23:", "alerts.alertmanager.bearer_token_file: there is no file",
		":25:46: alerts.webhooks[0].key_file: the file", ":26:30: alerts.webhooks[1].url_file: expected the path of a file",
		":27:15: state.file: ",
	}
	for _, mode := range [][]string{{"--check-config"}, {"--once"}, nil} { // what is checked is what a start opens
		o := s.run(append(mode, "--config", file)...).exits(exitUsage)
		o.isComplaint("broken.yaml:1:1: ")
		rest := o.err
		for _, text := range want {
			_, after, found := strings.Cut(rest, text)
			if !found {
				t.Fatalf("%q is not told, or not in the order of the file:\n%s", text, o.err)
			}
			rest = after
		}
		if n := strings.Count(o.err, "error: "); n != 20 {
			t.Errorf("%d mistakes, want 20:\n%s", n, o.err)
		}
		if strings.Contains(o.err, "labsecret") {
			t.Errorf("a secret is shown:\n%s", o.err)
		}
	}
	o := s.run("--check-config", "--syntax-only", "--config", file).exits(exitUsage)
	if n := strings.Count(o.err, "error: "); n != 3 {
		t.Errorf("%d mistakes without the files, want 3:\n%s", n, o.err)
	}
	o = s.run("--check-config", "--tls.ca-file", s.folder+"/none.pem", "--config", s.file("good.yaml", "tls: {ca_file: ca.pem}\n")).exits(exitUsage)
	o.isComplaint("error: --tls.ca-file: there is no file")
}

// What could not be read is told, and not what would be wrong without it.
func TestCheckConfigTellsCausesAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"kubernetes.enabled":       {"kubernetes: {enabled: tru}", []string{"kubernetes.enabled: "}},
		"kubernetes":               {"kubernetes: [on]", []string{"kubernetes: "}},
		"digitalocean.token_file":  {"digitalocean: {token_file: [x]}", []string{"digitalocean.token_file: "}},
		"digitalocean.api_url":     {"digitalocean: {api_url: x}", []string{"digitalocean.api_url: "}},
		"logs[0].url":              {"certificates: {ct: {logs: [{url: 5, public_key_file: none}]}}", []string{"logs[0].url: "}},
		"no document":              {"kubernetes: {\n", []string{""}},
		"another section":          {"digitalocean: {}\nkubernetes: {enabled: tru}", []string{"there is no token", "kubernetes.enabled: "}},
		"what no line of it gives": {"intervall: 3s", []string{`unknown key "intervall"`, "no kubeconfig is named"}},
	} {
		d := newDesk(t)
		if strings.Contains(c.says[len(c.says)-1], "kubeconfig") {
			d.env["KUBERNETES_SERVICE_HOST"] = "192.0.2.1" // we run in a pod
		}
		o := d.run("--check-config", "--config", d.file("causes.yaml", c.text+"\n")).exits(exitUsage)
		rest := o.err
		for _, text := range c.says {
			_, after, found := strings.Cut(rest, text)
			if !found {
				t.Errorf("%s: %q is not told, or not in this order:\n%s", name, text, o.err)
			}
			rest = after
		}
		if n := strings.Count(o.err, "error: "); n != len(c.says) {
			t.Errorf("%s: %d mistakes, want %d:\n%s", name, n, len(c.says), o.err)
		}
	}
}

// A file that keeps its reader waiting is none, and one that never ends either.
func TestCheckConfigWaitsForNoFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	pipe := d.folder + "/pipe"
	d.must(syscall.Mkfifo(pipe, 0o600))
	large := d.file("large", strings.Repeat("x", 1<<20+1))
	const text = `tls: {ca_file: %[1]q}
kubernetes: {kubeconfig: %[1]q}
digitalocean: {token_file: %[1]q}
certificates: {ct: {logs: [{url: "https://ct.example/", public_key_file: %[1]q}]}}
`
	for path, says := range map[string]string{pipe: "not a regular file", "/dev/zero": "not a regular file", large: "larger than "} {
		o := d.run("--check-config", "--config", d.file("waits.yaml", fmt.Sprintf(text, path))).exits(exitUsage)
		if n := strings.Count(o.err, says); n != 4 {
			t.Errorf("%s: %d of 4 files are refused:\n%s", path, n, o.err)
		}
	}
}

// A pipe is read to its end once, and a reload would find it empty.
func TestAConfigurationThatCanBeReadOnceIsForOneLook(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	pipe := s.folder + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := s.run("--config", pipe).exits(exitUsage); !strings.Contains(o.err, "it can be read only once, and a reload reads it again\nhint:  write it to a file, or add --once\n") {
		t.Errorf("stderr: %s", o.err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(pipe, []byte("targets: [{host: a.shop.example}]\n"), 0o600) }()
	s.run("--check-config", "--config", pipe).exits(exitClean).says("is good: 1 target")
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
}

// What is good is called good, and nobody is asked.
func TestCheckConfigAsksNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.clientCertificate()
	var asked atomic.Int64
	api := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(api.Close)
	s.file("token", "labsecret\n")
	s.file("url", api.URL+"/services/labsecret\n")
	s.file("elsewhere", fmt.Sprintf(`{clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}],
contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {token: labsecret}}], current-context: c}`, api.URL))
	whole := fmt.Sprintf(`targets:
  - {url: "https://a.shop.example/", client_certificate: {cert_file: client.pem, key_file: client.key}, header_files: {x-key: token}}
tls: {ca_file: ca.pem}
kubernetes: {kubeconfig: elsewhere}
digitalocean: {token_file: token, api_url: %q}
alerts: {slack: {webhook_url_file: url}, heartbeat: {url_file: url}, webhooks: [{name: ops, url_file: url, key_file: token}]}
state: {file: new.json}
`, api.URL)
	s.run("--check-config", "--config", s.file("whole.yaml", whole)).exits(exitClean).says("is good: 1 target, and the hosts that the cluster declares")
	o := s.run("--check-config", "--config", s.file("over.yaml", "targets: [{host: a.shop.example, headers: {X-Key: labsecret}}]\nmaintenance: [{from: 2020-01-01T00:00:00Z, until: 2020-01-02T00:00:00Z}]\n"))
	o.exits(exitClean).says("is good: 1 target\n")
	for _, want := range []string{"over.yaml:1:11: targets[0]: its headers", "over.yaml:2:51: maintenance[0].until: the window is over"} {
		if !strings.Contains(o.err, "note:  "+s.folder+"/"+want) || strings.Contains(o.err, "labsecret") {
			t.Errorf("stderr does not say %q:\n%s", want, o.err)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests", n)
	}
	if _, err := os.Stat(s.folder + "/new.json"); err == nil {
		t.Error("a state was made")
	}
}
