package main

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/report"
	"driftprobe/internal/snapshot"
)

// maxSnapshot bounds the file that judge reads.
const maxSnapshot = 256 << 20

// judge makes the report of a saved snapshot again: the output of --once -o json,
// or of /api/v1/snapshot. It asks nobody.
func judge(_ context.Context, p process, args []string) (int, error) {
	o, err := parseOptions(p, args)
	if err != nil || o.help {
		return exitClean, err
	}
	if len(o.args) != 1 {
		return exitUsage, faultf("driftprobe judge FILE, or - for standard input; make one with --once -o json", "judge takes one file")
	}
	name := o.args[0]
	o.args = nil
	cfg, _, err := o.load()
	if err != nil {
		return exitUsage, err
	}
	in := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return exitUsage, faultf("check the path", "%v", err)
		}
		defer f.Close()
		in = f
	}
	var doc struct {
		Snapshot snapshot.Snapshot `json:"snapshot"`
	}
	if err := json.NewDecoder(io.LimitReader(in, maxSnapshot)).Decode(&doc); err != nil {
		return exitUsage, faultf("give it the output of driftprobe --once -o json", "%s is no snapshot: %v", name, err)
	}
	if doc.Snapshot.Version != snapshot.Version {
		return exitUsage, faultf("judge it with the driftprobe that made it", "%s: this program reads snapshots of version %d, not %d", name, snapshot.Version, doc.Snapshot.Version)
	}
	policy := diagnose.Policy{MaxTTL: cfg.DNS.MaxTTL, Public: publicRoots(cfg), Allow: cfg.Probe.AllowAddresses}
	r := diagnose.Diagnose(policy, doc.Snapshot.At, doc.Snapshot)
	if o.output == "json" {
		err = report.JSON(p.stdout, r, doc.Snapshot)
	} else {
		err = report.Text(p.stdout, r, textOptions(p, o))
	}
	return finding.ExitCode(r, o.severity), err
}

// explain prints what the catalogue says of a code, or lists the codes.
func explain(_ context.Context, p process, args []string) (int, error) {
	if len(args) == 0 {
		return exitClean, report.ExplainAll(p.stdout)
	}
	e, ok := finding.Lookup(finding.Code(args[0]))
	if !ok || len(args) > 1 {
		return exitUsage, faultf("driftprobe explain lists the codes", "there is no code %q", args[0])
	}
	return exitClean, report.Explain(p.stdout, e)
}
