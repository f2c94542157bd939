package dnscheck

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

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
	_ = again.Close() // the test is over
	served.Wait()
}

// dialed is a socket of no servers.
func dialed(t *testing.T, p *peer) *socket {
	t.Helper()
	s, err := dial(p.at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.conn.Close() }) // nothing is unsent
	return s
}

func enterAll(t *testing.T, s *socket, all ...*waiter) {
	t.Helper()
	for i, w := range all {
		if err := s.enter(w, numbered(i), true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARefusalIsOnlyForQuestionsThatWereSent(t *testing.T) {
	t.Parallel()
	s := dialed(t, newPeer(t, func([]byte, netip.AddrPort) [][]byte { return nil }))
	sent, unsent := newWaiter(), newWaiter()
	enterAll(t, s, sent, unsent)
	if err := s.send(sent); err != nil {
		t.Fatal(err)
	}
	s.refuse(syscall.ECONNREFUSED)
	if !sent.over || !errors.Is(sent.end.err, syscall.ECONNREFUSED) {
		t.Errorf("the question that was sent: %+v", sent.end)
	}
	if unsent.over || len(s.waiting) != 1 {
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
		before, ctx := p.count(t), shortly(t)
		var asked sync.WaitGroup
		for i := range questions {
			asked.Go(func() {
				if r := x.ask(ctx, p.at, numbered(i)); r.outcome != Silent {
					t.Errorf("got %+v", r)
				}
			})
		}
		asked.Wait()
		if got := p.count(t) - before; got != packets {
			t.Errorf("%d questions cost %d packets, want %d", questions, got, packets)
		}
	}
	speak := func(yes bool) {
		mu.Lock()
		defer mu.Unlock()
		speaks = yes
	}
	silence(deadAfter, 2*deadAfter)
	silence(1, 1)
	speak(true)
	if r := x.ask(patiently(t), p.at, numbered(0)); r.msg == nil {
		t.Fatal(r)
	}
	speak(false)
	silence(1, 2)
}

func TestALateAnswerShowsThatAServerLives(t *testing.T) {
	t.Parallel()
	var late [][]byte
	p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
		if asks(packet, numbered(1)) {
			return late
		}
		late = append(late, answerTo(packet))
		return nil
	})
	x := newTestExchanger(t)
	locked(x.servers, func() { x.servers.entry(p.at).silences = deadAfter })
	for i, want := range []int{1, 1, 2} {
		before := p.count(t)
		if r := x.ask(shortly(t), p.at, numbered(i)); r.outcome != Silent {
			t.Errorf("question %d: %+v", i, r)
		}
		if got := p.count(t) - before; got != want {
			t.Errorf("question %d was sent %d times, want %d", i, got, want)
		}
	}
}

func TestAPacketIsSentAgainIfARefusalCameMeanwhile(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{}, 1000)
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte { heard <- struct{}{}; return nil })
	s := dialed(t, p)
	w := newWaiter()
	if err := s.enter(w, numbered(1), true); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var refusing sync.WaitGroup
	refusing.Go(func() {
		for !stop.Load() {
			s.refusals.Add(1)
		}
	})
	// Each call takes one packet from heard; without a second one this has no end.
	for len(heard) == 0 {
		if err := s.send(w); err != nil {
			t.Error(err)
			break
		}
		<-heard
	}
	stop.Store(true)
	refusing.Wait()
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

func TestASocketNeverGivesAnIDTwice(t *testing.T) {
	t.Parallel()
	s := dialed(t, newPeer(t, func([]byte, netip.AddrPort) [][]byte { return nil }))
	ids := map[uint16]bool{}
	const n = 1 << 13 // many more than a socket has questions
	for range n {
		w := newWaiter()
		if err := s.enter(w, numbered(1), true); err != nil {
			t.Fatal(err)
		}
		ids[w.id] = true
		s.leave(w)
	}
	if len(ids) != n {
		t.Errorf("%d IDs for %d questions", len(ids), n)
	}
}
