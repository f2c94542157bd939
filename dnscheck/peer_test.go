package dnscheck

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// peer is a UDP server that a test scripts packet by packet.
type peer struct {
	conn *net.UDPConn
	at   netip.AddrPort
	done sync.WaitGroup

	flushed chan struct{} // one for each empty packet
	mu      sync.Mutex
	heard   int
}

// newPeer runs script in one goroutine; it returns what to send to the client.
func newPeer(tb testing.TB, script func(packet []byte, from netip.AddrPort) [][]byte) *peer {
	tb.Helper()
	// Clients get their ports on 127.0.0.1, so elsewhere a port stays free when its
	// server is stopped.
	loopback, err := lab.RandomNet()
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback.Addr(1), 0)))
	if err != nil {
		tb.Fatal(err)
	}
	p := &peer{conn: conn, at: conn.LocalAddr().(*net.UDPAddr).AddrPort(), flushed: make(chan struct{})}
	p.done.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if n == 0 {
				p.flushed <- struct{}{}
				continue
			}
			p.mu.Lock()
			p.heard++
			p.mu.Unlock()
			for _, out := range script(slices.Clone(buf[:n]), from) {
				if _, err := conn.WriteToUDPAddrPort(out, from); err != nil {
					return
				}
			}
		}
	})
	tb.Cleanup(p.stop)
	return p
}

func (p *peer) stop() {
	_ = p.conn.Close() // a second time it is closed already
	p.done.Wait()
}

// count is how many packets were sent to the peer, which reads all of them first.
func (p *peer) count(tb testing.TB) int {
	tb.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.at))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing is unsent
	if _, err := conn.Write(nil); err != nil {
		tb.Fatal(err)
	}
	<-p.flushed
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard
}

// answerTo is an authoritative answer without records.
func answerTo(packet []byte) []byte {
	p := slices.Clone(packet)
	p[2] |= 0x84
	return p
}

func wrongIDFor(packet []byte) []byte {
	p := answerTo(packet)
	p[0] ^= 0xFF
	return p
}

func newTestExchanger(tb testing.TB) *exchanger {
	tb.Helper()
	x := newExchanger(64, 0, func(netip.Addr) int { return 0 })
	tb.Cleanup(x.close)
	return x
}

// shortly is a context whose time is short enough to wait for silence: the tries
// have 1 s and 700 ms, and what is left over is for a busy machine.
func shortly(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 3*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// patiently is a context in which waiting would not end: what ends it is no timeout.
func patiently(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Hour)
	tb.Cleanup(cancel)
	return ctx
}

func numbered(i int) question {
	return question{name: fmt.Sprintf("n%d.shop.example.", i), qtype: dns.TypeA}
}
