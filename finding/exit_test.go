package finding

import "testing"

func TestExitCode(t *testing.T) {
	looked := Coverage{Hosts: 1}
	with := func(ss ...Severity) Report {
		r := Report{Coverage: looked}
		for _, s := range ss {
			r.Findings = append(r.Findings, Finding{Severity: s})
		}
		return r
	}
	cases := []struct {
		rule   string
		report Report
		failOn Severity
		want   int
	}{
		{"nothing found is clean", with(), Warning, ExitClean},
		{"info is clean", with(Info), Warning, ExitClean},
		{"at the threshold is found", with(Warning), Warning, ExitFound},
		{"over the threshold is found", with(Critical), Warning, ExitFound},
		{"under the threshold is clean", with(Warning), Critical, ExitClean},
		{"unknown is its own code", with(Unknown), Warning, ExitUnknown},
		{"found wins over unknown", with(Unknown, Critical), Warning, ExitFound},
		{"unknown beside a warning under the threshold is unknown", with(Unknown, Warning), Critical, ExitUnknown},
		{"unknown never counts as found", with(Unknown), Unknown, ExitUnknown},
		{"unknown never counts as found, even with info", with(Unknown), Info, ExitUnknown},
		{"info counts if asked for", with(Info), Info, ExitFound},
		{"a severity beyond the known ones is found", with(Severity(9)), Critical, ExitFound},
		{"an incident counts as a finding does", Report{Coverage: looked, Incidents: []Incident{{Severity: Critical}}}, Warning, ExitFound},
		{"an unknown incident counts as a finding does", Report{Coverage: looked, Incidents: []Incident{{Severity: Unknown}}}, Warning, ExitUnknown},
		{"nothing looked at is not clean", Report{}, Warning, ExitUnknown},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if got := ExitCode(c.report, c.failOn); got != c.want {
				t.Errorf("ExitCode = %d, want %d", got, c.want)
			}
		})
	}
}
