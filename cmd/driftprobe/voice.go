package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/notify"
)

// voice tells people what reports say, as long as this process is the one to speak.
type voice struct {
	mu    sync.Mutex
	sinks *sinks // nil: another process speaks, or nobody yet
	last  time.Time
}

func (v *voice) use(s *sinks) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sinks = s
}

func (v *voice) now() *sinks {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sinks
}

// observe hands a report on, and what is watched. Reports are of all that was looked at,
// so the first one after the lead was taken over can judge what the process before has
// told.
func (v *voice) observe(r finding.Report, inv inventory.Inventory) error {
	v.mu.Lock()
	v.last = time.Now()
	s := v.sinks
	v.mu.Unlock()
	if s == nil {
		return nil
	}
	hosts := hostsOf(inv)
	s.outbox.Watch(hosts)
	s.greet(r.At, len(hosts))
	return s.outbox.Observe(r)
}

// silentFor is how long there may be no report while the watch is alive.
const silentFor = 5 * time.Minute

func (v *voice) alive() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.last.IsZero() && time.Since(v.last) < silentFor
}

func (v *voice) deliveries() []notify.Delivery {
	if s := v.now(); s != nil {
		return s.deliveries()
	}
	return nil
}

// speak delivers until ctx ends. Who takes turns with others begins with what they
// have told. What we told ourselves is not forgotten for a place that has less of it:
// another one since a reload, or one that we may not write.
func (s *server) speak(ctx context.Context, g *generation, v *voice) error {
	if g.memory.lease != nil && g.memory.reread(ctx, s.log) {
		s.alerts.forget()
	}
	all, err := s.sinks(g, v.alive)
	if err != nil {
		return err
	}
	v.use(all)
	defer v.use(nil)
	all.run(ctx)
	<-ctx.Done() // without sinks it has nothing to run
	return nil
}

// ownName is a name for this process that no other has: that of the pod or machine, and
// a random part.
func ownName() string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return cmp.Or(host, "driftprobe") + "_" + strings.ToLower(rand.Text()[:8])
}

// standing logs a trouble when it begins, changes and ends, and not each time that it is
// met. It is safe for concurrent use.
type standing struct {
	mu   sync.Mutex
	told map[string]string
}

// note says what the trouble with something is now; empty: there is none.
func (n *standing) note(log *slog.Logger, what, trouble string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told[what] == trouble {
		return
	}
	if n.told == nil {
		n.told = map[string]string{}
	}
	n.told[what] = trouble
	if trouble == "" {
		log.Info(what + ": well again")
		return
	}
	log.Warn(what, "err", trouble)
}
