package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/snapshot"
)

// lost is the first half of the outage, which takes days: each restart loses the
// certificates and orders them again, until the authority refuses.
func (d *play) lost(ctx context.Context) error {
	if err := d.slack(ctx); err != nil {
		return err
	}
	if err := d.once(ctx, "Days before: all hostnames answer. But a configMap is mounted over the folder of Traefik's acme.json.", exitFound); err != nil {
		return err
	}
	d.say("The autoscaler restarts Traefik, and each restart orders the certificate again.")
	for n, ago := range []time.Duration{31 * time.Hour, 25 * time.Hour, 16 * time.Hour, 9 * time.Hour, 3 * time.Hour} {
		if n == 4 {
			if err := d.once(ctx, "Hours before:", exitFound); err != nil {
				return err
			}
			d.say("One more restart. It gets the last certificate.")
		}
		if err := d.restarted(ctx, time.Now().Add(-ago)); err != nil {
			return err
		}
	}
	if err := d.slack(ctx); err != nil {
		return err
	}
	if err := d.world.RestartRefused(time.Now()); err != nil {
		return err
	}
	if err := d.await(ctx, "the placeholder certificate to be seen", d.placeholder); err != nil {
		return err
	}
	if err := d.once(ctx, "The next restart. The order is refused, and every browser warns. Why?", exitFound); err != nil {
		return err
	}
	d.say("acme.json gets a claim, and the certificate one more name, as it says.")
	if err := d.world.MendTraefik(time.Now().Add(-time.Minute)); err != nil {
		return err
	}
	if err := d.slack(ctx); err != nil {
		return err
	}
	return d.once(ctx, "All is well.", exitClean)
}

// restarted restarts Traefik as of a moment, and waits until the program has met the new
// certificate. It meets it a second time as --once, which has a memory of its own.
func (d *play) restarted(ctx context.Context, at time.Time) error {
	before := d.issuances(ctx)
	if err := d.world.RestartTraefik(at); err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "  restarted %s\n", at.UTC().Format("2006-01-02 15:04 UTC"))
	if err := d.await(ctx, "the new certificate to be seen", func(ctx context.Context) bool { return d.issuances(ctx) > before }); err != nil {
		return err
	}
	quiet := d.process
	quiet.stdout = io.Discard
	if code := run(ctx, quiet, []string{"--once", "--config", filepath.Join(d.folder, "once.yaml")}); code != exitFound {
		return faultf("please report this as a bug", "the demo expected exit code %d, not %d", exitFound, code)
	}
	return ctx.Err()
}

// issuances counts the certificates that the running program remembers.
func (d *play) issuances(ctx context.Context) int {
	var doc struct {
		Snapshot snapshot.Snapshot `json:"snapshot"`
	}
	n := 0
	if d.read(ctx, &doc) {
		for _, s := range doc.Snapshot.History.Certificates.Sets {
			n += len(s.Issuances)
		}
	}
	return n
}

// placeholder tells whether the running program has met one for all hosts.
func (d *play) placeholder(ctx context.Context) bool {
	return slices.ContainsFunc(d.incidents(ctx), func(in finding.Incident) bool {
		n := 0
		for _, f := range in.Effects {
			if f.Code == finding.TLSDefaultCertificate {
				n++
			}
		}
		return n == len(d.world.Hosts)
	})
}
