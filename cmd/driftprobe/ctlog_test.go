package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// issuancesOf is SSLMate's answer: n certificates for one set of names, one each hour.
func issuancesOf(t *testing.T, n int, host string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{Subject: pkix.Name{Organization: []string{"Let's Encrypt"}, CommonName: "E7"}}
	page := []map[string]any{}
	for i := range n {
		at := time.Now().Add(-time.Duration(n-i) * time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), DNSNames: []string{host}, NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour),
		}, issuer, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		page = append(page, map[string]any{"id": fmt.Sprint(i + 1), "cert_der": der})
	}
	text, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Nobody serves the host: only the public logs tell what was issued for it.
func TestCertificatesThatOnlySSLMateKnows(t *testing.T) {
	t.Parallel()
	page := issuancesOf(t, 5, "www.shop.example.com")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer the-second-key":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Get("after") == "":
			_, _ = w.Write(page)
		default:
			_, _ = w.Write([]byte("[]"))
		}
	}))
	t.Cleanup(server.Close)
	d := newDesk(t)
	config := d.file("driftprobe.yaml", fmt.Sprintf(`timeout: 1s
targets: [{url: "https://www.shop.example.com/"}]
dns: {timeout: 1s, root_servers: [127.0.0.1], port: 1, resolvers: []}
certificates: {authorities: [Example Trust], ct: {certspotter: {api_url: %q, key_file: key}}}
`, server.URL))

	d.run("--once", "--config", config).exits(exitUsage).isComplaint("certificates.ct.certspotter.key_file: there is no file")
	d.file("key", "the-first-key\n")
	refused := d.run("--once", "--config", config)
	refused.says("SSLMate does not accept the key (401)", "certificates known to SSLMate: never read to the end yet")
	if strings.Contains(refused.out+refused.err, "the-first-key") {
		t.Error("the key is shown")
	}
	d.file("key", "the-second-key\n")
	d.run("--once", "--config", config).exits(exitFound).says(
		"certificates of www.shop.example.com are ordered again and again, and Let's Encrypt refuses new ones until",
		"a certificate for www.shop.example.com was issued by Let's Encrypt",
		"Certificate Transparency: SSLMate", "certificates known to SSLMate: read just now",
	)
}

func TestALogWithoutAUsableKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	config := d.file("driftprobe.yaml", `targets: [{url: "https://www.shop.example/"}]
certificates: {ct: {logs: [{url: "https://ct.example/", public_key_file: log.pem}]}}
`)
	d.run("--once", "--config", config).exits(exitUsage).isComplaint("driftprobe.yaml:2:74: certificates.ct.logs[0].public_key_file: ")
	d.file("log.pem", "not a key")
	d.run("--once", "--config", config).exits(exitUsage).isComplaint("/log.pem: it holds no public key in PEM form")
}
