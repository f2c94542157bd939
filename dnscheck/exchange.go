package dnscheck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	udpTries = 2
	minTry   = 300 * time.Millisecond
	// wrongLimit bounds the wrong packets that one question listens to.
	wrongLimit = 64
)

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
	tcp   bool
	rtt   time.Duration
}

// exchanger puts questions to servers.
type exchanger struct {
	slots   chan struct{}
	least   time.Duration // with less time than this left no question is put
	buffers sync.Pool
}

func newExchanger(workers int, least time.Duration) *exchanger {
	return &exchanger{
		slots:   make(chan struct{}, workers),
		least:   least,
		buffers: sync.Pool{New: func() any { return new([dns.MaxMsgSize]byte) }},
	}
}

// ask puts q to a server: UDP with EDNS, without EDNS if the server does not know
// it, TCP if the answer is truncated. ctx has a deadline.
func (x *exchanger) ask(ctx context.Context, server netip.AddrPort, q question) reply {
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
	}
	if deadline, _ := ctx.Deadline(); ctx.Err() != nil || time.Until(deadline) < x.least {
		return reply{outcome: unasked, detail: outOfTime(ctx)}
	}
	edns := true
	r := x.overUDP(ctx, server, q, edns)
	if rejectsEDNS(r) {
		if plain := x.overUDP(ctx, server, q, false); plain.msg != nil && !rejectsEDNS(plain) {
			r, edns = plain, false
		}
	}
	heard := r.msg != nil
	if heard && r.msg.Truncated {
		r = x.overTCP(ctx, server, q, edns)
	}
	r.heard = heard
	if r.msg == nil && errors.Is(ctx.Err(), context.Canceled) {
		r.outcome, r.detail = unasked, outOfTime(ctx)
	}
	return r
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

// overUDP uses a socket of its own, so the port is one more secret of the
// question; a second try keeps it, so that a late answer to the first counts.
func (x *exchanger) overUDP(ctx context.Context, server netip.AddrPort, q question, edns bool) reply {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return networkReply(err, "UDP")
	}
	defer interruptible(ctx, conn)()
	id := dns.Id()
	packet, err := q.pack(id, edns)
	if err != nil {
		return reply{outcome: unasked, detail: err.Error()}
	}
	begin := time.Now()
	l := listener{id: id, q: q}
	for range udpTries {
		sent := time.Now()
		if !setShare(ctx, conn, 1, 3) {
			break
		}
		if _, err := conn.Write(packet); err != nil {
			return networkReply(err, "UDP")
		}
		m, err := x.listenUDP(conn, &l)
		switch {
		case m != nil:
			return reply{msg: m, rtt: time.Since(sent)}
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return networkReply(err, "UDP")
		}
	}
	return l.nothing(time.Since(begin))
}

// listener remembers what wrong packets came.
type listener struct {
	id     uint16
	q      question
	wrong  string
	wrongs int
}

func (l *listener) nothing(waited time.Duration) reply {
	if l.wrongs > 0 {
		return reply{outcome: Malformed, detail: "sent " + l.wrong}
	}
	return reply{outcome: Silent, detail: fmt.Sprintf("no answer in %s", waited.Round(100*time.Millisecond))}
}

// take opens one packet, or counts it as wrong.
func (l *listener) take(packet []byte) *dns.Msg {
	m, wrong := open(packet, l.id, l.q)
	if m == nil {
		l.wrong = wrong
		l.wrongs++
	}
	return m
}

// listenUDP goes on past wrong packets: whoever forges must not silence the server.
func (x *exchanger) listenUDP(conn *net.UDPConn, l *listener) (*dns.Msg, error) {
	buf := x.buffers.Get().(*[dns.MaxMsgSize]byte)
	defer x.buffers.Put(buf)
	for l.wrongs < wrongLimit {
		n, err := conn.Read(buf[:])
		if err != nil {
			return nil, err
		}
		if m := l.take(buf[:n]); m != nil {
			return m, nil
		}
	}
	return nil, nil
}

// overTCP asks again after a truncated answer (RFC 7766).
func (x *exchanger) overTCP(ctx context.Context, server netip.AddrPort, q question, edns bool) reply {
	begin := time.Now()
	deadline, _ := ctx.Deadline()
	dialer := net.Dialer{Deadline: begin.Add(share(time.Until(deadline), 2, 3))}
	conn, err := dialer.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return tcpReply(err, begin)
	}
	defer interruptible(ctx, conn)()
	id := dns.Id()
	packet, err := q.pack(id, edns)
	if err != nil {
		return reply{outcome: unasked, detail: err.Error(), tcp: true}
	}
	if !setShare(ctx, conn, 2, 3) {
		return reply{outcome: unasked, tcp: true}
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	if _, err := conn.Write(framed); err != nil {
		return tcpReply(err, begin)
	}
	l := listener{id: id, q: q}
	for l.wrongs < wrongLimit {
		m, err := x.readTCP(conn, &l)
		switch {
		case err != nil && l.wrongs > 0:
			r := l.nothing(time.Since(begin))
			r.tcp = true
			return r
		case err != nil:
			return tcpReply(err, begin)
		case m != nil && m.Truncated:
			return reply{outcome: Malformed, detail: "sent an answer that is truncated over TCP too", tcp: true}
		case m != nil:
			return reply{msg: m, tcp: true, rtt: time.Since(begin)}
		}
	}
	return reply{outcome: Malformed, detail: "sent " + l.wrong, tcp: true}
}

// readTCP reads one message; nil without an error is a wrong one.
func (x *exchanger) readTCP(conn net.Conn, l *listener) (*dns.Msg, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := x.buffers.Get().(*[dns.MaxMsgSize]byte)
	defer x.buffers.Put(buf)
	packet := buf[:binary.BigEndian.Uint16(size[:])]
	if _, err := io.ReadFull(conn, packet); err != nil {
		return nil, err
	}
	return l.take(packet), nil
}

// interruptible ends all waiting on conn when ctx ends; the function it returns
// closes conn and leaves no goroutine behind.
func interruptible(ctx context.Context, conn net.Conn) (done func()) {
	ran := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ran)
		_ = conn.SetDeadline(time.Unix(1, 0)) // fails only on a closed connection, which waits no more
	})
	return func() {
		if !stop() {
			<-ran
		}
		_ = conn.Close() // nothing is unsent
	}
}

// share is a part of what is left, but not less than a round trip may need.
func share(left time.Duration, num, den int64) time.Duration {
	return min(max(left*time.Duration(num)/time.Duration(den), minTry), left)
}

// setShare lets conn wait for a share of the time left; false if ctx ended.
func setShare(ctx context.Context, conn net.Conn, num, den int64) bool {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	err := conn.SetDeadline(time.Now().Add(share(left, num, den)))
	return err == nil && left > 0 && ctx.Err() == nil
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

// tcpReply words the failure of the second, longer way.
func tcpReply(err error, begin time.Time) reply {
	var timeout net.Error
	var r reply
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		r = reply{outcome: Silent, detail: fmt.Sprintf("no answer over TCP in %s", time.Since(begin).Round(100*time.Millisecond))}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		r = reply{outcome: Silent, detail: "closed the TCP connection without an answer"}
	default:
		r = networkReply(err, "TCP")
	}
	r.detail += ", after a truncated answer over UDP"
	r.tcp = true
	return r
}
