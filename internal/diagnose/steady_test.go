package diagnose_test

import (
	"fmt"
	"strings"
	"testing"

	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// What differs from look to look within one answer makes no other incident: none would last
// long enough to be told, or each would end the one before.
func TestOneTroubleIsOneIncident(t *testing.T) {
	no := false
	for name, bend := range map[string]func(o *probe.Observation, n int){
		"Retry-After counts down":   func(o *probe.Observation, n int) { o.HTTP.Status, o.HTTP.RetryAfter = 503, fmt.Sprint(3600-30*n) },
		"backends with names":       func(o *probe.Observation, n int) { o.HTTP.Status, o.HTTP.Server = 503, fmt.Sprint("web-", n) },
		"502, 503 and 504 by turns": func(o *probe.Observation, n int) { o.HTTP.Status = 502 + n%3 },
		"a login with a state": func(o *probe.Observation, n int) {
			o.HTTP.Status, o.HTTP.Location = 302, fmt.Sprint("https://sso.example/?state=", n)
		},
		"a body of changing length":  func(o *probe.Observation, n int) { o.HTTP.BodyMatched, o.HTTP.BodyBytes = &no, 4000+int64(n) },
		"a value in JSON that moves": func(o *probe.Observation, n int) { o.HTTP.JSONWrong = []string{fmt.Sprint("lag: ", n)} },
		"a missing header": func(o *probe.Observation, n int) {
			o.HTTP.HeadersMissing, o.HTTP.Server = []string{"X-Frame-Options"}, fmt.Sprint(n)
		},
		"a client certificate wanted": func(o *probe.Observation, n int) {
			o.TLS.ClientCertificate, o.HTTP.Status, o.HTTP.Server = true, 400, fmt.Sprint(n)
			o.HTTP.WantsCertificate = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			ids := map[string]bool{}
			for n := range 6 {
				b := shop("www.shop.example")
				b.Inventory.Targets[0].Expect = inventory.Expect{Status: []inventory.StatusRange{{From: 200, To: 299}}, BodyRegex: "welcome"}
				b.publish("www.shop.example", 300, newAddr).probe("www.shop.example", newAddr, func(o *probe.Observation) { good(o); bend(o, n) })
				r := diagnose.Diagnose(diagnose.Policy{}, noon(), b.Snapshot)
				if len(r.Incidents) != 1 {
					t.Fatalf("look %d: %+v", n, r.Incidents)
				}
				ids[r.Incidents[0].ID] = true
			}
			if len(ids) != 1 {
				t.Errorf("incidents %v", ids)
			}
		})
	}
}

// Hostnames of one front whose answers are of one class are one incident, and its cause names
// what differs.
func TestTheCauseNamesEachAnswer(t *testing.T) {
	b := shop("api.shop.example", "www.shop.example")
	for i, status := range []int{502, 504} {
		host := b.Inventory.Targets[i].Host
		b.publish(host, 300, newAddr).probe(host, newAddr, func(o *probe.Observation) { good(o); o.HTTP.Status = status })
	}
	r := diagnose.Diagnose(diagnose.Policy{}, noon(), b.Snapshot)
	if len(r.Incidents) != 1 || len(r.Incidents[0].Hosts) != 2 || !strings.Contains(r.Incidents[0].Cause, "HTTP 502, HTTP 504") {
		t.Errorf("%+v", r.Incidents)
	}
}
