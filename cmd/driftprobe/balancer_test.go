package main

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/lab"
)

func TestServiceDeletedAndNotCreatedAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	s.run("--once", "--config", config).exits(exitClean)
	s.must(s.DeleteTraefik(t.Context()))
	s.run("--once", "--config", config).exits(exitFound).says("CRITICAL", "traefik/traefik", "14 hostnames").isSilentOn("only DNS is wrong")
	in := onlyIncident(t, s.run("--once", "-o", "json", "--config", config).exits(exitFound).report())
	equal(t, "code", in.Code, finding.LBMissing)
	equal(t, "severity", in.Severity, finding.Critical)
	equalList(t, "hosts", in.Hosts, s.sortedHosts()...)
}

func TestBalancerDeletedInTheCloud(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	for _, lb := range s.DO.LoadBalancers() {
		s.DO.RemoveLoadBalancer(lb.ID)
	}
	text := s.run("--once", "--config", s.whole()).exits(exitFound).says("CRITICAL", "traefik/traefik", "cloud", s.OldAddr.String())
	text.isSilentOn("only DNS is wrong", "stale-record")
	in := onlyIncident(t, s.run("--once", "-o", "json", "--config", s.whole()).exits(exitFound).report())
	equal(t, "code", in.Code, finding.LBMissing)
	equalList(t, "hosts", in.Hosts, s.sortedHosts()...)
}

// The cloud does not tell: that is unknown, and no reason to call records stale.
func TestCloudDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*lab.DigitalOcean){
		"it answers 500":             func(d *lab.DigitalOcean) { d.SetFault(lab.HTTPStatus(500, "{}")) },
		"it never answers":           func(d *lab.DigitalOcean) { d.SetFault(lab.HTTPHang) },
		"the token is refused (401)": func(d *lab.DigitalOcean) { d.SetToken("an0ther-token") },
		"the scope is missing (403)": func(d *lab.DigitalOcean) { d.SetScope("/v2/load_balancers", false) },
		"the list breaks off":        func(d *lab.DigitalOcean) { d.SetFault(d.Half) },
		"nothing listens":            func(d *lab.DigitalOcean) { _ = d.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, ttl)
			fault(s.DO)
			config := s.whole()
			text := s.run("--once", "--config", config).exits(exitUnknown).says("UNKNOWN", "DigitalOcean", "fix")
			text.isSilentOn("stale", "critical", s.DOToken())
			r := s.run("--once", "-o", "json", "--config", config).exits(exitUnknown).isSilentOn(s.DOToken()).report()
			equalList(t, "codes", codesFrom(r, finding.Unknown), finding.SelfSourceDegraded)
			equal(t, "source", onlyIncident(t, r).Subject.Source, "DigitalOcean")
		})
	}
}

func TestClusterDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*lab.Kubernetes){
		"nothing listens":            func(k *lab.Kubernetes) { _ = k.Stop() },
		"the token is refused (401)": func(k *lab.Kubernetes) { k.SetToken("another") },
		"services are denied (403)":  func(k *lab.Kubernetes) { k.SetAllowed("services", false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, ttl)
			target := fmt.Sprintf("targets: [{url: %q, service: traefik/traefik}]", s.url("api.shop.example"))
			config := s.whole(stateSection, target)
			s.run("--once", "--config", config).exits(exitClean)
			fault(s.Kube)
			s.run("--once", "--config", config).exits(exitUnknown).says("UNKNOWN", "kubernetes", "fix").
				isSilentOn("stale-record", "points at", "critical", "lab-token")
			r := s.run("--once", "-o", "json", "--config", config).exits(exitUnknown).isSilentOn("lab-token").report()
			if len(coded(r, finding.SelfSourceDegraded)) == 0 || len(coded(r, finding.DNSStaleRecord)) > 0 {
				t.Errorf("codes %v, want self/source-degraded and not dns/stale-record", codesFrom(r, finding.Unknown))
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	issue := func(spec lab.CertSpec) func(*stage) error {
		return func(s *stage) error {
			cert, err := s.CA.Issue(spec)
			s.Balancer(s.OldAddr).SetCertificates(cert)
			return err
		}
	}
	for name, c := range map[string]struct {
		breakIt func(*stage) error
		code    finding.Code
		says    string
	}{
		"Traefik lost its certificates": {
			func(s *stage) error { return s.LoseCertificates() }, finding.TLSDefaultCertificate, "TRAEFIK DEFAULT CERT",
		},
		"the certificate has expired": {
			issue(lab.CertSpec{Names: []string{"*.shop.example"}, NotBefore: time.Now().Add(-90 * 24 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}),
			finding.TLSExpired, "expired",
		},
		"the certificate is for another name": {
			issue(lab.CertSpec{Names: []string{"*.staging.shop.example"}}), finding.TLSNameMismatch, "*.staging.shop.example",
		},
		"an intermediate is missing": {
			issue(lab.CertSpec{Names: []string{"*.shop.example"}, OmitIntermediates: true}), finding.TLSUntrusted, "present the whole chain",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, ttl)
			s.must(c.breakIt(s))
			s.run("--once", "--config", s.whole()).exits(exitFound).says("CRITICAL", c.says, "14 hostnames").isSilentOn("stale")
			in := onlyIncident(t, s.run("--once", "-o", "json", "--config", s.whole()).exits(exitFound).report())
			equal(t, "code", in.Code, c.code)
			equal(t, "severity", in.Severity, finding.Critical)
			equalList(t, "hosts", in.Hosts, s.sortedHosts()...)
		})
	}
}

// While the old load balancer lives on, clients are served: it is a warning. And
// whoever has the old address now must not be sent a request, nor a secret.
func TestStranger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cert     func(*stage) (tls.Certificate, error)
		severity finding.Severity
	}{
		"with a valid certificate": {
			func(s *stage) (tls.Certificate, error) {
				return s.CA.Issue(lab.CertSpec{Names: []string{"*.shop.example"}})
			},
			finding.Warning,
		},
		"with a certificate of its own": {
			func(*stage) (tls.Certificate, error) {
				return lab.SelfSigned(lab.CertSpec{Names: []string{"elsewhere.example"}})
			},
			finding.Critical,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, ttl)
			target := fmt.Sprintf("targets: [{url: %q, service: traefik/traefik, headers: {Authorization: open-sesame}}]", s.url("api.shop.example"))
			s.run("--once", "--config", s.whole(target)).exits(exitClean)
			s.replace()
			stranger := s.Balancer(s.OldAddr)
			cert, err := c.cert(s)
			s.must(err)
			stranger.SetCertificates(cert)
			s.must(stranger.Start())
			stranger.Requests.Reset()
			stranger.Hellos.Reset()

			r := s.run("--once", "-o", "json", "--config", s.whole(target)).exits(exitFound).report()
			equal(t, "severity", onlyIncident(t, r).Severity, c.severity)
			equal(t, "HTTP requests to the stranger", stranger.Requests.Len(), 0)
			if stranger.Hellos.Len() == 0 {
				t.Error("nobody looked who answers at the old address")
			}
			code := map[finding.Severity]int{finding.Warning: exitClean, finding.Critical: exitFound}[c.severity]
			s.run("--once", "--config", s.whole(target), "--fail-on", "critical").exits(code)
			sent := 0
			for _, q := range s.Balancer(s.NewAddr).Requests.All() {
				if q.Header.Get("Authorization") == "open-sesame" {
					equal(t, "host of the request with the secret", strings.Split(q.Host, ":")[0], "api.shop.example")
					sent++
				}
			}
			if sent == 0 {
				t.Error("the load balancer itself was not sent the target's header")
			}
		})
	}
}
