package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/metrics"
	"driftprobe/internal/monitor"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
)

// saveEvery is how often the history is written while it runs, and saveSoon when
// something came or went; at the end it is written once more.
const (
	saveEvery = time.Minute
	saveSoon  = 5 * time.Second
)

// server is the long-running program over its reloads.
type server struct {
	process
	options options
	log     *slog.Logger
	metrics *metrics.Collector
	page    *page
	demand  *demand
	reload  chan chan error
	// self names this process among others.
	self string
	// alerts, output, memories and accounts keep what is known over a reload.
	alerts   alertStore
	output   *notify.Output
	memories memories
	accounts accounts
	troubles standing
	// greeted: it was said that the watch has begun.
	greeted bool
}

// serve watches until the context ends. A reload replaces all parts and keeps
// what was seen; a bad configuration changes nothing.
func serve(ctx context.Context, p process, o options, log *slog.Logger) (int, error) {
	s := &server{process: p, options: o, log: log, metrics: metrics.New(version, commit), page: &page{}, demand: newDemand(), reload: make(chan chan error), self: ownName(), output: notify.NewOutput(p.stdout), memories: memories{}, accounts: accounts{}}
	defer s.memories.close()
	next, err := s.prepare(ctx)
	if err != nil {
		return exitUsage, err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		next.parts.close()
		return exitUsage, faultf(listenHint(o.listen), "%v", err)
	}
	if shard := next.parts.options.Shard; shard.Partial() {
		log = log.With("shard", shard.String())
	}
	log.Info("watching", "targets", len(next.parts.options.Targets), "web", listener.Addr().String(), "version", versionText())
	stopWeb := s.startWeb(ctx, listener)
	defer stopWeb()
	defer s.heedHangup(ctx)()

	before := recall(next.memory.store, log)
	next.parts.sync(ctx, firstSync)
	for err == nil && next != nil {
		next.parts.goOn(before)
		before, next, err = s.watchUntilReload(ctx, next)
	}
	return exitClean, err
}

// listenHint says what may be wrong with the address of --web.listen-address.
func listenHint(address string) string {
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		return "write :" + address
	}
	return "choose another address with --web.listen-address"
}

// generation is what one configuration makes.
type generation struct {
	cfg    config.Config
	parts  *parts
	memory memory
}

// prepare makes a generation of the configuration as it is now.
func (s *server) prepare(ctx context.Context) (*generation, error) {
	cfg, targets, err := s.options.open(s.process)
	if err != nil {
		return nil, err
	}
	if err := nothingToWatch(s.process, cfg, targets); err != nil {
		return nil, err
	}
	memory, err := s.memories.open(ctx, s.process, cfg, s.self, s.log)
	if err != nil {
		return nil, err
	}
	w, err := assemble(ctx, s.process, s.accounts, cfg, targets, s.log)
	if err != nil {
		return nil, err
	}
	s.metrics.ReloadOK(true, time.Now())
	return &generation{cfg: cfg, parts: w, memory: memory}, nil
}

func loopOf(s *monitor.Stats) metrics.Loop {
	return metrics.Loop{
		Looks:  map[string]uint64{"dns": s.DNSLooks.Load(), "zone": s.ZoneLooks.Load(), "probe": s.Probes.Load(), "cloud": s.CloudLooks.Load()},
		Panics: s.Panics.Load(), Overdue: s.Overdue.Load(), Judgements: s.Judgements.Load(),
		Lag: time.Duration(s.LagNanoseconds.Load()),
	}
}

// watchUntilReload runs one generation. It returns what was seen and the
// generation that follows, nil at the end.
func (s *server) watchUntilReload(ctx context.Context, g *generation) (snapshot.Snapshot, *generation, error) {
	defer g.parts.close()
	run, stop := context.WithCancel(ctx)
	defer s.demand.use(run, g)()
	defer stop()
	var saved, kept time.Time
	var last snapshot.Snapshot
	var failure error
	speaker, stats := new(voice), new(monitor.Stats)
	g.parts.options.Stats = stats
	s.metrics.Watch(func() metrics.Loop { return loopOf(stats) }, speaker.deliveries)
	s.metrics.Lead(g.memory.leads, g.parts.options.Shard)
	g.parts.options.Publish = func(snap snapshot.Snapshot, r finding.Report) {
		s.metrics.Set(snap, r)
		s.page.set(look{true, snap, r, g.parts.options.Policy})
		s.trouble("alerts are told, but not kept over a restart", speaker.observe(r, snap.Inventory))
		changed := snap.History.Records.LastChange()
		if moved := snap.History.Certificates.LastMoved(); moved.After(changed) {
			changed = moved
		}
		if since := time.Since(saved); g.memory.leads() && (since > saveEvery || since > saveSoon && !changed.Equal(kept)) {
			saved, kept = time.Now(), changed
			s.save(g, snap)
		}
	}
	looked := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(looked)
		last = monitor.Run(run, g.parts.options)
	})
	all.Go(func() {
		g.memory.lead(run, func(leading context.Context) {
			if err := s.speak(leading, g, speaker); err != nil {
				failure = err
				stop()
			}
			if run.Err() != nil { // the end, and still ours to write
				<-looked
				s.save(g, last)
			}
		})
	})
	next := s.awaitReload(ctx, run.Done())
	stop()
	all.Wait()
	return last, next, failure
}

func (s *server) save(g *generation, snap snapshot.Snapshot) {
	cut, err := remember(g.memory.store, snap.History, snap.At)
	s.trouble("the history is not kept over a restart", err)
	var left error
	if cut > 0 && err == nil {
		left = fmt.Errorf("%s has no room for what matters least", g.memory.store)
	}
	s.trouble("a part of the history is not kept over a restart", left)
}

// trouble logs an error when it begins, changes and ends.
func (s *server) trouble(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.troubles.note(s.log, what, text)
}

// awaitReload returns the next generation once a reload succeeds, nil when the present
// one ends by itself. The next one lives in ctx, and outlives the present one.
func (s *server) awaitReload(ctx context.Context, ended <-chan struct{}) *generation {
	for {
		select {
		case <-ended:
			return nil
		case answer := <-s.reload:
			next, err := s.prepare(ctx)
			if err == nil {
				next.parts.sync(ctx, syncFor)
				s.log.Info("configuration reloaded", "targets", len(next.parts.options.Targets))
				answer <- nil
				return next
			}
			// Who asked may look at the metrics next.
			s.metrics.ReloadOK(false, time.Now())
			s.log.Error("the new configuration is bad, the old one stays in force", "err", err)
			answer <- err
		}
	}
}

var errEnding = errors.New("the program is ending")

// askReload hands a reload to the watching loop and waits for its outcome.
func (s *server) askReload(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case s.reload <- answer:
	case <-ctx.Done():
		return errEnding
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errEnding
	}
}

// heedHangup reloads at SIGHUP, until the returned function is called.
func (s *server) heedHangup(ctx context.Context) func() {
	ctx, stop := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				// Its failure is logged where it happens.
				_ = s.askReload(ctx)
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		stop()
		done.Wait()
	}
}
