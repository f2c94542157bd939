package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

// hostile is a report with each severity, and text as strangers write it.
func hostile() finding.Report {
	incident := func(code finding.Code, s finding.Severity) finding.Incident {
		return finding.Incident{
			Code: code, Severity: s, Cause: "cause ]]> \x1b[31m <&\" \x00", Hosts: []string{"a.example"},
			Evidence: []finding.Note{{Label: "so", Text: "only DNS"}}, Recovery: "by 12:47",
			Fix: []finding.Step{{Text: "set", Record: &finding.Record{Owner: "a.example", Type: "A", Values: []string{"192.0.2.1"}}, Command: "doctl"}},
		}
	}
	return finding.Report{
		At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Incidents: []finding.Incident{
			incident(finding.DNSStaleRecord, finding.Critical), incident(finding.DNSTTLExposure, finding.Warning),
			incident(finding.SelfOffline, finding.Unknown), incident(finding.LBReplaced, finding.Info),
		},
		Findings: []finding.Finding{
			{Code: finding.DNSStaleRecord, Severity: finding.Critical, Subject: finding.Subject{Host: "a.example"}, Summary: "x \x1b[31m", Expected: "1", Observed: "2", Hint: "3", SeenAt: []string{"ns1"}},
			{Code: finding.DNSTTLExposure, Severity: finding.Warning, Summary: "ttl"},
			{Code: finding.SelfOffline, Severity: finding.Unknown, Summary: "offline"},
			{Code: finding.IssuanceEphemeralStorage, Severity: finding.Info, Summary: "in a file", SeenAt: []string{"chart.yaml"}, Line: 12},
		},
		Fronts:   []finding.Front{{Name: "traefik/traefik", Hosts: []string{"well.example", "fine.example"}}},
		Coverage: finding.Coverage{Took: 1300 * time.Millisecond, Sound: []string{"Service traefik/\x1btraefik"}},
	}
}

func TestJUnit(t *testing.T) {
	for _, c := range []struct {
		failOn           finding.Severity
		failures, errors int
	}{{finding.Warning, 2, 1}, {finding.Critical, 1, 1}, {finding.Info, 3, 1}} {
		var out bytes.Buffer
		if err := JUnit(&out, hostile(), c.failOn); err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		dec := xml.NewDecoder(&out)
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Token(); err == nil {
			if _, err = dec.Token(); !errors.Is(err, io.EOF) {
				t.Errorf("something follows: %v", err)
			}
		}
		s := got.Suites[0]
		if s.Tests != 7 || s.Failures != c.failures || s.Errors != c.errors || s.Time != "1.300" || s.Timestamp != "2026-11-22T12:00:00" {
			t.Errorf("fail on %v: %+v", c.failOn, s)
		}
		first := s.Cases[0]
		if first.Class != "driftprobe.dns/stale-record" || first.Failure == nil ||
			!strings.Contains(first.Failure.Text, "fix: a.example A 192.0.2.1") || !strings.Contains(first.Failure.Message, `\x1b[31m <&" \x00`) {
			t.Errorf("%+v %+v", first, first.Failure)
		}
		if last := s.Cases[5]; last.Class != "driftprobe.traefik/traefik" || last.Name != "fine.example" || last.Failure != nil {
			t.Errorf("%+v", last)
		}
		if object := s.Cases[6]; object.Class != "driftprobe.lint" || object.Name != `Service traefik/\x1btraefik` || object.Failure != nil {
			t.Errorf("%+v", object)
		}
	}
}

func TestSARIF(t *testing.T) {
	var out bytes.Buffer
	if err := SARIF(&out, hostile(), "1.2.3", "driftprobe.yaml"); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x00") {
		t.Error("a control character is in the document")
	}
	var got sarifLog
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	run := got.Runs[0]
	if run.Invocations[0].Successful || len(run.Tool.Driver.Rules) != len(finding.Catalogue()) || run.Tool.Driver.Version != "1.2.3" {
		t.Errorf("%+v %d rules", run.Invocations, len(run.Tool.Driver.Rules))
	}
	want := []struct{ level, kind, uri string }{
		{"error", "", "driftprobe.yaml"}, {"warning", "", "driftprobe.yaml"}, {"none", "open", "driftprobe.yaml"}, {"note", "", "chart.yaml"},
	}
	seen := map[string]bool{}
	for n, r := range run.Results {
		l := r.Locations[0].Physical
		if r.Level != want[n].level || r.Kind != want[n].kind || l.Artifact.URI != want[n].uri {
			t.Errorf("result %d: %s %s %s", n, r.Level, r.Kind, l.Artifact.URI)
		}
		if seen[r.Fingerprints["finding/v1"]] {
			t.Errorf("result %d has the fingerprint of another", n)
		}
		seen[r.Fingerprints["finding/v1"]] = true
	}
	if r := run.Results[3].Locations[0].Physical.Region; r == nil || r.Line != 12 {
		t.Errorf("%+v", r)
	}
	if m := run.Results[0].Message.Text; m != "x \\x1b[31m\nexpected: 1\nfound: 2\nseen at: ns1\nfix: 3" {
		t.Errorf("%q", m)
	}
}

func TestMachineFormatsOfARealReport(t *testing.T) {
	for name, r := range reports(t) {
		var j, s bytes.Buffer
		if err := JUnit(&j, r, finding.Warning); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := SARIF(&s, r, "", "driftprobe.yaml"); err != nil || !json.Valid(s.Bytes()) {
			t.Errorf("%s: %v", name, err)
		}
		if err := xml.Unmarshal(j.Bytes(), new(junitSuites)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
