package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"driftprobe/config"
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

const judgeUsage = `Usage: driftprobe judge [flags] FILE | -

Judges a saved snapshot again: the output of --once -o json, or of /api/v1/snapshot. It asks
nobody. The policy is the one in the file, unless a configuration is named.

  driftprobe --once -o json api.example.com > snapshot.json
  driftprobe judge -v snapshot.json
`

func (o *options) judgeFlags() *flag.FlagSet {
	fs := newFlags("driftprobe judge")
	o.lookFlags(fs)
	o.reportFlags(fs)
	return fs
}

// judge makes the report of a saved snapshot again: the output of --once -o json,
// or of /api/v1/snapshot. It asks nobody. The policy is the one in the file, unless
// a configuration is named.
func judge(_ context.Context, p process, args []string) (int, error) {
	var o options
	files, err := o.parse(o.judgeFlags(), args)
	if err != nil {
		return exitUsage, err
	}
	if len(files) != 1 {
		return exitUsage, faultf("driftprobe judge FILE, or - for standard input; make one with --once -o json", "judge takes one file")
	}
	name := files[0]
	in := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return exitUsage, faultf("check the path", "judge: %v", err)
		}
		defer f.Close()
		in = f
	}
	snap, policy, err := readSnapshot(in, name)
	if err != nil {
		return exitUsage, err
	}
	if o.config != "" {
		cfg, _, err := o.load()
		if err != nil {
			return exitUsage, err
		}
		policy = policyOf(cfg)
	}
	r := diagnose.Diagnose(policy, snap.At, snap)
	if o.output == "text" {
		fmt.Fprintf(p.stdout, "as of %s\n\n", r.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return finding.ExitCode(r, o.severity), o.print(p, r, snap, policy)
}

func readSnapshot(in io.Reader, name string) (snapshot.Snapshot, diagnose.Policy, error) {
	var none snapshot.Snapshot
	const hint = "give it the output of driftprobe --once -o json"
	data, err := io.ReadAll(io.LimitReader(in, maxSnapshot+1))
	if err != nil {
		return none, diagnose.Policy{}, faultf("check the path", "judge: %v", err)
	}
	if len(data) > maxSnapshot || bytes.Count(data, []byte{','}) > maxValues {
		return none, diagnose.Policy{}, faultf(hint, "%s is no snapshot: it has more than %d MiB, or %d values", name, maxSnapshot>>20, maxValues)
	}
	var doc struct {
		Snapshot snapshot.Snapshot `json:"snapshot"`
		Policy   diagnose.Policy   `json:"policy"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return none, diagnose.Policy{}, faultf(hint, "%s is no snapshot: %v", name, err)
	}
	if v := doc.Snapshot.Version; v != snapshot.Version {
		return none, diagnose.Policy{}, faultf("judge it with the driftprobe that made it", "%s: this program reads snapshots of version %d, not %d", name, snapshot.Version, v)
	}
	return doc.Snapshot, doc.Policy, nil
}

const explainUsage = `Usage: driftprobe explain [CODE]

Says what a finding means and what to do about it; without a code it lists all codes, and
with a family, such as dns, those of it.

  driftprobe explain dns/stale-record
`

// explain prints what the catalogue says of a code, or lists the codes.
func explain(_ context.Context, p process, args []string) (int, error) {
	if len(args) == 0 {
		return exitClean, report.ExplainAll(p.stdout, "", "driftprobe explain CODE")
	}
	if family := strings.TrimSuffix(args[0], "/"); len(args) == 1 && slices.ContainsFunc(codes(), func(c string) bool { return strings.HasPrefix(c, family+"/") }) {
		return exitClean, report.ExplainAll(p.stdout, family, "driftprobe explain CODE")
	}
	e, ok := finding.Lookup(finding.Code(args[0]))
	if !ok || len(args) > 1 {
		hint := "driftprobe explain lists the codes"
		if meant := meantCode(args[0]); meant != "" {
			hint = "did you mean " + meant + "?"
		}
		return exitUsage, faultf(hint, "there is no code %q", args[0])
	}
	return exitClean, report.Explain(p.stdout, e)
}

// meantCode is the code that somebody meant, with or without its family, mistyped or cut
// short; "" if none is near.
func meantCode(text string) string {
	var names []string
	full := map[string]string{}
	for _, code := range codes() {
		_, name, _ := strings.Cut(code, "/")
		names, full[code], full[name] = append(names, code, name), code, code
	}
	word := strings.ToLower(text)
	if meant := full[word]; meant != "" {
		return meant
	}
	if meant := config.Nearest(word, names); meant != "" {
		return full[meant]
	}
	for _, code := range codes() {
		if strings.HasPrefix(code, word+"/") {
			return "" // a family, of which any may be meant
		}
		if len(word) > 2 && strings.Contains(code, word) {
			return code
		}
	}
	return ""
}
