package dnscheck

import (
	"context"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWhoReadsForAllHandsOnWhenItLeaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		ended bool // from outside; otherwise its time is over
		want  Outcome
	}{
		{"it was ended from outside", true, unasked},
		{"its time is over", false, Silent},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			heard := make(chan int, 8) // the numbers of the questions
			p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
				for i := range 3 {
					if asks(packet, numbered(i)) {
						heard <- i
					}
				}
				if asks(packet, numbered(2)) {
					return [][]byte{answerTo(packet)}
				}
				return nil
			})
			x := newTestExchanger(t)
			// A server that is believed dead is asked once, in a third of the time.
			locked(x.servers, func() { x.servers.entry(p.at).silences = deadAfter })
			first, end := context.WithTimeout(t.Context(), 3*time.Second)
			if c.ended {
				first, end = context.WithTimeout(t.Context(), time.Hour)
			}
			defer end()
			var readers, others sync.WaitGroup
			readers.Go(func() {
				if r := x.ask(first, p.at, numbered(0)); r.outcome != c.want {
					t.Errorf("the first: %+v", r)
				}
			})
			<-heard
			s := socketTo(x.servers, p.at)
			waiting, leave := context.WithTimeout(t.Context(), time.Hour)
			others.Go(func() {
				if r := x.ask(waiting, p.at, numbered(1)); r.outcome != unasked {
					t.Errorf("the second: %+v", r)
				}
			})
			<-heard
			if c.ended {
				end()
			}
			readers.Wait()
			// Now the second is to read, and to hand on the answer to the third.
			for second := false; !second; runtime.Gosched() {
				s.mu.Lock()
				second = s.reader != nil && s.reader.q == numbered(1)
				s.mu.Unlock()
			}
			if r := x.ask(patiently(t), p.at, numbered(2)); r.msg == nil {
				t.Errorf("the third: %+v", r)
			}
			leave()
			others.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.reader != nil || len(s.waiting) != 0 {
				t.Error("who left still reads or waits")
			}
		})
	}
}

func TestOnlyWhoHasSentIsGivenTheReading(t *testing.T) {
	t.Parallel()
	s := dialed(t, newPeer(t, func([]byte, netip.AddrPort) [][]byte { return nil }))
	for _, sent := range []bool{true, false} {
		reader, next := newWaiter(), newWaiter()
		enterAll(t, s, reader, next)
		if over, reads := s.state(reader); over || !reads {
			t.Fatal("the only one that waits does not read")
		}
		next.sent.Store(sent)
		s.leave(reader)
		if given := s.reader == next; given != sent {
			t.Errorf("sent %t, and is to read: %t", sent, given)
		}
		s.leave(next)
	}
}

func TestARefusalThatAnotherHearsEndsWhoReads(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{})
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte { close(heard); return nil })
	x := newTestExchanger(t)
	var asked sync.WaitGroup
	asked.Go(func() {
		if r := x.ask(patiently(t), p.at, numbered(1)); r.outcome != Unreachable {
			t.Errorf("got %+v", r)
		}
	})
	<-heard
	s := socketTo(x.servers, p.at)
	for reads := false; !reads; runtime.Gosched() {
		s.mu.Lock()
		reads = s.reader != nil
		s.mu.Unlock()
	}
	s.refuse(syscall.ECONNREFUSED)
	asked.Wait()
}
