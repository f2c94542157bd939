package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/monitor"
	"driftprobe/internal/report"
	"driftprobe/internal/snapshot"
)

// syncFor is how long a one-shot look waits for the cluster at most; and no longer
// than for a cloud, whose list comes in pages too.
const syncFor = 15 * time.Second

// lookOnce looks at everything once and prints the diagnosis.
func lookOnce(ctx context.Context, p process, o options, cfg config.Config, targets []inventory.Target, log *slog.Logger) (int, error) {
	places := memories{}
	defer places.close()
	memory, err := places.open(ctx, p, cfg, ownName(), log)
	if err != nil {
		return exitUsage, err
	}
	w, err := assemble(ctx, p, accounts{}, cfg, targets, log)
	if err != nil {
		return exitUsage, err
	}
	defer w.close()
	before := recall(memory.store, log)
	w.goOn(before)
	if w.cluster != nil {
		wait, cancel := context.WithTimeout(ctx, min(syncFor, 3*cfg.Timeout))
		w.cluster.Sync(wait)
		cancel()
		if err := unknownServices(o, targets, w.cluster.Inventory(), w.options.Previous); err != nil {
			return exitUsage, err
		}
	} else if len(targets) == 0 {
		return exitUsage, faultf("driftprobe --once HOST looks at one name; --config FILE at many; --help says more", "there is nothing to look at: no target, no cluster")
	}
	snap, r := monitor.Once(ctx, w.options, progress(p))
	if memory.lease == nil { // else it belongs to those that take turns
		if _, err := remember(memory.store, snap.History, snap.At); err != nil {
			log.Error("the state was not saved", "err", err) // the report does not say it
		}
	}
	return finding.ExitCode(r, o.severity), o.print(p, r, snap, w.options.Policy)
}

func textOptions(p process, o options) report.Options {
	opts := report.Options{Verbose: o.verbose}
	if f, ok := p.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		opts.Color = p.env("NO_COLOR") == "" && p.env("TERM") != "dumb"
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			opts.Width = min(max(width, 60), 120)
		}
	}
	return opts
}

// progress shows on a terminal that something happens, and nothing elsewhere.
func progress(p process) func(done, total int) {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(done, total int) {
		fmt.Fprintf(f, "\r\x1b[Klooking: %d of %d", done, total)
		if done == total {
			fmt.Fprint(f, "\r\x1b[K")
		}
	}
}

// unknownServices refuses a configuration that names a Service which the cluster
// does not have and never had: most likely it is misspelt.
func unknownServices(o options, targets []inventory.Target, inv inventory.Inventory, before snapshot.Snapshot) error {
	if slices.ContainsFunc(inv.Gaps, func(g inventory.Gap) bool { return g.Covers("services") }) {
		return nil
	}
	for _, t := range targets {
		ref := t.Service
		known := ref == (inventory.ServiceRef{}) ||
			slices.ContainsFunc(inv.Services, func(s inventory.Service) bool { return s.ServiceRef == ref }) ||
			len(before.History.Addresses.Of(ref)) > 0
		if known {
			continue
		}
		hint := "the cluster has no Service of type LoadBalancer at all"
		if len(inv.Services) > 0 {
			var names []string
			for _, s := range inv.Services {
				names = append(names, s.String())
			}
			hint = "Services of type LoadBalancer: " + finding.List(names, 8)
		}
		return faultf(hint+"; if it was deleted, its load balancer is gone too: create it again, then correct the records",
			"%s: target %s: there is no Service %s of type LoadBalancer in the cluster", o.config, t.Key, ref)
	}
	return nil
}
