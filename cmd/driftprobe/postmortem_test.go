package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/report"
)

// The outage from all well to all clear, by --once with a state file.
func TestPostMortem(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(stateSection)

	s.run("--once", "--config", config).exits(exitClean).says(
		"OK  14 hostnames are published where their load balancers are, and answer",
		"traefik/traefik  "+s.OldAddr.String()+"  14 hostnames  TTL 120",
		"checked 14 hostnames on 3 authoritative servers and 1 resolver, 1 address, 1 load balancer in",
	)
	s.replace()

	text := s.run("--once", "--config", config).exits(exitFound).says(
		"CRITICAL  DNS still points at a load balancer that no longer exists  14 hostnames",
		fmt.Sprintf("%s → %s, replaced", s.OldAddr, s.NewAddr),
		"answers correctly for all 14 hostnames",
		fmt.Sprintf("%s on 3 of 3 authoritative servers of shop.example", s.OldAddr),
		"only DNS is wrong",
		fmt.Sprintf("set this record in the zone shop.example:  *.shop.example  A  %s", s.NewAddr),
		"if you fix it now (TTL 120 s)",
	)
	equal(t, "log of a run that worked", text.err, "")

	before := time.Now()
	found := s.run("--once", "-o", "json", "--config", config).exits(exitFound)
	fired := onlyIncident(t, found.report())
	checkMoved(t, s, fired, before)
	s.run("--once", "--config", config, "--fail-on", "critical").exits(exitFound)

	s.must(s.FixRecords(s.NewAddr))
	drained := s.run("--once", "-o", "json", "--config", config).exits(exitClean).report()
	var draining []finding.Incident
	for _, in := range drained.Incidents {
		if in.State == finding.Draining {
			draining = append(draining, in)
		}
	}
	if len(draining) != 1 {
		t.Fatalf("%d incidents drain, want 1: %+v", len(draining), drained.Incidents)
	}
	equal(t, "id over the fix", draining[0].ID, fired.ID)
	equalList(t, "hosts that drain", draining[0].Hosts, s.sortedHosts()...)
	s.run("--once", "--config", config).exits(exitClean).says(
		"DRAINING", "records are right since", "all clear by ",
		fmt.Sprintf("%s still answers %s for", s.ResolverAddr(), s.OldAddr),
	)
}

func checkMoved(t *testing.T, s *stage, in finding.Incident, before time.Time) {
	t.Helper()
	equal(t, "severity", in.Severity, finding.Critical)
	equal(t, "state", in.State, finding.Firing)
	equalList(t, "hosts", in.Hosts, s.sortedHosts()...)
	if early, late := before.Add(ttl), time.Now().Add(ttl); in.ClearBy.Before(early) || in.ClearBy.After(late) {
		t.Errorf("clear by %v, want now + TTL: %v to %v", in.ClearBy, early, late)
	}
	critical := map[string]bool{}
	for _, f := range in.Effects {
		if f.Code == finding.DNSStaleRecord && f.Severity == finding.Critical && f.Subject.Address == s.OldAddr.String() {
			critical[f.Subject.Host] = true
			equal(t, "record to edit", f.Record.Zone+" "+f.Record.Owner+" "+f.Record.Type, "shop.example *.shop.example A")
			equalList(t, "its right values", f.Record.Values, s.NewAddr.String())
		}
	}
	for _, host := range s.Hosts {
		if !critical[host] {
			t.Errorf("no critical dns/stale-record among the effects for %s", host)
		}
	}
}

// What was seen can be judged again, and says the same.
func TestJudgeRepeatsTheReport(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole()
	s.replace()
	saved := s.run("--once", "-o", "json", "--config", config).exits(exitFound)
	file := s.file("snapshot.json", saved.out)

	first, again := saved.report(), s.run("judge", "-o", "json", "--config", config, file).exits(exitFound).report()
	if !reflect.DeepEqual(first, again) {
		t.Errorf("judged again:\n%+v\nwant:\n%+v", again, first)
	}
	var want bytes.Buffer
	s.must(report.Text(&want, saved.report(), report.Options{}))
	for _, args := range [][]string{{"judge", file, "--config", config}, {"judge", "--fail-on", "critical", file}} {
		when, text, _ := strings.Cut(s.run(args...).exits(exitFound).out, "\n\n")
		equal(t, "moment judged again", when, "as of "+first.At.UTC().Format("2006-01-02 15:04:05 UTC"))
		equal(t, "text judged again", text, want.String())
	}
}

// A look that has seen nothing before learns the old address from the Ingresses'
// status, which lags behind.
func TestReplacementIsRecognisedWithoutMemory(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.replace()
	s.run("--once", "--config", s.whole()).exits(exitFound).says(
		"DNS still points at a load balancer that no longer exists",
		fmt.Sprintf("%s → %s, replaced", s.OldAddr, s.NewAddr), "only DNS is wrong",
	)
	s.must(s.SyncIngressStatus())
	s.run("--once", "--config", s.whole()).exits(exitFound).says(
		"DNS points at an address that is not the load balancer's  14 hostnames",
		"traefik/traefik  has "+s.NewAddr.String(),
		fmt.Sprintf("*.shop.example  A  %s", s.NewAddr), "only DNS is wrong",
	).isSilentOn("replaced", "still points")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	exposed := s.whole("dns: max_ttl: 60s")
	for _, output := range []string{"text", "json"} {
		s.run("--once", "-o", output, "--config", exposed).exits(exitFound)
		s.run("--once", "-o", output, "--config", exposed, "--fail-on", "critical").exits(exitClean)
	}
	s.run("--once", "--config", exposed).says("WARNING", "120 s", "14 hostnames").isSilentOn("stale")
	in := onlyIncident(t, s.run("--once", "-o", "json", "--config", exposed).report())
	equal(t, "code", in.Code, finding.DNSTTLExposure)
	equal(t, "severity", in.Severity, finding.Warning)
	equal(t, "hosts", len(in.Hosts), 14)
}

// Nothing of the outage may depend on the order in which things come back.
func TestSameWorldSameWords(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.replace()
	config := s.whole()
	words := func() []string {
		in := onlyIncident(t, s.run("--once", "-o", "json", "--config", config).exits(exitFound).report())
		all := []string{in.ID, in.Cause, strings.Join(in.Hosts, " ")}
		for _, f := range in.Effects {
			all = append(all, fmt.Sprintf("%s %v %s %v", f.Code, f.Subject, f.Summary, f.SeenAt))
		}
		return all
	}
	first := words()
	for range 3 {
		if again := words(); !reflect.DeepEqual(again, first) {
			t.Fatalf("the same world gave other words:\n%q\n%q", again, first)
		}
	}
}
