package main

import (
	"cmp"

	"driftprobe/finding"
	"driftprobe/internal/report"
)

// formats are the values of -o.
const formats = "text, json, junit or sarif"

// print writes a report in the format that was asked for. more are the documents that
// JSON holds beside it: a snapshot, and the policy it was judged by.
func (o options) print(p process, r finding.Report, more ...any) error {
	switch o.output {
	case "json":
		more = append(more, nil, nil)
		return report.JSON(p.stdout, r, more[0], more[1])
	case "junit":
		return report.JUnit(p.stdout, r, o.severity)
	case "sarif":
		return report.SARIF(p.stdout, r, version, cmp.Or(o.config, "driftprobe.yaml"))
	}
	return report.Text(p.stdout, r, textOptions(p, o))
}
