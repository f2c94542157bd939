package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// The one load balancer of the world, as the lab's DigitalOcean has it.
func (s *stage) balancer() lab.LoadBalancer {
	s.t.Helper()
	for _, lb := range s.DO.LoadBalancers() {
		if lb.IP == s.OldAddr.String() {
			return lb
		}
	}
	s.t.Fatal("no load balancer at the old address")
	return lab.LoadBalancer{}
}

// annotate changes the Service, as a person does, and lets the controller act.
func (s *stage) annotate(key, value string) {
	s.t.Helper()
	svc := s.Kube.Get("Service", "traefik", "traefik")
	annotations, _ := svc["metadata"].(map[string]any)["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[key] = value
	svc["metadata"].(map[string]any)["annotations"] = annotations
	s.must(s.Kube.Apply(svc))
	for range 2 {
		s.must(s.Cloud.Sync(s.t.Context()))
	}
}

// The address changes at DigitalOcean: Kubernetes is not told, and keeps the old one
// until somebody touches the Service.
func TestTheAddressChangesInTheCloudAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	s.run("--once", "--config", config).exits(exitClean)
	lb := s.balancer()
	lb.IP = s.NewAddr.String()
	s.DO.PutLoadBalancer(lb)
	s.must(s.Cloud.Sync(t.Context()))

	out := s.run("--once", "--config", config).exits(exitFound).says(
		"Kubernetes and DigitalOcean disagree about the address of traefik/traefik",
		fmt.Sprintf("Service.status %s: does not answer: connection refused", s.OldAddr),
		fmt.Sprintf("DigitalOcean %s: answers for all 14 names behind it", s.NewAddr),
		fmt.Sprintf("clients are served at %s, and not at %s", s.NewAddr, s.OldAddr),
	)
	out.isSilentOn("stale-record", "replaced", "points at")
	in := onlyIncident(t, s.run("--once", "-o", "json", "--config", config).exits(exitFound).report())
	equal(t, "code", in.Code, finding.LBAddressMismatch)
	equal(t, "severity: clients fail", in.Severity, finding.Critical)
	equalList(t, "hosts", in.Hosts, s.sortedHosts()...)

	s.annotate("touched", "yes")
	equal(t, "status", s.LBAddr(), s.NewAddr)
	s.run("--once", "--config", config).exits(exitFound).says(
		"DNS still points at a load balancer that no longer exists", fmt.Sprintf("%s → %s, replaced", s.OldAddr, s.NewAddr), "only DNS is wrong",
	)
}

// The balancer is deleted in the console; at the next change of the Service there is a
// new one, with another id and another address.
func TestTheBalancerIsDeletedAndMadeAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	s.run("--once", "--config", config).exits(exitClean)
	s.DO.RemoveLoadBalancer(s.balancer().ID)
	s.must(s.Cloud.Sync(t.Context()))
	s.run("--once", "--config", config).exits(exitFound).
		says("CRITICAL", "the cloud has no load balancer for the Service traefik/traefik", "touch the Service").isSilentOn("stale-record", "suddenly empty")
	s.annotate("touched", "yes")
	in := onlyIncident(t, s.run("--once", "-o", "json", "--config", config).exits(exitFound).report())
	equal(t, "code", in.Code, finding.DNSStaleRecord)
	equalList(t, "hosts", in.Hosts, s.sortedHosts()...)
}

// The same empty list, but the balancer answers: then the list is wrong, for example
// because the token is of another team by now.
func TestTheAccountIsSuddenlyEmpty(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	s.run("--once", "--config", config).exits(exitClean)
	s.DO.SetFault(lab.HTTPFor("GET", "/v2/load_balancers", lab.HTTPStatus(http.StatusOK, `{"load_balancers":[],"links":{},"meta":{"total":0}}`)))
	r := s.run("--once", "-o", "json", "--config", config).exits(exitUnknown).isSilentOn("lb/missing").report()
	equalList(t, "codes", codesFrom(r, finding.Unknown), finding.SelfSourceDegraded)
	s.run("--once", "--config", config).exits(exitUnknown).says("suddenly empty", s.OldAddr.String()+" still answers", "account or team")
	s.DO.SetFault(nil)
	s.run("--once", "--config", config).exits(exitClean)
}

// A list that lacks one balancer of two, which answers, is doubted. The same list with
// nobody there is believed at once.
func TestOneBalancerSlipsOutOfTheList(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	s.run("--once", "--config", config).exits(exitClean)
	other := `{"load_balancers":[{"id":"other","name":"other","ip":"203.0.113.200","status":"active"}],"links":{},"meta":{"total":1}}`
	s.DO.SetFault(lab.HTTPFor("GET", "/v2/load_balancers", lab.HTTPStatus(http.StatusOK, other)))
	for range 2 {
		r := s.run("--once", "-o", "json", "--config", config).exits(exitUnknown).isSilentOn("lb/missing", "stale-record").report()
		equalList(t, "codes", codesFrom(r, finding.Unknown), finding.SelfSourceDegraded)
	}
	s.run("--once", "--config", config).exits(exitUnknown).says("lacks the load balancer of traefik/traefik", s.OldAddr.String()+" still answers", "if the next list lacks it too")
	s.DO.SetFault(nil)
	s.run("--once", "--config", config).exits(exitClean)

	s.DO.SetFault(lab.HTTPFor("GET", "/v2/load_balancers", lab.HTTPStatus(http.StatusOK, other)))
	s.DO.RemoveLoadBalancer(s.balancer().ID)
	s.must(s.Cloud.Sync(t.Context()))
	s.run("--once", "--config", config).exits(exitFound).says("the cloud has no load balancer for the Service traefik/traefik").isSilentOn("stale-record")
}

// A Service that is known by a hostname only: the cloud alone knows the address.
func TestHostnameInsteadOfAnAddress(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	s.annotate("service.beta.kubernetes.io/do-loadbalancer-hostname", "lb.shop.example")
	equal(t, "address in the status", s.LBAddr(), netip.Addr{})
	s.run("--once", "--config", config).exits(exitClean).says("traefik/traefik  " + s.OldAddr.String())
	lb := s.balancer()
	lb.IP = s.NewAddr.String()
	s.DO.PutLoadBalancer(lb)
	s.run("--once", "--config", config).exits(exitFound).says(fmt.Sprintf("%s → %s, replaced", s.OldAddr, s.NewAddr), "only DNS is wrong")
}

// A Service that was disowned and deleted leaves its balancer behind: it works until
// somebody tidies up, and the names still point at it.
func TestADisownedServiceLeavesAnOrphan(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)
	lb := s.balancer()
	lb.Created = time.Now().Add(-time.Hour)
	s.DO.PutLoadBalancer(lb)
	s.annotate("service.kubernetes.io/do-loadbalancer-disown", "true")
	s.run("--once", "--config", config).exits(exitClean)
	s.replace()
	r := s.run("--once", "-o", "json", "--config", s.whole()).exits(exitFound).report()
	orphans := coded(r, finding.LBOrphan)
	if len(orphans) != 1 || orphans[0].Subject.Name != lb.ID {
		t.Fatalf("orphans: %+v", orphans)
	}
	in := onlyIncident(t, r)
	equal(t, "code", in.Code, finding.DNSStaleRecord)
	equal(t, "severity: the old one still answers", in.Severity, finding.Warning)
	s.run("--once", "--config", s.whole()).exits(exitFound).says("which is tagged for this cluster and which no Service owns")
}

// Where the zone is at DigitalOcean and the token may read it, the fix names the record.
func TestTheFixNamesTheRecord(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole()
	s.run("--once", "--config", config).exits(exitClean)
	domains := func() (n int) {
		for _, q := range s.DO.Requests.All() {
			if strings.HasPrefix(q.Path, "/v2/domains") {
				n++
			}
		}
		return n
	}
	equal(t, "questions for records while all is well", domains(), 0)
	s.replace()
	command := "doctl compute domain records update shop.example --record-id 22 --record-data " + s.NewAddr.String()
	s.run("--once", "--config", config).exits(exitFound).says(command)
	equal(t, "questions for records", domains(), 1)
	s.DO.SetScope("/v2/domains", false)
	s.run("--once", "--config", config).exits(exitFound).says("only DNS is wrong").isSilentOn("doctl", "source-degraded", "(403)")
}

// From inside the cluster the probe goes past the load balancer, and does to the ingress
// controller what the load balancer would.
func TestInsideTheCluster(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
	config := s.whole()
	tests := "this probe tests the ingress controller behind traefik/traefik, and not its load balancer"
	s.run("--once", "--config", config).exits(exitClean).says("OK  14 hostnames", tests).isSilentOn("PROXY")

	s.Balancer(s.OldAddr).SetMode(lab.ModePROXY)
	s.run("--once", "--config", config).exits(exitFound).says("CRITICAL", "the ingress controller behind traefik/traefik does not answer")
	s.annotate("service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol", "true")
	s.run("--once", "--config", config).exits(exitClean).says("OK  14 hostnames", tests, "to whom it speaks PROXY protocol as the load balancer does")

	// One that does not take it from us is no fault that clients see.
	s.Balancer(s.OldAddr).SetMode(lab.ModeServe)
	r := s.run("--once", "-o", "json", "--config", config).exits(exitUnknown).report()
	equalList(t, "codes", codesFrom(r, finding.Unknown), finding.SelfBypassed)

	// From outside the same annotation changes nothing.
	delete(s.env, "KUBERNETES_SERVICE_HOST")
	s.run("--once", "--config", config).exits(exitClean).isSilentOn("this probe tests")
}

// From the change in the cluster to the report it takes seconds. That no look is waited
// for is proven in internal/monitor, with looks a day apart.
func TestSecondsFromTheClusterToTheReport(t *testing.T) {
	s := newStage(t, ttl)
	v := s.serve("--config", s.whole("interval: 300s\ntimeout: 4s"))
	v.untilReady()
	measure := func(what string, change func(), seen func(finding.Report) bool) {
		began := time.Now()
		change()
		var report finding.Report
		v.until(what, func() bool { report = v.report(); return seen(report) })
		t.Logf("%s: %s after the change", what, time.Since(began).Round(time.Millisecond))
		for _, in := range report.Incidents {
			if in.Severity >= finding.Critical {
				equalList(t, what+": hosts", in.Hosts, s.sortedHosts()...)
			}
		}
	}
	with := func(code finding.Code) func(finding.Report) bool {
		return func(r finding.Report) bool { return len(coded(r, code)) > 0 }
	}
	lb := s.balancer()
	measure("a new address in Service.status", func() {
		lb.IP = s.NewAddr.String()
		s.DO.PutLoadBalancer(lb)
		s.annotate("touched", "yes")
	}, func(r finding.Report) bool {
		return with(finding.LBReplaced)(r) && len(coded(r, finding.DNSStaleRecord)) == len(s.Hosts)
	})
	measure("a deleted Service", func() { s.must(s.DeleteTraefik(t.Context())) }, with(finding.LBMissing))
	v.end()
	lists := 0
	for _, q := range s.DO.Requests.All() {
		if q.Method == http.MethodGet && q.Path == "/v2/load_balancers" && strings.Contains(q.Header.Get("User-Agent"), "driftprobe") {
			lists++
		}
	}
	equal(t, "lists of the account in the first minute", lists, 1)
}
