package dnscheck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
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

	mu    sync.Mutex
	heard int
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
	p := &peer{conn: conn, at: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	p.done.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
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

func (p *peer) count() int {
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
// have 300 ms and the rest.
func shortly(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 500*time.Millisecond)
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

func TestQuestionsAtOnceShareAPortAndGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	const n = 32
	ports, ids := map[netip.AddrPort]bool{}, map[uint16]bool{}
	var held [][]byte
	p := newPeer(t, func(packet []byte, from netip.AddrPort) [][]byte {
		ports[from], ids[binary.BigEndian.Uint16(packet)] = true, true
		held = append(held, answerTo(packet))
		if len(held) < n {
			return nil
		}
		slices.Reverse(held)
		return held
	})
	x, ctx := newTestExchanger(t), patiently(t)
	var asked sync.WaitGroup
	for i := range n {
		asked.Go(func() {
			if r := x.ask(ctx, p.at, numbered(i)); r.msg == nil || r.msg.Question[0].Name != numbered(i).name || !r.heard {
				t.Errorf("question %d: %+v", i, r)
			}
		})
	}
	asked.Wait()
	p.stop()
	if len(ports) != 1 || len(ids) != n {
		t.Errorf("%d ports, %d IDs; want 1 and %d", len(ports), len(ids), n)
	}
}

func TestAPortServesABoundedNumberOfQuestionsAndTime(t *testing.T) {
	t.Parallel()
	var ports []netip.AddrPort
	p := newPeer(t, func(packet []byte, from netip.AddrPort) [][]byte {
		ports = append(ports, from)
		return [][]byte{answerTo(packet)}
	})
	x, ctx := newTestExchanger(t), patiently(t)
	ask := func() {
		t.Helper()
		if r := x.ask(ctx, p.at, numbered(1)); r.msg == nil {
			t.Fatal(r)
		}
	}
	for range socketQuestions + 1 {
		ask()
	}
	locked(x.servers, func() { x.servers.known[p.at].sock.born = time.Now().Add(-socketAge) })
	ask()
	p.stop()
	first, second, third := ports[0], ports[socketQuestions], ports[socketQuestions+1]
	if ports[socketQuestions-1] != first || second == first || third == second {
		t.Errorf("ports of the first, 512th, 513th, and of the one after a minute: %v %v %v %v", first, ports[socketQuestions-1], second, third)
	}
	if n := opened(x.servers); n != 1 {
		t.Errorf("%d sockets are open, want the newest", n)
	}
}

func TestWrongPacketsAreListenedPast(t *testing.T) {
	t.Parallel()
	long := make([]byte, readSize+1)
	for _, c := range []struct {
		rule  string
		sent  func(packet []byte) [][]byte
		wrong string // empty: the right one is heard
	}{
		{"the right one after as many wrong as are listened to", func(packet []byte) [][]byte {
			return append(slices.Repeat([][]byte{wrongIDFor(packet)}, wrongLimit), answerTo(packet))
		}, ""},
		{"the right one after one that is too long", func(packet []byte) [][]byte { return [][]byte{append(answerTo(packet), long...), answerTo(packet)} }, ""},
		{"only one that is too long", func(packet []byte) [][]byte { return [][]byte{append(answerTo(packet), long...)} }, "more than 4095 bytes"},
		{"only an empty packet", func([]byte) [][]byte { return [][]byte{{}} }, "shorter than a DNS header"},
		{"only the question", func(packet []byte) [][]byte { return [][]byte{packet} }, "QR=0"},
		{"only a wrong ID", func(packet []byte) [][]byte { return [][]byte{wrongIDFor(packet)} }, "wrong ID"},
		{"only the header of an answer", func(packet []byte) [][]byte { return [][]byte{answerTo(packet)[:headerSize]} }, "fewer records"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte { return c.sent(packet) })
			r := newTestExchanger(t).ask(shortly(t), p.at, numbered(1))
			switch {
			case c.wrong == "" && r.msg == nil:
				t.Errorf("not heard: %+v", r)
			case c.wrong != "" && (r.outcome != Malformed || !strings.Contains(r.detail, c.wrong) || r.heard):
				t.Errorf("got %+v, want %q", r, c.wrong)
			}
		})
	}
}

func TestAWrongIDIsHeldAgainstTheQuestionItRepeats(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
		if asks(packet, numbered(1)) {
			return [][]byte{wrongIDFor(packet)}
		}
		return nil
	})
	x, ctx := newTestExchanger(t), shortly(t)
	var replies [2]reply
	var asked sync.WaitGroup
	for i := range replies {
		asked.Go(func() { replies[i] = x.ask(ctx, p.at, numbered(i)) })
	}
	asked.Wait()
	if replies[0].outcome != Silent || replies[1].outcome != Malformed {
		t.Errorf("got %+v", replies)
	}
}

func TestALateAnswerIsNotHeldAgainstTheNextQuestion(t *testing.T) {
	t.Parallel()
	var first []byte
	p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
		if first == nil {
			first = answerTo(packet)
		}
		return [][]byte{first, first}
	})
	x := newTestExchanger(t)
	if r := x.ask(patiently(t), p.at, numbered(1)); r.msg == nil {
		t.Fatal(r)
	}
	if r := x.ask(shortly(t), p.at, numbered(2)); r.outcome != Silent {
		t.Errorf("got %+v, want silence", r)
	}
}

func TestAClosedPortEndsAllQuestionsAtOnceAndNoLaterOne(t *testing.T) {
	t.Parallel()
	const n = 8
	all := make(chan struct{})
	heard := 0
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte {
		if heard++; heard == n {
			close(all)
		}
		return nil
	})
	x, ctx := newTestExchanger(t), patiently(t)
	expectRefusal := func(i int) {
		if r := x.ask(ctx, p.at, numbered(i)); r.outcome != Unreachable || r.detail != "UDP port closed" {
			t.Errorf("question %d: %+v", i, r)
		}
	}
	var asked sync.WaitGroup
	for i := range n {
		asked.Go(func() { expectRefusal(i) })
	}
	<-all
	p.stop()
	expectRefusal(n) // the packet that is refused
	asked.Wait()
	again, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(p.at))
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := again.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if _, err := again.WriteToUDPAddrPort(answerTo(buf[:n]), from); err != nil {
				return
			}
		}
	})
	for i := range n {
		if r := x.ask(ctx, p.at, numbered(i)); r.msg == nil {
			t.Errorf("after the server came back: %+v", r)
		}
	}
	again.Close()
	served.Wait()
}

func TestARefusalIsOnlyForQuestionsThatWereSent(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte { return nil })
	s, err := dial(p.at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	sent, unsent := newWaiter(), newWaiter()
	for i, w := range []*waiter{sent, unsent} {
		if err := s.enter(w, numbered(i), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.send(sent); err != nil {
		t.Fatal(err)
	}
	s.refuse(syscall.ECONNREFUSED)
	if end := <-sent.end; !errors.Is(end.err, syscall.ECONNREFUSED) {
		t.Errorf("the question that was sent: %+v", end)
	}
	if len(unsent.end) != 0 || len(s.waiting) != 1 {
		t.Error("the question that was not sent has ended")
	}
}

func TestAServerThatIsSilentIsAskedOnceAQuestionUntilItAnswers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	speaks := false
	p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		if !speaks {
			return nil
		}
		return [][]byte{answerTo(packet)}
	})
	x := newTestExchanger(t)
	silence := func(questions, packets int) {
		t.Helper()
		before, ctx := p.count(), shortly(t)
		var asked sync.WaitGroup
		for i := range questions {
			asked.Go(func() {
				if r := x.ask(ctx, p.at, numbered(i)); r.outcome != Silent {
					t.Errorf("got %+v", r)
				}
			})
		}
		asked.Wait()
		if got := p.count() - before; got != packets {
			t.Errorf("%d questions cost %d packets, want %d", questions, got, packets)
		}
	}
	speak := func(yes bool) {
		mu.Lock()
		defer mu.Unlock()
		speaks = yes
	}
	silence(deadAfter, deadAfter*udpTries)
	silence(1, 1)
	speak(true)
	if r := x.ask(patiently(t), p.at, numbered(0)); r.msg == nil {
		t.Fatal(r)
	}
	speak(false)
	silence(1, udpTries)
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte { cancel(); return nil })
	x := newTestExchanger(t)
	if r := x.ask(ctx, p.at, numbered(1)); r.outcome != unasked {
		t.Errorf("got %+v", r)
	}
	locked(x.servers, func() {
		known := x.servers.known[p.at]
		if s := known.sock; known.silences != 0 || s.users != 0 || len(s.waiting) != 0 {
			t.Errorf("left behind: %d silences, %d users, %d waiting", known.silences, s.users, len(s.waiting))
		}
	})
}
