package diagnose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/notify"
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
		"rubbish in place of TLS": func(o *probe.Observation, n int) {
			o.TLS, o.HTTP, o.Reached = nil, nil, probe.PhaseConnect
			o.Fault = probe.Fault{Phase: probe.PhaseTLS, Kind: probe.NotTLS, Text: fmt.Sprint("its answer begins with ", n)}
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

// What a hostname answers by turns is one trouble, whatever each answer is to us.
func TestAnswersByTurnsAreToldOnce(t *testing.T) {
	no := false
	body := func(o *probe.Observation) { good(o); o.HTTP.BodyMatched = &no }
	for name, answers := range map[string][]func(*probe.Observation){
		"503 and another body":           {status(503), body},
		"503 and 404":                    {status(503), status(404)},
		"503 and nobody":                 {status(503), refused, silent},
		"503 and well":                   {status(503), good},
		"one of three is well":           {status(503), body, good},
		"one of four is bad":             {good, good, good, status(502)},
		"by turns another's certificate": {good, expired, status(503)},
	} {
		t.Run(name, func(t *testing.T) {
			var state notify.State
			var said []string
			p := notify.Policy{ResolveAfter: 2 * time.Minute, Pending: map[finding.Severity]time.Duration{finding.Critical: 45 * time.Second}}
			for n := range 240 {
				now := noon().Add(time.Duration(n) * 30 * time.Second)
				b := shop("www.shop.example")
				b.Inventory.Targets[0].Expect = inventory.Expect{Status: []inventory.StatusRange{{From: 200, To: 299}}, BodyRegex: "welcome"}
				b.publish("www.shop.example", 300, newAddr).probe("www.shop.example", newAddr, func(o *probe.Observation) {
					if n < 120 {
						answers[n%len(answers)](o)
					} else {
						good(o)
					}
				})
				r := diagnose.Diagnose(diagnose.Policy{}, noon(), b.Snapshot)
				r.At = now
				var messages []notify.Message
				state, messages = notify.Next(p, state, r)
				for _, m := range messages {
					said = append(said, fmt.Sprint(m.Kind, " at ", now.Sub(noon()).Truncate(time.Hour)))
				}
			}
			if want := []string{"firing at 0s", "resolved at 1h0m0s"}; !slices.Equal(said, want) {
				t.Errorf("said %q", said)
			}
		})
	}
}
