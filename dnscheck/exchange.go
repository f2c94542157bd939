package dnscheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// minTry is what a round trip may need.
const minTry = 300 * time.Millisecond

// unasked is the outcome of a question that was never put, or whose answer we did
// not wait for, for reasons of our own: it says nothing about the server and
// never leaves the package.
const unasked Outcome = "unasked"

// reply is the end of an exchange: a message, or an outcome without one.
type reply struct {
	msg     *dns.Msg
	outcome Outcome // empty if msg is there; else Silent, Unreachable, Malformed, unasked
	detail  string
	// heard is set if any acceptable packet came, also one that was only truncated.
	heard bool
	// flooded is set if so many wrong packets came that somebody must forge them.
	flooded bool
	// cookieless is set if an answer over UDP lacks the cookie that this server sends.
	cookieless bool
	// shy is set if the server seems to answer only questions without a cookie: the
	// first packets, with one, may as well have got lost.
	shy bool
	// again is set if the first packet with the question brought no answer.
	again bool
	tcp   bool
	rtt   time.Duration
}

// exchanger puts questions to servers.
type exchanger struct {
	slots   chan struct{}
	least   time.Duration // with less time than this left no question is put
	servers *servers
	frames  sync.Pool // of *[dns.MaxMsgSize]byte, for TCP
}

// newExchanger lets at most workers questions be under way at once. rate says how
// many questions a second a server gets; 0 or less is no limit.
func newExchanger(workers int, least time.Duration, rate func(netip.Addr) int) *exchanger {
	return &exchanger{
		slots:   make(chan struct{}, workers),
		least:   least,
		servers: newServers(workers, rate),
		frames:  sync.Pool{New: func() any { return new([dns.MaxMsgSize]byte) }},
	}
}

// close closes the sockets. No question should be under way.
func (x *exchanger) close() { x.servers.close() }

// ask puts q to a server: UDP with EDNS, without EDNS if the server does not know
// it, TCP if the answer is truncated or somebody forges. ctx has a deadline.
func (x *exchanger) ask(ctx context.Context, server netip.AddrPort, q question) reply {
	server = netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	if why := x.admit(ctx, server); why != "" {
		return reply{outcome: unasked, detail: why}
	}
	defer x.dismiss()
	r, edns := x.understood(ctx, server, q)
	heard, shy := r.msg != nil, r.shy
	switch {
	case heard && r.msg.Truncated:
		r = x.overTCP(ctx, server, q, edns, "a truncated answer over UDP")
	case heard && r.msg.Rcode == dns.RcodeBadCookie:
		r = x.overTCP(ctx, server, q, edns, "BADCOOKIE over UDP")
	case r.cookieless:
		// As BIND does. It may have been forged; but a server that has no TCP may also
		// be one of several behind the address, of which not all send cookies.
		if sure := x.overTCP(ctx, server, q, edns, "an answer without a cookie"); sure.msg != nil {
			r = sure
		}
	case r.flooded:
		r = x.overTCP(ctx, server, q, edns, r.detail+" over UDP")
		if heard = r.msg != nil; !heard && r.outcome != unasked {
			r.outcome = Malformed // what came, came over UDP
		}
	}
	r.heard, r.shy = heard, shy
	return r.unlessEnded(ctx)
}

// way is how a question is put, where the way itself is what is looked at.
type way int

const (
	withEDNS way = iota // over UDP, and nothing else
	withoutEDNS
	byTCP // without EDNS, so that it shows TCP alone
)

// askBy is ask without its other ways. A third of the time that is left goes into
// UDP, so that there is some for another way.
func (x *exchanger) askBy(ctx context.Context, server netip.AddrPort, q question, how way) reply {
	server = netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	if why := x.admit(ctx, server); why != "" {
		return reply{outcome: unasked, detail: why}
	}
	defer x.dismiss()
	if how == byTCP {
		return x.askTCP(ctx, server, q, false).unlessEnded(ctx)
	}
	soon, cancel := third(ctx)
	defer cancel()
	return x.overUDP(soon, server, q, how == withEDNS).unlessEnded(ctx)
}

// admit waits for the turn and the slot of a question, or says why it is not to be
// put; dismiss gives the slot back. A slow server's questions wait for their turn
// first, as those to other servers need the slots.
func (x *exchanger) admit(ctx context.Context, server netip.AddrPort) (why string) {
	if err := x.servers.turn(ctx, server, x.least); err != nil && ctx.Err() == nil {
		return err.Error()
	}
	select {
	case x.slots <- struct{}{}:
	case <-ctx.Done():
		return outOfTime(ctx)
	}
	if deadline, _ := ctx.Deadline(); ctx.Err() != nil || time.Until(deadline) < x.least {
		x.dismiss()
		return outOfTime(ctx)
	}
	return ""
}

func (x *exchanger) dismiss() { <-x.slots }

// unlessEnded takes back what is said of a server that we did not wait for.
func (r reply) unlessEnded(ctx context.Context) reply {
	if r.msg == nil && errors.Is(ctx.Err(), context.Canceled) {
		r.outcome, r.detail = unasked, outOfTime(ctx)
	}
	return r
}

// understood asks over UDP, and once more if the server wants another cookie or no
// EDNS.
func (x *exchanger) understood(ctx context.Context, server netip.AddrPort, q question) (r reply, edns bool) {
	r = x.overUDP(ctx, server, q, true)
	switch {
	case r.msg != nil && r.msg.Rcode == dns.RcodeBadCookie: // the new one came along
		x.servers.charge(server)
		if again := x.overUDP(ctx, server, q, true); again.msg != nil {
			r = again
		}
	case rejectsEDNS(r):
		x.servers.charge(server)
		if plain := x.overUDP(ctx, server, q, false); plain.msg != nil && !rejectsEDNS(plain) {
			return plain, false
		}
	}
	return r, true
}

func outOfTime(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.Canceled) {
		return "the observation was ended from outside"
	}
	return "time ran out before every server was asked"
}

func rejectsEDNS(r reply) bool {
	return r.msg != nil && (r.msg.Rcode == dns.RcodeFormatError || r.msg.Rcode == dns.RcodeNotImplemented ||
		r.msg.Rcode == dns.RcodeBadVers)
}

// overUDP shares a socket with the other questions to that server.
func (x *exchanger) overUDP(ctx context.Context, server netip.AddrPort, q question, edns bool) reply {
	s, patience, err := x.servers.acquire(server)
	switch {
	case errors.Is(err, errClosed):
		return reply{outcome: unasked, detail: err.Error()}
	case err != nil:
		return networkReply(err, "UDP")
	}
	how := noSign
	defer func() { x.servers.release(s, patience, how) }()
	w := x.servers.waiters.Get().(*waiter)
	defer x.servers.waiters.Put(w)
	if err := s.enter(w, q, edns); err != nil {
		return reply{outcome: unasked, detail: err.Error()}
	}
	x.servers.drain(s, w)
	begin := time.Now()
	end := x.converse(ctx, s, w, begin, patience)
	wrongs, wrong := s.leave(w)
	switch {
	case end.msg != nil:
		how = speaks
		return reply{msg: end.msg, rtt: end.after, cookieless: end.cookieless, shy: end.shy, again: end.again}
	case errors.Is(end.err, errFlood):
		how = isForged
		return reply{outcome: Malformed, detail: fmt.Sprintf("%d wrong packets, the last of them %s,", wrongs, wrong), flooded: true}
	case errors.Is(end.err, net.ErrClosed):
		return reply{outcome: unasked, detail: errClosed.Error()}
	case end.err != nil:
		how = speaks
		return networkReply(end.err, "UDP")
	case !w.sent.Load():
		return reply{outcome: unasked, detail: outOfTime(ctx)}
	}
	// What repeats no question may be anybody's.
	if wrongs == 0 && !errors.Is(ctx.Err(), context.Canceled) {
		how = isSilent
	}
	if wrong != "" {
		return reply{outcome: Malformed, detail: "sent " + wrong}
	}
	return reply{outcome: Silent, detail: silence(time.Since(begin))}
}

// silentFor is what the Detail of silence begins with, before the time.
const silentFor = "no answer in "

func silence(waited time.Duration) string {
	return silentFor + waited.Round(100*time.Millisecond).String()
}

// converse sends, waits, and sends again; without a message or an error nothing
// right came in time. What is sent again has the same ID and comes from the same
// port, so that a late answer to the first counts; it has no cookie any more, unless
// the server is known to send some.
func (x *exchanger) converse(ctx context.Context, s *socket, w *waiter, now time.Time, p patience) ending {
	deadline, _ := ctx.Deadline()
	tries := 1
	if p == twice || w.q.brief {
		tries = 2
	}
	dropped := false
	for try := range tries {
		if try > 0 {
			x.servers.charge(s.at)
			if !w.q.insists {
				w.packet, dropped = dropCookie(w.packet)
			}
			now = time.Now()
		}
		left := deadline.Sub(now)
		if left <= 0 || ctx.Err() != nil {
			break
		}
		if err := s.send(w); err != nil {
			return ending{err: err}
		}
		wait := share(left, 1, 3)
		if p == briefly || w.q.brief {
			wait = min(minTry, left)
		}
		if !x.servers.await(ctx, s, w, now.Add(wait)) {
			continue
		}
		if w.end.msg != nil {
			s.learn(w, dropped)
		}
		w.end.after, w.end.again = time.Since(now), try > 0
		return w.end
	}
	return ending{}
}

// share is a part of what is left, but not less than minTry.
func share(left time.Duration, num, den int64) time.Duration {
	return min(max(left*time.Duration(num)/time.Duration(den), minTry), left)
}

// networkReply words an error of the network. Lack of sockets is our own failure.
func networkReply(err error, proto string) reply {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return reply{outcome: unasked, detail: "no socket could be opened here: " + own.Error()}
		}
	}
	detail := proto + ": the network failed"
	var number syscall.Errno
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		detail = proto + " port closed"
	case errors.As(err, &number):
		detail = proto + ": " + number.Error()
	}
	return reply{outcome: Unreachable, detail: detail}
}
