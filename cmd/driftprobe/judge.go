package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/report"
	"driftprobe/internal/snapshot"
)

// Bounds of the file that judge reads, which may come from anybody: its bytes, and
// its values, as a value of two bytes can take hundreds once it is decoded. Ten
// thousand hostnames need about a quarter of each.
const (
	maxSnapshot = 256 << 20
	maxValues   = 6 << 20
)

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
	snap, err := readSnapshot(in, name)
	if err != nil {
		return exitUsage, err
	}
	policy := diagnose.Policy{MaxTTL: cfg.DNS.MaxTTL, Public: publicRoots(cfg), Allow: cfg.Probe.AllowAddresses}
	r := diagnose.Diagnose(policy, snap.At, snap)
	if o.output == "json" {
		err = report.JSON(p.stdout, r, snap)
	} else {
		err = report.Text(p.stdout, r, textOptions(p, o))
	}
	return finding.ExitCode(r, o.severity), err
}

func readSnapshot(in io.Reader, name string) (snapshot.Snapshot, error) {
	const hint = "give it the output of driftprobe --once -o json"
	data, err := io.ReadAll(io.LimitReader(in, maxSnapshot+1))
	if err != nil {
		return snapshot.Snapshot{}, faultf("check the path", "%v", err)
	}
	if len(data) > maxSnapshot || bytes.Count(data, []byte{','}) > maxValues {
		return snapshot.Snapshot{}, faultf(hint, "%s is no snapshot: it has more than %d MiB, or %d values", name, maxSnapshot>>20, maxValues)
	}
	var doc struct {
		Snapshot snapshot.Snapshot `json:"snapshot"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return snapshot.Snapshot{}, faultf(hint, "%s is no snapshot: %v", name, err)
	}
	if v := doc.Snapshot.Version; v != snapshot.Version {
		return snapshot.Snapshot{}, faultf("judge it with the driftprobe that made it", "%s: this program reads snapshots of version %d, not %d", name, snapshot.Version, v)
	}
	return doc.Snapshot, nil
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
