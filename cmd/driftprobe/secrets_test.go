package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"driftprobe/internal/lab"
)

// TestSecretsOfSinksAndTargetsStaySecret has all sinks fail, and what fails repeats what it
// was sent: nothing of it is in the log at any level, a page, a metric or the state.
func TestSecretsOfSinksAndTargetsStaySecret(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+r.URL.String())
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintln(w, r.Method, r.URL, r.Header)
	}))
	t.Cleanup(echo.Close)
	s.file("hook", echo.URL+"/sesame-webhook?sesame-query=1")
	s.file("sign", "sesame-signature-key-of-32-bytes")
	s.file("beat", echo.URL+"/sesame-heartbeat")
	s.file("bearer", "sesame-bearer")
	s.file("am-token", "sesame-alertmanager")
	key := s.clientCertificate()
	alerts := strings.Replace(s.alerts(0), "  slack:", fmt.Sprintf(`  webhooks: [{name: tickets, url_file: hook, key_file: sign}]
  alertmanager: {urls: [%q], bearer_token_file: am-token}
  heartbeat: {url_file: beat, every: 10s}
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
	v := s.serve("--config", s.whole(hurried, stateSection, alerts, targets))
	v.untilReady()
	for _, sink := range []string{"tickets", "Alertmanager"} {
		v.until(sink+" was not reached", func() bool {
			return strings.Contains(v.stderr.String(), sink) && strings.Contains(v.stderr.String(), "500")
		})
	}
	s.must(s.Slack.Stop())
	s.replaceOnLoopback()
	v.until("Slack was not reached", func() bool { return strings.Contains(v.stderr.String(), "post to Slack") })
	var printed strings.Builder
	for _, path := range []string{"/", "/host?name=api.shop.example", "/metrics", "/api/v1/snapshot"} {
		for _, kind := range []string{"text/plain", "text/html"} {
			_, page, _ := v.ask(http.MethodGet, path, "Accept", kind)
			printed.WriteString(page)
		}
	}
	v.end()
	saved, err := os.ReadFile(s.folder + "/state.json")
	s.must(err)
	printed.Write(saved)
	printed.WriteString(v.stdout.String() + v.stderr.String())
	basic := base64.StdEncoding.EncodeToString([]byte("me:sesame-basic"))
	for _, secret := range []string{"sesame", "labsecret", basic, key} {
		if i := strings.Index(printed.String(), secret); i >= 0 {
			t.Errorf("the secret %q is printed: …%s…", secret, printed.String()[max(0, i-200):min(i+200, printed.Len())])
		}
	}
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
