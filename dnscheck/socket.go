package dnscheck

import (
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	// wrongLimit bounds the wrong packets that one question listens to. Only one who
	// forges sends more, and with time would guess right.
	wrongLimit = 64
	// socketQuestions and socketAge bound the life of a socket, and so of its port,
	// which is one of the secrets of its questions.
	socketQuestions = 512
	socketAge       = time.Minute
	// writeLimit is what a packet may wait for room in the system's queue; after that
	// it counts as lost.
	writeLimit = 100 * time.Millisecond
	// readSize is far over what EDNS offers.
	readSize = 4096
)

// errFlood ends a question that got more wrong packets than wrongLimit.
var errFlood = errors.New("too many wrong packets")

// socket is a connected UDP socket to one server, for many questions at once. One
// goroutine reads it (servers.read).
type socket struct {
	at   netip.AddrPort
	conn *net.UDPConn
	born time.Time

	// Of servers, under its lock.
	users   int // questions that hold it
	asked   int
	used    time.Time
	retired bool // takes no more questions, and closes with the last one

	refusals atomic.Uint32
	mu       sync.Mutex
	ids      *rand.ChaCha8
	gone     map[uint16]struct{} // IDs given out, which are never given out again
	waiting  map[uint16]*waiter
}

// waiter is one question under way. It is used again for other questions, so that
// only a waiter in the table of a socket may be touched by its reader.
type waiter struct {
	id     uint16
	q      question
	buf    [maxQuestion]byte
	packet []byte
	end    chan ending // holds one
	timer  *time.Timer
	sent   atomic.Bool // before that no failure of the socket is its own

	wrongs int // under the lock of the socket, as is wrong
	wrong  string
}

// ending is how a question ended before its time: a message or an error.
type ending struct {
	msg   *dns.Msg
	err   error
	after time.Duration // since the packet was sent last
}

func newWaiter() *waiter {
	w := &waiter{end: make(chan ending, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}

func dial(at netip.AddrPort) (*socket, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails, by its documentation
	return &socket{
		at: at, conn: conn, born: time.Now(), ids: rand.NewChaCha8(seed),
		gone: map[uint16]struct{}{}, waiting: map[uint16]*waiter{},
	}, nil
}

// enter puts a question into the table, under an ID that was never used on this
// socket: so late and doubled answers are told from forged ones.
func (s *socket) enter(w *waiter, q question, edns bool) error {
	w.q, w.wrongs, w.wrong = q, 0, ""
	w.sent.Store(false)
	packet, err := q.appendTo(w.buf[:0], edns)
	if err != nil {
		return err
	}
	w.packet = packet
	s.mu.Lock()
	defer s.mu.Unlock()
	for used := true; used; {
		w.id = uint16(s.ids.Uint64())
		_, used = s.gone[w.id]
	}
	binary.BigEndian.PutUint16(packet, w.id)
	s.gone[w.id] = struct{}{}
	s.waiting[w.id] = w
	return nil
}

// leave takes a question out of the table, and says how many wrong packets came
// for it and what the last of them was.
func (s *socket) leave(w *waiter) (wrongs int, wrong string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[w.id] == w {
		delete(s.waiting, w.id)
	}
	select {
	case <-w.end: // came too late
	default:
	}
	return w.wrongs, w.wrong
}

// send sends the packet of w. The system reports that the port was closed at any
// later call, so an error of that kind is never that of this packet.
func (s *socket) send(w *waiter) error {
	for tries := 3; ; tries-- {
		before := s.refusals.Load()
		err := s.conn.SetWriteDeadline(time.Now().Add(writeLimit))
		if err == nil {
			_, err = s.conn.Write(w.packet)
		}
		switch {
		case errors.Is(err, syscall.ECONNREFUSED) && tries > 0:
			s.refuse(err)
			continue
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		w.sent.Store(true)
		// A refusal that came between may have been ours, when nobody could know that
		// we had sent: sent again, it comes again.
		if s.refusals.Load() == before || tries == 0 {
			return nil
		}
	}
}

// refuse ends all questions that are under way: the port is closed.
func (s *socket) refuse(err error) {
	s.refusals.Add(1)
	s.fail(err, func(w *waiter) bool { return w.sent.Load() })
}

func (s *socket) fail(err error, which func(*waiter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiting {
		if which(w) {
			s.finish(w, ending{err: err})
		}
	}
}

// finish hands an ending to w, which is in the table; the lock is held.
func (s *socket) finish(w *waiter, e ending) {
	delete(s.waiting, w.id)
	w.end <- e // has room: w leaves the table with its only ending
}

// take looks at a packet that came, and hands it on only if it is right. late
// tells that it answers a question that nobody waits for any more.
func (s *socket) take(packet []byte) (late bool) {
	if len(packet) < headerSize {
		s.blame(func(question) bool { return true }, tooShort)
		return false
	}
	id := binary.BigEndian.Uint16(packet)
	s.mu.Lock()
	w, waited := s.waiting[id]
	_, used := s.gone[id]
	var q question
	if waited {
		q = w.q
	}
	s.mu.Unlock()
	switch {
	case !waited && used:
		return true
	case !waited:
		s.blame(func(q question) bool { return asks(packet, q) }, wrongID)
		return false
	}
	m, wrong := (*dns.Msg)(nil), "a packet of more than 4095 bytes"
	if len(packet) < readSize {
		m, wrong = open(packet, id, q)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.waiting[id] != w: // it left meanwhile
	case m != nil:
		s.finish(w, ending{msg: m})
	default:
		s.count(w, wrong)
	}
	return false
}

// blame counts a packet without a known ID as wrong for the questions that it is
// meant for, or for all if that cannot be told.
func (s *socket) blame(meant func(question) bool, wrong string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var those, all []*waiter
	for _, w := range s.waiting {
		all = append(all, w)
		if meant(w.q) {
			those = append(those, w)
		}
	}
	if len(those) == 0 {
		those = all
	}
	for _, w := range those {
		s.count(w, wrong)
	}
}

// count counts a wrong packet for w, which is in the table; the lock is held.
func (s *socket) count(w *waiter, wrong string) {
	w.wrong = wrong
	if w.wrongs++; w.wrongs > wrongLimit {
		s.finish(w, ending{err: errFlood})
	}
}
