package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
)

const manUsage = `Usage: driftprobe man

Prints the manual page.

  driftprobe man | man -l -
`

// man prints the manual page: driftprobe man | man -l -.
func man(_ context.Context, p process, args []string) (int, error) {
	if len(args) > 0 {
		return exitUsage, faultf("driftprobe man | man -l -", "man takes no arguments")
	}
	w := p.stdout
	fmt.Fprintf(w, ".TH DRIFTPROBE 1 \"\" %q\n.SH NAME\ndriftprobe \\- says why clients do not reach a hostname, and what fixes it\n", "driftprobe "+roff(version))
	fmt.Fprint(w, ".SH SYNOPSIS\n.nf\n")
	for _, c := range append([]command{mainJob()}, commands()...) {
		line, _, _ := strings.Cut(c.usage, "\n")
		fmt.Fprintln(w, roff(strings.TrimPrefix(line, "Usage: ")))
	}
	fmt.Fprint(w, ".fi\n.SH DESCRIPTION\n")
	fmt.Fprintln(w, roff("driftprobe compares what every authoritative name server publishes with the load balancers that should be in front, probes each address over HTTPS, and says what broke, why, what fixes it and until when clients will suffer. With --once it looks once and prints the diagnosis; without, it goes on watching, serves metrics and a status page, and alerts."))
	fmt.Fprint(w, ".SH OPTIONS\n")
	eachFlag(func(f *flag.Flag, of []string) {
		what, usage := described(f)
		if len(of) > 0 {
			usage = strings.Join(of, ", ") + ": " + usage
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
	for _, line := range environment() {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(line[0]), roff(line[1]))
	}
	return exitClean, nil
}

// environment are the variables that are read, by us and by what we are made of.
func environment() [][2]string {
	return [][2]string{
		{"DIGITALOCEAN_TOKEN", "the token of the cloud's API, if digitalocean.token_file names none; it is enough to have the cloud asked"},
		{"KUBECONFIG", "the kubeconfig of the cluster, if kubernetes.kubeconfig names none; without it .kube/config in HOME"},
		{"KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT", "set in a pod: the cluster is read, and no kubeconfig is needed"},
		{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the way to the APIs of cluster and cloud, to logs and to those who are told; hostnames are never probed through a proxy"},
		{"SSL_CERT_FILE, SSL_CERT_DIR", "other certificates of authorities than the system's, on Linux; tls.ca_file comes first"},
		{"GOMEMLIMIT", "memory from which garbage is collected sooner, such as 230MiB"},
		{"NO_COLOR, TERM", "no colours on a terminal, if NO_COLOR is not empty or TERM is dumb"},
	}
}

// roff escapes a line of text for troff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}
