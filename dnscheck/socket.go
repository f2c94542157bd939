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
	// wrongLimit bounds the wrong packets that repeat one question and are listened to.
	// Only one who forges sends more, and with time would guess right.
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
// of those that wait reads it for all (servers.await); while nobody waits, nobody
// reads, and what is late stays in the system's queue until the next question
// (servers.drain).
type socket struct {
	at   netip.AddrPort
	conn *net.UDPConn
	raw  syscall.RawConn // of conn
	born time.Time

	// Of servers, under its lock.
	users   int // questions that hold it
	patient int // those of them with the patience once
	asked   int
	used    time.Time
	retired bool // takes no more questions, and closes with the last one

	refusals atomic.Uint32
	mu       sync.Mutex
	ids      *rand.ChaCha8
	gone     [1 << 16 / 64]uint64 // a bit for each ID given out, which is never given out again
	waiting  map[uint16]*waiter
	reader   *waiter // of those that wait
	rubbish  rubbish
	cookies  cookies
}

// waiter is one question under way. It is used again for other questions, so that
// only a waiter in the table of a socket may be touched by others.
type waiter struct {
	id     uint16
	q      question
	buf    [maxQuestion]byte
	packet []byte
	wake   chan struct{} // holds one, when there is something new; may wake for nothing
	timer  *time.Timer
	sent   atomic.Bool // before that no failure of the socket is its own

	// Under the lock of the socket.
	over    bool
	end     ending
	wrongs  int
	wrong   string
	expects bool // a cookie of the server
}

// ending is how a question ended before its time: a message or an error.
type ending struct {
	msg   *dns.Msg
	err   error
	after time.Duration // since the packet was sent last
	// cookieless: the server has sent cookies, and here is none.
	cookieless bool
	// shy: the server answers only questions without a cookie.
	shy bool
	// again: it came when the question had been sent once more.
	again bool
}

func newWaiter() *waiter {
	w := &waiter{wake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}

func (w *waiter) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func dial(at netip.AddrPort) (*socket, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails, by its documentation
	return &socket{at: at, conn: conn, raw: raw, born: time.Now(), ids: rand.NewChaCha8(seed), waiting: map[uint16]*waiter{}}, nil
}

// enter puts a question into the table, under an ID that was never used on this
// socket: so late and doubled answers are told from forged ones.
func (s *socket) enter(w *waiter, q question, edns bool) error {
	packet, err := q.appendTo(w.buf[:0], edns)
	if err != nil {
		return err
	}
	w.q, w.over, w.end, w.wrongs, w.wrong, w.expects = q, false, ending{}, 0, "", false
	w.sent.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if edns {
		packet, w.expects = s.cookies.appendTo(packet, q.insists)
	}
	for {
		w.id = uint16(s.ids.Uint64())
		if !s.given(w.id) {
			break
		}
	}
	s.gone[w.id/64] |= 1 << (w.id % 64)
	binary.BigEndian.PutUint16(packet, w.id)
	w.packet = packet
	s.waiting[w.id] = w
	return nil
}

// given tells whether an ID was given out; the lock is held.
func (s *socket) given(id uint16) bool { return s.gone[id/64]>>(id%64)&1 == 1 }

// leave takes a question out of the table, and says how many wrong packets came
// for it and what the last of them was. If it was the reader, another is.
func (s *socket) leave(w *waiter) (wrongs int, wrong string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, w.id)
	s.handOnLocked(w)
	return w.wrongs, w.wrong
}

// state tells whether w has ended, and otherwise whether it is to read.
func (s *socket) state(w *waiter) (over, reads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.over && s.reader == nil {
		s.reader = w
	}
	return w.over, s.reader == w
}

// baked are the cookies that the next socket may go on with.
func (s *socket) baked() cookies {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookies
}

// learn notes what the answer to w, which is of its owner alone by now, tells of the
// server's way with cookies; dropped is set if w was sent without its cookie in the end.
func (s *socket) learn(w *waiter, dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.q.insists:
		s.cookies.shy = false
	case dropped:
		s.cookies.shy = s.cookies.heard.IsZero()
	}
	w.end.shy = s.cookies.shy
}

// interrupt ends the reading that is going on, which then looks around.
func (s *socket) interrupt() {
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed socket, which nobody reads
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
			if w == s.reader {
				s.interrupt()
			}
		}
	}
}

// finish hands an ending to w, which is in the table; the lock is held.
func (s *socket) finish(w *waiter, e ending) {
	delete(s.waiting, w.id)
	w.over, w.end = true, e
	if w != s.reader {
		w.rouse()
	}
}

// take looks at a packet that came, and hands it on only if it is right. late
// tells that it answers a question that nobody waits for any more.
func (s *socket) take(packet []byte) (late bool) {
	if len(packet) < headerSize {
		s.blame(packet, tooShort)
		return false
	}
	id := binary.BigEndian.Uint16(packet)
	s.mu.Lock()
	w, waited := s.waiting[id]
	used := s.given(id)
	var q question
	if waited {
		q = w.q
	}
	s.mu.Unlock()
	switch {
	case !waited && used:
		return true
	case !waited:
		s.blame(packet, wrongID)
		return false
	}
	m, wrong := (*dns.Msg)(nil), "a packet of more than 4095 bytes"
	if len(packet) < readSize {
		m, wrong = open(packet, id, q)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[id] != w { // it left meanwhile
		return false
	}
	cookie := false
	if m != nil {
		cookie, wrong = s.cookies.check(m)
	}
	if wrong != "" {
		s.blameLocked(packet, wrong)
		return false
	}
	s.finish(w, ending{msg: m, cookieless: w.expects && !cookie})
	return false
}
