package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"driftprobe/config"
	"driftprobe/finding"
)

// Exit codes, the same in every output format. They are never a count.
const (
	exitClean   = 0
	exitFound   = 1
	exitUsage   = 2
	exitUnknown = 3
)

// Set by the linker: -X main.version=… -X main.commit=….
var (
	version = "dev"
	commit  = ""
)

// process is the outside world of one run, so that a test can be it.
type process struct {
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, p process, args []string) int {
	if len(args) > 0 {
		if args[0] == "help" {
			args = []string{"--help"}
		}
		commands := map[string]func(context.Context, process, []string) (int, error){
			"demo": demo, "judge": judge, "explain": explain, "lint": lint, "completion": completion, "man": man,
			"healthcheck": healthcheck,
		}
		if command, ok := commands[args[0]]; ok {
			return p.finish(command(ctx, p, args[1:]))
		}
	}
	return p.finish(watch(ctx, p, args))
}

// finish reports an error, if there is one, and chooses the exit code.
func (p process) finish(code int, err error) int {
	if err != nil {
		complain(p.stderr, err)
		return exitUsage
	}
	return code
}

// watch is the main job: once, or until the context ends.
func watch(ctx context.Context, p process, args []string) (int, error) {
	o, err := parseOptions(p, args)
	if err != nil || o.help {
		return exitClean, err
	}
	if o.version {
		fmt.Fprintln(p.stdout, versionText())
		return exitClean, nil
	}
	log, err := o.logger(p.stderr)
	if err != nil {
		return exitUsage, err
	}
	cfg, targets, err := o.load()
	if err != nil {
		return exitUsage, err
	}
	if o.checkConfig {
		more := ""
		if cfg.Kubernetes.Configured && cfg.Kubernetes.Enabled != config.Off {
			more = ", and the hosts that the cluster declares"
		}
		fmt.Fprintf(p.stdout, "%s is good: %s%s\n", o.config, finding.Count(len(targets), "target", "targets"), more)
		return exitClean, nil
	}
	if !o.once && (o.set["o"] || o.set["fail-on"] || o.set["v"]) {
		return exitUsage, faultf("add --once", "-o, --fail-on and -v belong to --once; without it driftprobe goes on watching")
	}
	if o.once {
		return lookOnce(ctx, p, o, cfg, targets, log)
	}
	return serve(ctx, p, o, log)
}

func versionText() string {
	rev := commit
	if info, ok := debug.ReadBuildInfo(); ok && rev == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				rev = s.Value
			}
		}
	}
	if rev == "" {
		return "driftprobe " + version
	}
	return fmt.Sprintf("driftprobe %s (%s)", version, rev)
}
