package dnscheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// What somebody can send who knows the port alone.
func guesses(n int) [][]byte {
	failure := make([]byte, headerSize) // an error without a question
	failure[2], failure[3] = 0x84, dns.RcodeServerFailure
	var all [][]byte
	for i := range n {
		header := slices.Clone(failure)
		binary.BigEndian.PutUint16(header, uint16(i))
		all = append(all, []byte{0}, make([]byte, headerSize), header)
	}
	return all
}

// unasked packets for the questions of one socket: those with an ID of its own.
func notOf(packets [][]byte, ids map[uint16]bool) [][]byte {
	return slices.DeleteFunc(packets, func(p []byte) bool { return len(p) >= 2 && ids[binary.BigEndian.Uint16(p)] })
}

func TestPacketsThatRepeatNoQuestionEndNone(t *testing.T) {
	t.Parallel()
	const n = 8
	var held [][]byte
	ids := map[uint16]bool{}
	p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
		held = append(held, answerTo(packet))
		ids[binary.BigEndian.Uint16(packet)] = true
		if len(held) < n {
			return nil
		}
		return append(notOf(guesses(wrongLimit), ids), held...)
	})
	x := newTestExchanger(t)
	var asked sync.WaitGroup
	for i := range n {
		asked.Go(func() {
			if r := x.ask(patiently(t), p.at, numbered(i)); r.msg == nil || r.tcp {
				t.Errorf("question %d: %+v", i, r)
			}
		})
	}
	asked.Wait()
}

func TestWhatCameWhileNobodyWaitedEndsNoQuestion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		came func(packet []byte) [][]byte
	}{
		{"one packet", func([]byte) [][]byte { return [][]byte{{0}} }},
		{"guesses", func(packet []byte) [][]byte {
			return notOf(guesses(wrongLimit+1), map[uint16]bool{binary.BigEndian.Uint16(packet): true})
		}},
		{"the next question, and wrong IDs", func(packet []byte) [][]byte {
			next, err := numbered(2).pack(0, false)
			if err != nil {
				panic(err)
			}
			return slices.Repeat([][]byte{answerTo(next)}, wrongLimit+1)
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(packet []byte, _ netip.AddrPort) [][]byte {
				if asks(packet, numbered(1)) {
					return append([][]byte{answerTo(packet)}, c.came(packet)...)
				}
				return nil
			})
			x := newTestExchanger(t)
			if r := x.ask(patiently(t), p.at, numbered(1)); r.msg == nil {
				t.Fatal(r)
			}
			p.count(t) // all is sent
			if r := x.ask(shortly(t), p.at, numbered(2)); r.outcome != Silent || r.tcp {
				t.Errorf("a silent server: %+v", r)
			}
			locked(x.servers, func() {
				if n := x.servers.known[p.at].silences; n != 1 {
					t.Errorf("%d silences", n)
				}
			})
		})
	}
}

// A server from which only rubbish comes is asked no more often than a silent one.
func TestRubbishHidesNoSilence(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte { return [][]byte{{0}} })
	x := newTestExchanger(t)
	if r := x.ask(shortly(t), p.at, numbered(1)); r.outcome != Malformed || r.detail != "sent "+tooShort {
		t.Errorf("got %+v", r)
	}
	locked(x.servers, func() {
		if n := x.servers.known[p.at].silences; n != 1 {
			t.Errorf("%d silences", n)
		}
	})
}

func TestRubbishOfASecondIsBounded(t *testing.T) {
	t.Parallel()
	s := dialed(t, newPeer(t, func([]byte, netip.AddrPort) [][]byte { return nil }))
	one, other, unsent := newWaiter(), newWaiter(), newWaiter()
	enterAll(t, s, one, other, unsent)
	one.sent.Store(true)
	other.sent.Store(true)
	for range rubbishLimit {
		s.take([]byte{0})
	}
	if one.over || other.over {
		t.Fatal("ended by as much as is listened to")
	}
	s.take([]byte{0})
	for i, w := range []*waiter{one, other} {
		if !w.over || !errors.Is(w.end.err, errFlood) || w.wrongs != rubbishLimit+1 {
			t.Errorf("question %d: over %t, %v, %d packets", i, w.over, w.end.err, w.wrongs)
		}
	}
	if unsent.over || unsent.wrong != "" {
		t.Errorf("the question that was not sent: %+v", unsent.end)
	}
	var r rubbish
	now := time.Now()
	for i := range 10 * rubbishLimit {
		if r.tooMuch(now.Add(time.Duration(i) * time.Second / rubbishLimit)) {
			t.Fatal(fmt.Sprint("too much after ", i, " packets at the pace that is allowed"))
		}
	}
}
