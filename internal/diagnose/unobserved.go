package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"driftprobe/finding"
)

// subjectKey is all of the subject.
func subjectKey(_ *view, f finding.Finding) string {
	s := f.Subject
	return strings.Join([]string{s.Host, s.Address, s.Server, s.Namespace, s.Name, s.Source}, " ")
}

// unobservedKey is the subject; but an address that is in doubt through what a source did
// not give (lbcheck.JudgeDoubt) is one thing to repair, however many names publish it.
func unobservedKey(v *view, f finding.Finding) string {
	if inDoubt(f) {
		return f.Subject.Source + " " + f.Subject.Address
	}
	return subjectKey(v, f)
}

func unobservedCause(v *view, fs []finding.Finding, hosts []string) string {
	if inDoubt(fs[0]) && len(hosts) > 1 {
		return fmt.Sprintf("whether %s is right for %s could not be told: not all objects of %s could be read",
			fs[0].Subject.Address, finding.Count(len(hosts), "hostname", "hostnames"), fs[0].Subject.Source)
	}
	return summary(v, fs, hosts)
}

// corrections says what has become of records that were wrong: right, unless a host
// publishes an address of which that could not be told.
func (v *view) corrections(hosts []string) string {
	if slices.ContainsFunc(hosts, func(name string) bool {
		h := v.of(name)
		return slices.ContainsFunc(h.published, h.expected.Doubts)
	}) {
		return "the old address is out of the records"
	}
	return "records are right"
}

func inDoubt(f finding.Finding) bool { return f.Subject.Source != "" && f.Subject.Address != "" }
