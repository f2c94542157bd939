package main

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"driftprobe/internal/lab"
)

// TestSecretsOfSinksAndTargetsStaySecret has all sinks fail, and what fails repeats what it
// was sent: nothing of it is in the log at any level, a page, a metric, a message, an Event, the
// state, or what the other commands print.
func TestSecretsOfSinksAndTargetsStaySecret(t *testing.T) {
	t.Parallel()
	t.Run("the state is a file", func(t *testing.T) {
		t.Parallel()
		secretsStaySecret(t, stateSection, func(s *stage) string {
			saved, err := os.ReadFile(s.folder + "/state.json")
			s.must(err)
			return string(saved)
		})
	})
	t.Run("the state is a ConfigMap", func(t *testing.T) {
		t.Parallel()
		secretsStaySecret(t, "state: {configmap: ours/state}", func(s *stage) string {
			all, err := json.Marshal(s.Kube.Get("ConfigMap", "ours", "state"))
			s.must(err)
			data, _ := s.Kube.Get("ConfigMap", "ours", "state")["binaryData"].(map[string]any)
			encoded, _ := data["state.json.gz"].(string)
			zipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(encoded)))
			s.must(err)
			saved, err := io.ReadAll(zipped)
			s.must(err)
			return string(all) + string(saved)
		})
	})
}

func secretsStaySecret(t *testing.T, place string, kept func(*stage) string) {
	t.Helper()
	s := newStage(t, ttl)
	var bodies syncBuffer
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&bodies, io.LimitReader(r.Body, 1<<20)) // a client that hangs up is none that tells
		w.Header().Set("Location", "http://"+r.Host+r.URL.String())
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, r.Method, r.URL, r.Header)
	}))
	t.Cleanup(echo.Close)
	s.file("hook", echo.URL+"/sesame-webhook?sesame-query=1")
	s.file("sign", "sesame-signature-key-of-32-bytes")
	s.file("beat", "http://127.0.0.1:1/sesame-heartbeat") // nobody listens there
	s.file("bearer", "sesame-bearer")
	s.file("am-token", "sesame-alertmanager")
	key := s.clientCertificate()
	alerts := strings.Replace(s.alerts(0), "  slack:", fmt.Sprintf(`  webhooks: [{name: tickets, url_file: hook, key_file: sign}, {name: away, url: "http://127.0.0.1:1/sesame-away"}]
  alertmanager: {urls: [%q, "http://127.0.0.1:1"], bearer_token_file: am-token}
  heartbeat: {url_file: beat, every: 1s}
  slack:`, echo.URL), 1)
	targets := fmt.Sprintf(`targets:
  - {url: %q, service: traefik/traefik, bearer_token_file: bearer, client_certificate: {cert_file: client.pem, key_file: client.key}}
  - {url: %q, service: traefik/traefik, method: POST, body: "sesame=body"}
  - {url: %q, service: traefik/traefik, basic_auth: {username: me, password: "sesame-basic"}}`,
		s.url("api.shop.example"), s.url("www.shop.example"), s.url("auth.shop.example"))
	for _, host := range []string{"api.shop.example", "www.shop.example", "auth.shop.example"} {
		s.SetHandler(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprintln(w, r.Header)
		}))
	}
	config := s.whole(hurried, place, alerts, targets)
	v := s.serve("--config", config)
	v.untilReady()
	s.must(s.Slack.Stop())
	s.replaceOnLoopback()
	for _, failure := range []string{
		"sink=webhook/tickets", "answered 500", "sink=webhook/away", "post to the webhook: dial", "the heartbeat did not arrive", "instance=" + echo.URL,
		"instance=http://127.0.0.1:1", "post to Slack: dial",
	} {
		v.until("nothing says "+failure, func() bool { return strings.Contains(v.stderr.String(), failure) })
	}
	v.until("there is no Event", func() bool { return len(s.Kube.List("Event")) > 0 })
	v.until("no message came", func() bool { return strings.Contains(bodies.String(), "firing") })
	var printed strings.Builder
	for _, path := range []string{
		"/", "/host?name=api.shop.example", "/metrics", "/api/v1/snapshot", "/probe?target=" + url.QueryEscape(s.url("api.shop.example")), "/debug/pprof/cmdline",
	} {
		for _, kind := range []string{"text/plain", "text/html"} {
			_, page, _ := v.ask(http.MethodGet, path, "Accept", kind)
			printed.WriteString(page)
		}
	}
	good := s.read(config, "")
	for _, broken := range misspelt {
		bad := strings.Replace(good, `password: "sesame-basic"}`, broken, 1)
		if bad == good {
			t.Fatal("nothing was broken")
		}
		s.file("driftprobe.yaml", bad)
		status, page, _ := v.ask(http.MethodPost, "/-/reload")
		equal(t, "reload with "+broken, status, http.StatusInternalServerError)
		printed.WriteString(page + s.run("--check-config", "--config", config).exits(exitUsage).err)
	}
	s.file("driftprobe.yaml", good)
	v.end()
	events, err := json.Marshal(s.Kube.List("Event"))
	s.must(err)
	printed.WriteString(kept(s) + bodies.String() + string(events) + v.stdout.String() + v.stderr.String())
	for _, args := range [][]string{{"--check-config"}, {"--once", "-v", "--log.level", "debug"}, {"--once", "-o", "json"}, {"--once", "-o", "junit"}} {
		o := s.run(append(args, "--config", config)...)
		printed.WriteString(o.out + o.err)
	}
	basic := base64.StdEncoding.EncodeToString([]byte("me:sesame-basic"))
	for _, secret := range []string{"sesame", "labsecret", basic, key} {
		if i := strings.Index(printed.String(), secret); i >= 0 {
			t.Errorf("the secret %q is printed: …%s…", secret, printed.String()[max(0, i-200):min(i+200, printed.Len())])
		}
	}
}

// misspelt are ways to write a password, and other secrets, that are refused.
var misspelt = []string{
	`passwort: "sesame-basic"}`, `password: "sesame-basic}`, `password: [sesame-basic]}`, `password: {a: sesame-basic}}`, `password: !!int sesame-basic}`,
	`password: "sesame\u0000-basic"}`, `password: "sesame-basic", password: "sesame-basic"}`, `password: "sesame-basic"} sesame`,
	`password: x}, headers: [sesame-header]`, `password: x}, headers: {X-Key: {sesame: header}}`, `password: x}, headers: {"X-Key": "sesame\n"}`,
	`password: x}, basic_auth: sesame-basic`, `password: x}, body: {sesame: 1}`, `password: x}, bearer_token_file: [sesame-bearer]`,
	`password: *sesame}`, `password: &sesame }`, `password: !sesame x}`,
}

// clientCertificate writes client.pem and client.key, and returns a line of the key.
func (s *stage) clientCertificate() string {
	s.t.Helper()
	cert, err := s.CA.Issue(lab.CertSpec{Names: []string{"client.shop.example"}})
	s.must(err)
	var chain strings.Builder
	for _, c := range cert.Certificate {
		s.must(pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c}))
	}
	private, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		s.t.Fatalf("a key of type %T", cert.PrivateKey)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	s.must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	s.file("client.pem", chain.String())
	s.file("client.key", text)
	return strings.Split(text, "\n")[1]
}
