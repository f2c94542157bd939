package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// zoneServer is one server of a zone while it is looked at.
type zoneServer struct {
	ZoneServer
	named []nameServer
	ttl   uint32 // of the records that name them
	// opt is set when its answer for NS had an OPT record, so that it knows EDNS; shy
	// when it came only after the question had no cookie any more.
	opt, shy bool
}

func addrOrder(a, b netip.Addr) int { return a.Compare(b) }

func (l *zoneLook) nsQuestion() question  { return question{name: l.zone, qtype: dns.TypeNS} }
func (l *zoneLook) soaQuestion() question { return question{name: l.zone, qtype: dns.TypeSOA} }

// askNS asks for the zone's own NS records.
func (l *zoneLook) askNS(ctx context.Context, s *zoneServer) {
	r := l.ask(ctx, s.Server, l.nsQuestion())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hearNS(s, r)
}

// hearNS keeps what was said of the NS records; the lock is held.
func (l *zoneLook) hearNS(s *zoneServer, r reply) {
	s.NSOutcome, s.NSDetail = r.outcome, r.detail
	if r.outcome == unasked {
		s.NSOutcome, s.NSDetail = "", ""
		l.limit(r.detail)
	}
	if r.msg == nil {
		return
	}
	s.opt, s.shy = r.msg.IsEdns0() != nil && !rejectsEDNS(r), r.shy
	s.Again = s.Again || r.again
	a := readAnswer(l.zone, l.nsQuestion(), r.msg)
	s.NSOutcome, s.NSDetail = a.Outcome, a.Detail
	if d, ok := apexNS(l.zone, r.msg, l.r.port); ok && a.Outcome == NoData {
		s.NSOutcome, s.named, s.ttl = OK, d.names, d.ttl
		for _, n := range d.names {
			s.NS = append(s.NS, bare(n.host))
		}
	}
}

// askOthers asks what is left to be known of a server: SOA, EDNS, TCP and cookies.
func (l *zoneLook) askOthers(ctx context.Context, s *zoneServer) {
	var asked sync.WaitGroup
	l.do(&asked, func() { l.askTCP(ctx, s) })
	l.do(&asked, func() { l.askSOA(ctx, s) })
	asked.Wait()
	if s.shy {
		l.askCookie(ctx, s)
	}
}

// trials is how often a question must go unanswered before its form is to blame, each
// time between two others of which the first packet is answered. Where half of all
// packets get lost that is one chance in 4,000.
const trials = 4

// isDropped tells whether a server leaves each question of one form unanswered, and
// answers the first packet of each of another form.
func isDropped(dropped, answered func() reply) bool {
	for range trials {
		if dropped().outcome != Silent {
			return false
		}
		if r := answered(); r.msg == nil || r.again {
			return false
		}
	}
	return true
}

// askCookie finds out whether a server drops questions with a cookie, as firewalls do
// that know no such option, or whether the one for NS got lost.
func (l *zoneLook) askCookie(ctx context.Context, s *zoneServer) {
	with, without := l.soaQuestion(), l.soaQuestion()
	with.insists, with.brief, without.brief = true, true, true
	drops := isDropped(func() reply { return l.askBy(ctx, s.Server, with, withEDNS) }, func() reply {
		r := l.askBy(ctx, s.Server, without, withEDNS)
		r.again = r.again || !r.shy // then it had a cookie
		return r
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	s.DropsCookies = drops
}

// askSOA asks for the SOA record, and finds out how the server takes EDNS.
func (l *zoneLook) askSOA(ctx context.Context, s *zoneServer) {
	r, edns, detail := l.askEDNS(ctx, s)
	if r.outcome == Silent {
		r = l.insistOn(ctx, s)
	}
	a := l.readSOA(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Again = s.Again || r.again
	if a.Outcome == unasked {
		l.limit(a.Detail)
		return
	}
	s.Outcome, s.Detail, s.Serial, s.Primary = a.Outcome, a.Detail, a.Serial, a.Primary
	s.EDNS, s.EDNSDetail = edns, detail
}

// insistOn asks a server that is silent for the SOA record once more, as insist does.
func (l *zoneLook) insistOn(ctx context.Context, s *zoneServer) (r reply) {
	q := l.soaQuestion()
	q.brief = true
	r.outcome = Silent
	for range insistences {
		if r.outcome == Silent && l.r.wire.servers.unanswered(s.Server.Address) < surelySilent {
			if got := l.ask(ctx, s.Server, q); got.outcome != unasked {
				r = got
				r.again = true
			}
		}
	}
	return r
}

// readSOA reads the zone's own SOA record; Serial is set only for OK.
func (l *zoneLook) readSOA(r reply) Answer {
	if r.msg == nil {
		return Answer{Outcome: r.outcome, Detail: r.detail}
	}
	a := readAnswer(l.zone, l.soaQuestion(), r.msg)
	a.Serial = 0
	if set := gather(l.soaQuestion(), r.msg.Answer); a.Outcome == OK && set.soa != nil {
		a.Serial = set.soa.Serial
	}
	return a
}

// cookieRejected is the EDNSDetail of a server that stumbles over the option in our
// question, and not over EDNS.
const cookieRejected = "FORMERR to a DNS cookie"

// askEDNS asks with EDNS and, if that fails, without (RFC 6891 §7, DNS flag day
// 2019, Zonemaster NAMESERVER02). Lost packets are not rare enough for an accusation:
// see isDropped.
func (l *zoneLook) askEDNS(ctx context.Context, s *zoneServer) (r reply, edns EDNS, detail string) {
	if s.opt {
		return l.ask(ctx, s.Server, l.soaQuestion()), EDNSOK, ""
	}
	with := l.askBy(ctx, s.Server, l.soaQuestion(), withEDNS)
	switch {
	case with.msg != nil && with.msg.Truncated:
		return l.ask(ctx, s.Server, l.soaQuestion()), EDNSOK, ""
	case with.msg != nil && !rejectsEDNS(with):
		return with, EDNSOK, ""
	case with.msg == nil && with.outcome != Silent:
		return with, "", ""
	}
	without := l.askBy(ctx, s.Server, l.soaQuestion(), withoutEDNS)
	switch {
	case without.msg == nil || rejectsEDNS(without):
		return with, "", ""
	case with.msg != nil && with.msg.IsEdns0() != nil && with.msg.Rcode == dns.RcodeFormatError:
		return without, EDNSRejected, cookieRejected // who does not know EDNS sends no OPT record (RFC 6891 §7)
	case with.msg != nil:
		return without, EDNSRejected, rcodeText(with.msg.Rcode)
	}
	q := l.soaQuestion()
	q.brief = true
	var last reply
	drops := isDropped(func() reply {
		last = l.askBy(ctx, s.Server, q, withEDNS)
		return last
	}, func() reply { return l.askBy(ctx, s.Server, q, withoutEDNS) })
	switch {
	case drops:
		edns = EDNSDropped
	case last.msg != nil && !rejectsEDNS(last):
		edns = EDNSOK
	}
	if s.NSOutcome == Silent {
		ns := l.askBy(ctx, s.Server, l.nsQuestion(), withoutEDNS)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hearNS(s, ns)
	}
	return without, edns, ""
}

// askTCP asks for the SOA record over TCP, though nothing was truncated (RFC 7766
// §5, RFC 9210, Zonemaster CONNECTIVITY02).
func (l *zoneLook) askTCP(ctx context.Context, s *zoneServer) {
	deadline, _ := ctx.Deadline()
	// With 5 s in all, a lost first packet is sent again in time; some is left for the
	// witness.
	soon, cancel := context.WithTimeout(ctx, time.Until(deadline)*2/3)
	defer cancel()
	r := l.askBy(soon, s.Server, l.soaQuestion(), byTCP)
	a := l.readSOA(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tcp = l.tcp || r.msg != nil
	if a.Outcome != unasked {
		s.TCP, s.TCPDetail = a.Outcome, a.Detail
	}
}

// witnessTCP asks the parent over TCP if no server of the zone has answered so,
// because then it may be our own firewall that lets nothing out.
func (l *zoneLook) witnessTCP(ctx context.Context, o *ZoneObservation) {
	serves := func(s *zoneServer) bool { return s.Outcome == OK && s.TCP != "" }
	if l.tcp || !slices.ContainsFunc(l.all(), serves) {
		return
	}
	for _, h := range o.Handed {
		if h.Outcome.Speaks() && !slices.ContainsFunc(l.all(), func(s *zoneServer) bool { return s.Server.Address == h.Server.Address }) {
			l.tcp = l.askBy(ctx, h.Server, l.nsQuestion(), byTCP).msg != nil
			return
		}
	}
}

func (l *zoneLook) all() []*zoneServer {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*zoneServer
	for _, s := range l.asked {
		all = append(all, s)
	}
	return all
}

// dropBrokenIPv6 leaves out IPv6 servers that fail, where IPv6 leads nowhere at
// all: see withoutBrokenIPv6.
func (l *zoneLook) dropBrokenIPv6(ctx context.Context) {
	var failed []netip.AddrPort
	for _, s := range l.all() {
		if l.r.beyond(s.Server.Address.Addr()) && (s.Outcome == Silent || s.Outcome == Unreachable) {
			failed = append(failed, s.Server.Address)
		}
	}
	if len(failed) == 0 || l.ipv6Works(ctx) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range failed {
		delete(l.asked, at)
	}
}
