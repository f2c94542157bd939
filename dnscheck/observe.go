package dnscheck

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Observe asks every authoritative server of host, of each name that host is an
// alias of, and the configured resolvers. It always returns what was heard, and
// in Cut why that may be incomplete; it has no errors.
func (r *Resolver) Observe(ctx context.Context, host string) Observation {
	name := canonical(host)
	o := Observation{Host: bare(name), At: time.Now()}
	if host == "" || !isName(name) {
		o.Steps = []Step{{Name: o.Host, Failure: Failure{Outcome: Malformed, Text: "this is not a domain name"}}}
		return o
	}
	w, ctx, end := r.begin(ctx)
	defer end()
	if w == nil {
		o.Cut = closedText
		return o
	}
	var resolvers sync.WaitGroup
	w.do(&resolvers, func() { o.Resolvers = w.askResolvers(ctx, name) })
	w.follow(ctx, name)
	w.chain.running.Wait()
	resolvers.Wait()
	o.Steps, o.Formerly = w.chain.inOrder(bare(name))
	w.confirmBogus(ctx, o.Resolvers, o.Steps)
	o.Cut, o.Heard = w.cut, w.heard.Load()
	return o
}

// chain holds the steps of one observation. They run side by side: an alias is
// followed as soon as one server gave it, so that a silent server delays nothing.
type chain struct {
	mu      sync.Mutex
	steps   map[string]*Step
	running sync.WaitGroup
}

// follow starts the step of a name, once.
func (w *walk) follow(ctx context.Context, name string) {
	c := &w.chain
	c.mu.Lock()
	_, known := c.steps[bare(name)]
	first := len(c.steps) == 0
	full := len(c.steps) == MaxSteps
	step := &Step{Name: bare(name)}
	if !known && !full {
		if c.steps == nil {
			c.steps = map[string]*Step{}
		}
		c.steps[step.Name] = step
	}
	c.mu.Unlock()
	switch {
	case known:
	case full:
		w.limit("the chain of aliases is too long")
	default:
		if !first {
			w.alias()
		}
		w.do(&c.running, func() { w.fill(ctx, step, name, first) })
	}
}

// inOrder gives the steps breadth first from the host, which does not depend on
// who answered when; and those that only answers of former servers lead to.
func (c *chain) inOrder(host string) (steps, formerly []Step) {
	queue := []string{host}
	reach := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(queue, name) {
				queue = append(queue, name)
			}
		}
	}
	i := 0
	collect := func() (found []Step) {
		for ; i < len(queue); i++ {
			step, ok := c.steps[queue[i]]
			if !ok {
				continue // over MaxSteps
			}
			found = append(found, *step)
			for _, a := range step.Answers {
				if a.Outcome == Alias {
					reach(a.Target)
				}
			}
		}
		return found
	}
	steps = collect()
	for from := steps; len(from) > 0; {
		for _, s := range from {
			for _, f := range s.Former {
				if f.Outcome == Alias {
					reach(f.Target)
				}
			}
		}
		from = collect()
		formerly = append(formerly, from...)
	}
	return steps, formerly
}

// fill does the work of one step. It begins once more if the servers refer further down
// than what was known, or if none of them speaks and they are those of a delegation that
// was kept: the zone may have moved.
func (w *walk) fill(ctx context.Context, s *Step, name string, first bool) {
	var vain delegation
	for again := range 2 {
		d, failure := w.locate(ctx, name, 0)
		if vain.zone != "" && (d.zone == "" || d.zone == vain.zone && d.sameServers(vain) || failure.Outcome != "" && failure.Outcome != NoName) {
			return // the parent says what was known, or nothing
		}
		if s.Failure = failure; d.zone == "" {
			return
		}
		if vain.zone != "" {
			s.Answers = nil
		}
		s.Zone = bare(d.zone)
		if failure.Outcome != "" {
			return
		}
		below, spoke := w.hearServers(ctx, s, d, name, first && again == 0)
		switch {
		case s.Failure.Outcome != "":
			return
		case spoke:
			w.insist(ctx, s, name)
			w.again(ctx, s, name)
			w.wildcard(ctx, s, canonical(s.Zone), name)
			return
		}
		w.r.places.drop(name)
		switch {
		case len(below) > 0:
			w.r.learn(below[0])
		case d.fixed:
			return
		default:
			w.r.outdated(d)
			if vain = d; !d.read.Before(w.began) {
				return // perhaps it was delegated anew: the parent is asked next time
			}
		}
	}
}

// hearServers asks all servers of the zone that holds the step's name, and tells whether
// any of them spoke. If none did, below are the delegations that they gave instead.
func (w *walk) hearServers(ctx context.Context, s *Step, d delegation, name string, whole bool) (below []delegation, spoke bool) {
	servers, dead := w.serversToJudge(ctx, d)
	if len(servers)+len(dead) == 0 {
		s.Failure = Failure{Outcome: Unreachable, At: s.Zone, Text: noIPv6}
		return nil, false
	}
	met := slices.Clone(servers)
	if !whole {
		servers = w.share(servers)
	}
	complete := len(servers) == len(met)
	for _, h := range dead {
		met = append(met, h.server)
		complete = complete && h.answer.Outcome != unasked
	}
	var more []Answer
	var beside sync.WaitGroup
	w.do(&beside, func() { more = w.askBeside(ctx, s, d, servers, name, whole) })
	answers, below := w.askAll(ctx, d, servers, name)
	beside.Wait()
	answers = believed(append(answers, more...))
	heard := len(answers)
	answers = w.withoutBrokenIPv6(ctx, answers)
	if heard > 0 && len(answers)+len(dead) == 0 {
		s.Failure = Failure{Outcome: Unreachable, At: s.Zone, Text: noIPv6}
		return nil, false
	}
	s.Answers = append(answers, w.deadAnswers(dead)...)
	slices.SortStableFunc(s.Answers, compareAnswers)
	if !slices.ContainsFunc(answers, func(a Answer) bool { return a.Outcome.Speaks() }) {
		return below, false
	}
	if had := w.reckon(s, d, met, complete); len(had) > 0 {
		w.askFormer(ctx, s, d, had, name, whole)
	}
	return nil, true
}

// believed takes a server at its word that there is nothing of a type, though it says so
// on behalf of a zone above, if it gives other records of the name: load balancers do that
// whose DNS holds the zone above too. Resolvers believe such answers of any server.
func believed(answers []Answer) []Answer {
	for i, a := range answers {
		if a.empty && anyOf(answers, func(b *Answer) bool { return b.Server == a.Server && b.hasData() }) {
			answers[i] = Answer{Server: a.Server, Type: a.Type, Outcome: NoData, TTL: a.ttl, TCP: a.TCP, RTT: a.RTT, Again: a.Again}
		}
	}
	return answers
}

// deadAnswers are entries for servers that could not be asked.
func (w *walk) deadAnswers(dead []heard) []Answer {
	var out []Answer
	for _, h := range dead {
		if h.answer.Outcome == unasked {
			w.limit(h.answer.Detail)
			continue
		}
		for _, t := range []Type{A, AAAA} {
			out = append(out, Answer{Server: h.server, Type: t, Outcome: h.answer.Outcome, Detail: h.answer.Detail})
		}
	}
	return out
}

// askAll puts both questions to every server at once. Referrals to a zone below
// are lame answers, and are returned too.
func (w *walk) askAll(ctx context.Context, d delegation, servers []Server, name string) (answers []Answer, below []delegation) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, server := range servers {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			w.do(&asked, func() {
				a, child := w.askOne(ctx, d.zone, server, question{name: name, qtype: qtype})
				if a.Outcome == unasked {
					w.limit(a.Detail)
					return
				}
				if a.Outcome == Alias {
					w.follow(ctx, canonical(a.Target))
				}
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, a)
				if child.zone != "" {
					below = append(below, child)
				}
			})
		}
	}
	asked.Wait()
	return answers, below
}

func compareAnswers(a, b Answer) int {
	return cmp.Or(cmp.Compare(a.Server.Name, b.Server.Name), a.Server.Address.Compare(b.Server.Address), cmp.Compare(a.Type, b.Type))
}

// askOne puts one question to one server of zone.
func (w *walk) askOne(ctx context.Context, zone string, server Server, q question) (a Answer, child delegation) {
	defer func() { w.told(server.Address, a.Outcome.Speaks(), a) }()
	return readReply(zone, server, q, w.ask(ctx, server, q), w.r.port)
}

// readReply is what the end of an exchange with a server of zone says to q.
func readReply(zone string, server Server, q question, r reply, port uint16) (a Answer, child delegation) {
	if r.msg == nil {
		return Answer{Server: server, Type: askedType(q.qtype), Outcome: r.outcome, Detail: r.detail, TCP: r.tcp}, delegation{}
	}
	a = readAnswer(zone, q, r.msg)
	a.Server, a.TCP, a.RTT, a.Again = server, r.tcp, r.rtt, r.again
	child, refers := referral(zone, q.name, r.msg, port)
	if refers {
		a = Answer{Server: server, Type: a.Type, TCP: r.tcp, RTT: r.rtt}.misbehaved(Lame, "refers to the servers of "+bare(child.zone))
	}
	return a, child
}

// sameData tells whether two answers give the same records.
func sameData(a, b *Answer) bool {
	return a.Outcome == b.Outcome && a.Target == b.Target && slices.EqualFunc(a.Addresses, b.Addresses, func(x, y netip.Addr) bool { return x == y })
}
