package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"driftprobe/finding"
)

// The elements of JUnit's format that continuous integration systems agree on.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Time    string       `xml:"time,attr"`
		Failure *junitReason `xml:"failure,omitempty"`
		Error   *junitReason `xml:"error,omitempty"`
		Output  string       `xml:"system-out,omitempty"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the report as JUnit's XML: a test for each incident, and one for each
// hostname and each object of manifests that is well. An incident at failOn or worse is a failure, one that says that
// nobody could look is an error, and a lesser one passes with its text as output.
func JUnit(w io.Writer, r finding.Report, failOn finding.Severity) error {
	suite := junitSuite{
		Name: "driftprobe", Time: fmt.Sprintf("%.3f", r.Coverage.Took.Seconds()),
		Timestamp: r.At.UTC().Format("2006-01-02T15:04:05"),
	}
	for _, i := range r.Incidents {
		c := junitCase{Class: "driftprobe." + string(i.Code), Name: printed(i.Cause), Time: "0"}
		reason := &junitReason{Message: printed(i.Cause), Type: string(i.Code), Text: story(i)}
		switch {
		case i.Severity == finding.Unknown:
			c.Error = reason
			suite.Errors++
		case i.Severity >= failOn:
			c.Failure = reason
			suite.Failures++
		default:
			c.Output = reason.Text
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, f := range r.Fronts {
		for _, host := range f.Hosts {
			suite.Cases = append(suite.Cases, junitCase{Class: "driftprobe." + printed(f.Name), Name: printed(host), Time: "0"})
		}
	}
	for _, object := range r.Coverage.Sound {
		suite.Cases = append(suite.Cases, junitCase{Class: "driftprobe.lint", Name: printed(object), Time: "0"})
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write the report as JUnit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suites: []junitSuite{suite}}); err != nil {
		return fmt.Errorf("write the report as JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// story tells an incident in plain text.
func story(i finding.Incident) string {
	var lines []string
	if len(i.Hosts) > 0 {
		lines = append(lines, "hostnames: "+strings.Join(i.Hosts, " "))
	}
	for _, n := range i.Evidence {
		line := n.Text
		if n.Label != "" {
			line = n.Label + ": " + line
		} else if len(lines) > 0 { // it goes on
			line = "  " + line
		}
		lines = append(lines, line)
	}
	for _, s := range i.Fix {
		for _, text := range []string{s.Text, s.Command} {
			if text != "" {
				lines = append(lines, "fix: "+text)
			}
		}
		if r := s.Record; r != nil {
			lines = append(lines, fmt.Sprintf("fix: %s %s %s", r.Owner, r.Type, strings.Join(r.Values, ", ")))
		}
	}
	if i.Recovery != "" {
		lines = append(lines, "clients recover "+i.Recovery)
	}
	lines = append(lines, "explain: driftprobe explain "+string(i.Code))
	for n, line := range lines {
		lines[n] = printed(line)
	}
	return strings.Join(lines, "\n")
}

// printed makes text safe for whatever shows the document.
func printed(s string) string { return finding.Printable(s, 10_000) }
