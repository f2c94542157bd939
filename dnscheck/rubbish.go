package dnscheck

import (
	"errors"
	"syscall"
	"time"
)

// rubbishLimit bounds the packets a second that a socket reads without any of them
// repeating a question that waits. None of these can be believed, but for an error
// without a question and with a guessed ID, which says nothing of a name. So they end
// no question, whoever sends them, unless reading them costs more than the questions.
const rubbishLimit = 4096

// rubbish counts them.
type rubbish struct {
	since time.Time
	n     int
}

// tooMuch counts one packet more.
func (r *rubbish) tooMuch(now time.Time) bool {
	if now.Sub(r.since) >= time.Second {
		r.since, r.n = now, 0
	}
	r.n++
	return r.n > rubbishLimit
}

// blame notes a packet that is no answer. It counts as wrong for the questions under
// way that it repeats. If it repeats none, nobody can tell whose it is.
func (s *socket) blame(packet []byte, wrong string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blameLocked(packet, wrong)
}

// blameLocked is blame; the lock is held.
func (s *socket) blameLocked(packet []byte, wrong string) {
	repeats, sent := false, false
	for _, w := range s.waiting {
		if !w.sent.Load() {
			continue // what comes now has come before
		}
		sent = true
		if asks(packet, w.q) {
			repeats = true
			s.count(w, wrong)
		}
	}
	if repeats || !sent {
		return
	}
	flood := s.rubbish.tooMuch(time.Now())
	for _, w := range s.waiting {
		switch {
		case !w.sent.Load():
		case flood:
			w.wrongs, w.wrong = s.rubbish.n, wrong
			s.finish(w, ending{err: errFlood})
		default:
			w.wrong = wrong
		}
	}
}

// count counts a wrong packet for w, which is in the table; the lock is held.
func (s *socket) count(w *waiter, wrong string) {
	w.wrong = wrong
	if w.wrongs++; w.wrongs > wrongLimit {
		s.finish(w, ending{err: errFlood})
	}
}

// drain reads what has come to a socket while nobody waited: it is no answer to w,
// which is not sent yet. What is late still shows that the server lives.
func (v *servers) drain(s *socket, w *waiter) {
	if !s.lead(w) {
		return // somebody reads
	}
	defer s.handOn(w)
	if s.conn.SetReadDeadline(time.Time{}) != nil {
		return // closed
	}
	buf := v.buffers.Get().(*[readSize]byte)
	defer v.buffers.Put(buf)
	for range rubbishLimit {
		var n int
		var err error
		if s.raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buf[:]) // the socket does not block
			return true
		}) != nil {
			return
		}
		switch {
		case err == nil:
			if s.take(buf[:n]) {
				v.alive(s.at)
			}
		case errors.Is(err, syscall.ECONNREFUSED):
			s.refuse(err)
		case !errors.Is(err, syscall.EINTR):
			return
		}
	}
}

// lead makes w the reader, if there is none.
func (s *socket) lead(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil || w.over {
		return false
	}
	s.reader = w
	return true
}

// handOn gives the reading to another question that waits.
func (s *socket) handOn(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handOnLocked(w)
}

// handOnLocked is handOn; the lock is held.
func (s *socket) handOnLocked(w *waiter) {
	if s.reader != w {
		return
	}
	s.reader = nil
	for _, next := range s.waiting {
		// Who has not sent yet would keep the others waiting.
		if next.sent.Load() {
			s.reader = next
			next.rouse()
			break
		}
	}
}
