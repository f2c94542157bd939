package dnscheck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// overTCP asks again (RFC 7766), after what came over UDP.
func (x *exchanger) overTCP(ctx context.Context, server netip.AddrPort, q question, edns bool, after string) reply {
	x.servers.charge(server)
	r := x.askTCP(ctx, server, q, edns)
	r.tcp = true
	if r.msg == nil && r.outcome != unasked {
		r.detail += ", after " + after
	}
	return r
}

func (x *exchanger) askTCP(ctx context.Context, server netip.AddrPort, q question, edns bool) reply {
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
		return reply{outcome: unasked, detail: err.Error()}
	}
	if !setShare(ctx, conn, 2, 3) {
		return reply{outcome: unasked}
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
			return reply{outcome: Malformed, detail: "sent " + l.wrong}
		case err != nil:
			return tcpReply(err, begin)
		case m != nil && m.Truncated:
			return reply{outcome: Malformed, detail: "sent an answer that is truncated over TCP too"}
		case m != nil:
			return reply{msg: m, tcp: true, rtt: time.Since(begin)}
		}
	}
	return reply{outcome: Malformed, detail: "sent " + l.wrong}
}

// listener remembers what wrong messages came over a connection.
type listener struct {
	id     uint16
	q      question
	wrong  string
	wrongs int
}

// readTCP reads one message; nil without an error is a wrong one.
func (x *exchanger) readTCP(conn net.Conn, l *listener) (*dns.Msg, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := x.frames.Get().(*[dns.MaxMsgSize]byte)
	defer x.frames.Put(buf)
	packet := buf[:binary.BigEndian.Uint16(size[:])]
	if _, err := io.ReadFull(conn, packet); err != nil {
		return nil, err
	}
	m, wrong := open(packet, l.id, l.q)
	if m == nil {
		l.wrong = wrong
		l.wrongs++
	}
	return m, nil
}

// interruptible ends all waiting on conn when ctx ends; the function it returns
// closes conn.
func interruptible(ctx context.Context, conn net.Conn) (done func()) {
	// It fails only on a closed connection, which waits no more.
	stop := afterEnd(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		_ = conn.Close() // nothing is unsent
	}
}

// afterEnd runs f when ctx ends. Unlike that of context.AfterFunc the function it
// returns waits for f if it is under way, so that no goroutine is left behind.
func afterEnd(ctx context.Context, f func()) (stop func()) {
	ran := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ran)
		f()
	})
	return func() {
		if !cancel() {
			<-ran
		}
	}
}

// setShare lets conn wait for a share of the time left; false if ctx ended.
func setShare(ctx context.Context, conn net.Conn, num, den int64) bool {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	err := conn.SetDeadline(time.Now().Add(share(left, num, den)))
	return err == nil && left > 0 && ctx.Err() == nil
}

// tcpReply words the failure of the second, longer way.
func tcpReply(err error, begin time.Time) reply {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return reply{outcome: Silent, detail: fmt.Sprintf("no answer over TCP in %s", time.Since(begin).Round(100*time.Millisecond))}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return reply{outcome: Silent, detail: "closed the TCP connection without an answer"}
	default:
		return networkReply(err, "TCP")
	}
}
