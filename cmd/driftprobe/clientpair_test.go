package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/config"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/probe"
)

// pair writes a pair of files, or one of the two if the other's name is empty.
func (d *desk) pair(certFile, keyFile string, c tls.Certificate) {
	d.t.Helper()
	if certFile != "" {
		d.file(certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
	}
	if keyFile != "" {
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		d.must(err)
		d.file(keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
}

// TestAClientKeyThatIsBeingReplaced: a look that falls between the two writes of a
// renewal goes on with the former pair, to a server that demands one.
func TestAClientKeyThatIsBeingReplaced(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ca, err := lab.NewCA("Clients")
	d.must(err)
	issue := func(name string) tls.Certificate {
		c, err := ca.Issue(lab.CertSpec{Names: []string{name}, Alter: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }})
		d.must(err)
		return c
	}
	first, second := issue("first.example"), issue("second.example")
	own, err := ca.Issue(lab.CertSpec{Names: []string{"api.shop.example"}})
	d.must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	d.must(err)
	var met []string
	server := &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			met = append(met, r.TLS.PeerCertificates[0].DNSNames[0])
		}),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	defer func() { _ = server.Close() }()
	at := netip.MustParseAddrPort(listener.Addr().String())

	d.pair("client.pem", "client-key.pem", first)
	cfg, err := config.Load(d.file("c.yaml", `targets:
  - url: https://api.shop.example/
    client_certificate: {cert_file: client.pem, key_file: client-key.pem}
`))
	d.must(err)
	secrets, prober := secretsOf(cfg.Targets), probe.New(probe.Settings{Roots: ca.Pool(), Timeout: time.Minute})
	goal := targetOf(cfg.Targets[0], "config")
	look := func(what, want string) {
		t.Helper()
		r, err := secrets(probe.Request{Target: goal, Address: at, Pinned: true})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.Target.Port = at.Port()
		if o := prober.Observe(t.Context(), r); o.HTTP == nil {
			t.Fatalf("%s: %+v", what, o.Fault)
		}
		equal(t, what, met[len(met)-1], want)
	}
	look("at first", "first.example")
	d.pair("client.pem", "", second)
	look("with the certificate replaced, and not the key", "first.example")
	d.file("client-key.pem", "-----BEGIN PRIV")
	look("with half of the key written", "first.example")
	d.pair("", "client-key.pem", second)
	look("with both replaced", "second.example")
}

// TestABrokenClientPairIsTold when it stays broken, and at once where none was good.
func TestABrokenClientPairIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ca, err := lab.NewCA("Clients")
		d.must(err)
		own, err := ca.Issue(lab.CertSpec{Names: []string{"probe.example"}})
		d.must(err)
		cfg := config.Config{Targets: []config.Target{{URL: "https://api.shop.example/", Host: "api.shop.example"}}}
		cfg.Targets[0].ClientCertificate.CertFile = d.file("client.pem", "")
		cfg.Targets[0].ClientCertificate.KeyFile = d.file("client-key.pem", "")
		secrets := secretsOf(cfg.Targets)
		works := func() bool {
			r, err := secrets(probe.Request{Target: inventory.Target{Key: cfg.Targets[0].Key()}})
			return err == nil && r.Certificate != nil
		}
		equal(t, "a pair that never was one", works(), false)
		d.pair("client.pem", "client-key.pem", own)
		equal(t, "a pair", works(), true)
		d.file("client-key.pem", "")
		equal(t, "broken now", works(), true)
		time.Sleep(rewriting - time.Second)
		equal(t, "broken for less than a minute", works(), true)
		time.Sleep(time.Second)
		equal(t, "broken for a minute", works(), false)
		d.pair("", "client-key.pem", own)
		equal(t, "mended", works(), true)
		d.file("client.pem", "")
		equal(t, "broken anew", works(), true)
	})
}
