package main

import (
	"regexp"
	"strings"
	"testing"
)

// The demo is the outage told to its end, and every word of it is the program's.
func TestDemo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	o := d.run("demo", "--ttl", "4s").exits(exitClean)
	equal(t, "stderr", o.err, "")
	o.says(
		"14 hostnames, records with a TTL of 4 s",
		"WARNING  Traefik in Deployment traefik/traefik loses its certificates at a restart",
		"is on a configMap volume,", "certificates of *.shop.example are lost and ordered again at each restart: at least 4 of",
		"came right after it started", "[critical] certificates of *.shop.example are lost and ordered again at each restart, and Let's Encrypt refuses new ones until",
		"CRITICAL  Traefik lost its certificates at a restart, and Let's Encrypt refuses new ones until", "«TRAEFIK DEFAULT CERT»",
		"6 restarts in 6 days", "at least 5 orders in",
		"OK  14 hostnames are published where their load balancers are, and answer",
		"CRITICAL  DNS still points at a load balancer that no longer exists  14 hostnames",
		"127.53.1.10 → 127.53.1.77, replaced", "answers correctly for all 14 hostnames", "only DNS is wrong",
		"*.shop.example  A  127.53.1.77", "DRAINING  records are right since",
		"[critical] DNS still points at a load balancer that no longer exists: 14 hostnames of shop.example (demo)",
		"[resolved]", "(exit code 1)", "(exit code 0)",
	)
	if !regexp.MustCompile(`all clear by \d\d:\d\d:\d\d UTC`).MatchString(o.out) {
		t.Error("no time at which all is clear")
	}
	acts := []string{"Days before", "The autoscaler", "Hours before", "The next restart", "one more name, as it says", "[resolved]", "All is well", "Slack, ", "Why?", "The records are corrected", "The caches drain", "[resolved]", "All clear."}
	rest := o.out
	for _, act := range acts {
		_, after, found := strings.Cut(rest, act)
		if !found {
			t.Fatalf("%q does not follow the act before", act)
		}
		rest = after
	}
	if n := strings.Count(o.out, "[critical]"); n != 2 {
		t.Errorf("%d messages of the outage to Slack, want one for each half", n)
	}
}

func TestDemoRefusesAnUnusableTTL(t *testing.T) {
	t.Parallel()
	for _, ttl := range []string{"0s", "1s", "2500ms", "2h", "-5s", "soon"} {
		newDesk(t).run("demo", "--ttl", ttl).exits(exitUsage).isComplaint("--ttl")
	}
}

func TestHowItWasCalled(t *testing.T) {
	for path, want := range map[string]string{
		"driftprobe": "driftprobe", "./driftprobe": "./driftprobe", "/opt/driftprobe": "/opt/driftprobe",
		"/tmp/go-build1512/b001/exe/driftprobe": "go run ./cmd/driftprobe",
	} {
		equal(t, path, calledAs(path), want)
	}
}
