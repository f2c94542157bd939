package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"sync"

	"driftprobe/finding"
	"driftprobe/internal/notify"
)

// voice tells people what reports say, as long as this process is the one to speak.
type voice struct {
	mu     sync.Mutex
	outbox *notify.Outbox // nil: another process speaks, or nobody yet
}

func (v *voice) use(o *notify.Outbox) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.outbox = o
}

func (v *voice) now() *notify.Outbox {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.outbox
}

// observe hands a report on. Reports are of all that was looked at, so the first one
// after the lead was taken over can judge what the process before has told.
func (v *voice) observe(r finding.Report) error {
	if o := v.now(); o != nil {
		return o.Observe(r)
	}
	return nil
}

func (v *voice) deliveries() []notify.Delivery {
	if o := v.now(); o != nil {
		return o.Deliveries()
	}
	return nil
}

// speak delivers until ctx ends. Who takes turns with others begins with what they
// have told.
func (s *server) speak(ctx context.Context, g *generation, v *voice) error {
	if g.memory.lease != nil && g.memory.reread(ctx, s.log) {
		s.alerts.forget()
	}
	outbox, err := s.outbox(g)
	if err != nil {
		return err
	}
	v.use(outbox)
	defer v.use(nil)
	outbox.Run(ctx)
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
