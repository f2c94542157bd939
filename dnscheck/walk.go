package dnscheck

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// stagger is how long one server is waited for before the next is asked as well.
const stagger = 250 * time.Millisecond

// walk is the work for one observation.
type walk struct {
	r *Resolver
	budget
	began time.Time
	heard atomic.Bool // an acceptable packet came from an authoritative server
	chain chain
}

// ask puts a question to an authoritative server.
func (w *walk) ask(ctx context.Context, server Server, q question) reply {
	if why, ok := w.mayAsk(server.Address); !ok {
		return why
	}
	r := w.r.wire.ask(ctx, server.Address, q)
	if r.heard {
		w.heard.Store(true)
		if w.r.beyond(server.Address.Addr()) {
			w.r.ipv6.put(ipv6Works, true, keepIPv6Works)
		}
	}
	return r
}

// askBy puts a question to an authoritative server in one way alone. The answer may
// be truncated.
func (w *walk) askBy(ctx context.Context, server Server, q question, how way) reply {
	if why, ok := w.mayAsk(server.Address); !ok {
		return why
	}
	return w.r.wire.askBy(ctx, server.Address, q, how)
}

// do runs f in a goroutine of wg; a panic in it ends the observation early
// instead of the program.
func (w *walk) do(wg *sync.WaitGroup, f func()) {
	wg.Go(func() {
		defer w.guard()
		f()
	})
}

func (w *walk) guard() {
	if p := recover(); p != nil {
		w.limit(fmt.Sprintf("internal fault: %v", p))
	}
}

// heard is what one server said about where a name lies.
type heard struct {
	server Server
	answer Answer     // as to the zone that was asked
	child  delegation // a referral, if its zone is set
	soa    *dns.SOA   // of the zone that holds the name, if the answer told
	msg    *dns.Msg
}

// leads tells whether it brings the walk on: a referral, or an answer by authority.
func (h heard) leads() bool { return h.child.zone != "" || h.answer.Outcome.Speaks() }

// race asks the servers of a zone in random order, each next one as soon as one
// failed or has been waited for too long, until one leads on. failed are those
// that answered before it and do not.
func (w *walk) race(ctx context.Context, zone string, servers []Server, q question) (first heard, failed []heard) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan heard, len(servers))
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	order := rand.Perm(len(servers))[:min(len(servers), raceLimit)]
	next, running := 0, 0
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	for {
		switch {
		case next == len(order):
		case !w.spend():
			next = len(order)
		default:
			server := servers[order[next]]
			w.do(&asked, func() { results <- w.hear(ctx, zone, server, q) })
			running++
			next++
		}
		timer.Reset(stagger)
		for waiting := true; waiting; {
			if running == 0 && next == len(order) {
				return heard{}, failed
			}
			select {
			case h := <-results:
				running--
				if h.leads() {
					return h, failed
				}
				failed = append(failed, h)
				waiting = false
			case <-timer.C:
				waiting = next == len(order)
			}
		}
	}
}

// hear puts q to one server of zone.
func (w *walk) hear(ctx context.Context, zone string, server Server, q question) (h heard) {
	h = heard{server: server, answer: Answer{Outcome: unasked}}
	defer w.guard() // a result must come in any case
	defer func() { w.told(server.Address, h.leads(), h.answer) }()
	r := w.ask(ctx, server, q)
	if r.msg == nil {
		h.answer = Answer{Outcome: r.outcome, Detail: r.detail}
		return h
	}
	h.msg = r.msg
	if d, ok := referral(zone, q.name, r.msg, w.r.port); ok {
		h.child = d
		return h
	}
	h.answer = readAnswer(zone, q, r.msg)
	h.soa = denialOf(q.name, r.msg)
	if set := gather(q, r.msg.Answer); set.soa != nil {
		h.soa = set.soa
	}
	return h
}
