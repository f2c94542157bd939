package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
)

// man prints the manual page: driftprobe man | man -l -.
func man(_ context.Context, p process, args []string) (int, error) {
	if len(args) > 0 {
		return exitUsage, faultf("driftprobe man | man -l -", "man takes no arguments")
	}
	w := p.stdout
	fmt.Fprintf(w, ".TH DRIFTPROBE 1 \"\" %q\n.SH NAME\ndriftprobe \\- says why clients do not reach a hostname, and what fixes it\n", "driftprobe "+roff(version))
	fmt.Fprint(w, ".SH SYNOPSIS\n.nf\n")
	for _, line := range []string{
		"driftprobe [flags] [HOST | https://HOST/path ...]", "driftprobe lint [--against PLACE] FILE | FOLDER | - ...",
		"driftprobe judge FILE | -", "driftprobe explain [CODE]", "driftprobe demo [--keep]", "driftprobe healthcheck [URL]", "driftprobe completion bash | zsh | fish",
	} {
		fmt.Fprintln(w, roff(line))
	}
	fmt.Fprint(w, ".fi\n.SH DESCRIPTION\n")
	fmt.Fprintln(w, roff("driftprobe compares what every authoritative name server publishes with the load balancers that should be in front, probes each address over HTTPS, and says what broke, why, what fixes it and until when clients will suffer. With --once it looks once and prints the diagnosis; without, it goes on watching, serves metrics and a status page, and alerts."))
	fmt.Fprint(w, ".SH OPTIONS\n")
	eachFlag(func(f *flag.Flag, lint bool) {
		what, usage := flag.UnquoteUsage(f)
		if lint {
			usage += " (lint)"
		}
		if f.DefValue != "" && f.DefValue != "false" {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(written(f.Name)+" "+what)), roff(usage))
	})
	fmt.Fprint(w, ".SH EXIT STATUS\n")
	for _, line := range [][2]string{
		{"0", "clean"}, {"1", "a finding at or over --fail-on"}, {"2", "usage or configuration"}, {"3", "something could not be looked at"},
	} {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", line[0], roff(line[1]))
	}
	fmt.Fprint(w, ".SH ENVIRONMENT\n")
	for _, line := range [][2]string{
		{"KUBECONFIG", "the cluster to look at, if the configuration names none"}, {"NO_COLOR", "no colours on a terminal"},
	} {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", line[0], roff(line[1]))
	}
	return exitClean, nil
}

// roff escapes a line of text for troff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}
