package main

import (
	"cmp"
	"fmt"

	"driftprobe/finding"
	"driftprobe/internal/report"
	"driftprobe/internal/snapshot"
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
	layout := textOptions(p, o)
	if err := report.Text(p.stdout, r, layout); err != nil || !layout.Verbose || len(more) == 0 {
		return err
	}
	seen, ok := more[0].(snapshot.Snapshot)
	if !ok || len(seen.Inventory.Targets) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return report.Addresses(p.stdout, r, seen, layout)
}
