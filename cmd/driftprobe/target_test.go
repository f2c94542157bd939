package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"strings"
	"testing"

	"driftprobe/config"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/probe"
)

// TestSecretsAreReadAnew: a file that is replaced is used at the next probe, one that
// is gone is an error that names it, and no secret is in the inventory.
func TestSecretsAreReadAnew(t *testing.T) {
	d := newDesk(t)
	d.file("token", "old-token\n")
	d.file("body", `{"body": "old-body"}`)
	d.file("key", "old-key")
	cfg, err := config.Load(d.file("c.yaml", `targets:
  - url: https://api.shop.example/
    method: POST
    body_file: body
    bearer_token_file: token
    header_files: {X-Api-Key: key}
  - {url: https://www.shop.example/, basic_auth: {username: probe, password: inline-password}}
  - url: https://static.shop.example/
`))
	d.must(err)
	secrets := secretsOf(cfg.Targets)
	ask := func(key string) (probe.Request, error) {
		return secrets(probe.Request{Target: inventory.Target{Key: key}})
	}
	const api = "https://api.shop.example/"
	r, err := ask(api)
	d.must(err)
	equal(t, "token", r.Headers.Get("Authorization"), "Bearer old-token")
	equal(t, "key", r.Headers.Get("X-Api-Key"), "old-key")
	equal(t, "body", string(r.Body), `{"body": "old-body"}`)
	d.file("token", "new-token")
	r, err = ask(api)
	d.must(err)
	equal(t, "token that was replaced", r.Headers.Get("Authorization"), "Bearer new-token")
	d.must(os.Remove(d.folder + "/body"))
	if _, err := ask(api); err == nil || !strings.Contains(err.Error(), "body") || strings.Contains(err.Error(), "new-token") {
		t.Errorf("without the body: %v", err)
	}
	r, err = ask("https://www.shop.example/")
	d.must(err)
	user, password, _ := (&http.Request{Header: r.Headers}).BasicAuth()
	equal(t, "user and password", user+" "+password, "probe inline-password")
	r, err = ask("https://static.shop.example/")
	if err != nil || r.Headers != nil || r.Body != nil || r.Certificate != nil {
		t.Errorf("nothing secret: %+v, %v", r, err)
	}
	target := targetOf(cfg.Targets[0], "config")
	if !target.SendsBody || target.Method != "POST" {
		t.Errorf("%+v", target)
	}
}

// TestClientCertificates: a pair is read from its files; what is no pair is told at
// the start.
func TestClientCertificates(t *testing.T) {
	d := newDesk(t)
	ca, err := lab.NewCA("Clients")
	d.must(err)
	own, err := ca.Issue(lab.CertSpec{Names: []string{"probe.example"}})
	d.must(err)
	other, err := ca.Issue(lab.CertSpec{Names: []string{"other.example"}})
	d.must(err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key := func(k any) string {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		d.must(err)
		return block("PRIVATE KEY", der)
	}
	d.file("client.pem", block("CERTIFICATE", own.Certificate[0]))
	d.file("client-key.pem", key(own.PrivateKey))
	cfg, err := config.Load(d.file("c.yaml", `targets:
  - url: https://api.shop.example/
    client_certificate: {cert_file: client.pem, key_file: client-key.pem}
`))
	d.must(err)
	if pair, err := certified(cfg.Targets[0]); err != nil || pair == nil {
		t.Fatal(pair, err)
	}
	if wrong := cfg.Unusable(); len(wrong) > 0 {
		t.Error(wrong)
	}
	d.file("client-key.pem", key(other.PrivateKey))
	if _, err := certified(cfg.Targets[0]); err == nil || !strings.Contains(err.Error(), "are no pair") {
		t.Errorf("another key: %v", err)
	}
}

// TestEveryKindOfTarget is looked at in the world of the outage, from the
// configuration to the report.
func TestEveryKindOfTarget(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.SetHandler("api.shop.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok","proto":"` + r.Proto + `"}`))
	}))
	address := "addresses: [" + s.OldAddr.String() + "]"
	api := strings.TrimSuffix(s.url("api.shop.example"), "/")
	tcp := strings.Replace(api, "https:", "tcp:", 1)
	plain := strings.Replace(api, "https:", "http:", 1)
	good := s.configuration("good.yaml", `targets:
  - {url: "`+api+`/", `+address+`, expect: {json: {status: '^ok$', proto: HTTP/2}, protocol: h2}}
  - {url: "`+tcp+`", `+address+`}
  - {url: "`+strings.Replace(tcp, "tcp:", "tls:", 1)+`", `+address+`}
  - {url: "tcp://www.shop.example:1", `+address+`, expect: {unreachable: true}}`)
	s.run("--config", good, "--once").exits(exitClean)
	bad := s.configuration("bad.yaml", `targets:
  - {url: "`+api+`/", `+address+`, expect: {json: {status: '^down$'}}}
  - {url: "`+tcp+`", `+address+`, expect: {unreachable: true}}
  - {url: "`+plain+`", `+address+`}`)
	s.run("--config", bad, "--once", "-v").exits(exitFound).says("http/body", "status: ok", "http/reachable", "http/status", "speaks TLS: watch https://")
	s.run("--config", s.configuration("quiet.yaml", s.read(bad, "targets:"), `maintenance: [{from: 2000-01-01T00:00:00Z, until: 2999-01-01T00:00:00Z}]`), "--once").exits(exitClean)
}

// read is the part of a file from the words on.
func (d *desk) read(path, from string) string {
	text, err := os.ReadFile(path)
	d.must(err)
	return string(text[strings.Index(string(text), from):])
}
