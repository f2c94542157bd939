package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
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
	// name is how it was called; empty: driftprobe.
	name   string
	env    func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, p process, args []string) int {
	c, args := chosen(args)
	if asksForHelp(args) {
		return p.finish(exitClean, c.help(p.stdout, args))
	}
	return p.finish(c.run(ctx, p, args))
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
	var o options
	var err error
	if o.args, err = o.parse(o.flags(), args); err != nil {
		return exitUsage, err
	}
	if o.version {
		fmt.Fprintln(p.stdout, versionText())
		return exitClean, nil
	}
	if err := noCommand(o.args); err != nil {
		return exitUsage, err
	}
	log, err := o.logger(p.stderr)
	if err != nil {
		return exitUsage, err
	}
	if err := o.canReadAgain(); err != nil {
		return exitUsage, err
	}
	read := func() (config.Config, []inventory.Target, error) { return o.open(p) }
	if o.syntaxOnly {
		read = o.load
	}
	cfg, targets, err := read()
	if err != nil {
		return exitUsage, err
	}
	if o.checkConfig {
		return o.praise(p, cfg, targets)
	}
	if !o.once && (o.set["o"] || o.set["fail-on"] || o.set["v"]) {
		return exitUsage, faultf("add --once", "-o, --fail-on and -v belong to --once; without it driftprobe goes on watching")
	}
	if o.once {
		return lookOnce(ctx, p, o, cfg, targets, log)
	}
	return serve(ctx, p, o, log)
}

// praise says that the configuration is good, and what in it has no effect.
func (o *options) praise(p process, cfg config.Config, targets []inventory.Target) (int, error) {
	if err := nothingToWatch(p, cfg, targets); err != nil {
		return exitUsage, err
	}
	more, mapped := "", watchesCluster(p, cfg)
	if mapped {
		more = ", and the hosts that the cluster declares"
	}
	for _, n := range cfg.Notes(time.Now(), mapped) {
		fmt.Fprintf(p.stderr, "note:  %v\nhint:  %s\n", n, n.Hint)
	}
	fmt.Fprintf(p.stdout, "%s is good: %s%s\n", o.config, finding.Count(len(targets), "target", "targets"), more)
	return exitClean, nil
}

// nothingToWatch refuses a configuration that names no host, and no cluster that could.
func nothingToWatch(p process, cfg config.Config, targets []inventory.Target) error {
	if len(targets) > 0 || watchesCluster(p, cfg) {
		return nil
	}
	return faultf("name a HOST (driftprobe --once api.example.com), add targets to the configuration, or configure kubernetes", "there is nothing to watch")
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
