package dnscheck

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// socketIdle is how long a socket is kept without questions.
	socketIdle = 30 * time.Second
	// knownLimit bounds the servers remembered; hostile delegations name many.
	knownLimit = 8192
	// deadAfter questions in a row without an answer a server is believed dead, and
	// is asked once a question until it answers again.
	deadAfter = 3
)

var errClosed = errors.New("the resolver is closed")

// servers keeps what is known of each server that is asked, and the sockets to
// them. It is safe for concurrent use.
type servers struct {
	limit   int // of open sockets; at least the number of questions under way
	rate    func(netip.Addr) int
	buffers sync.Pool // of *[readSize]byte
	waiters sync.Pool // of *waiter
	readers sync.WaitGroup

	mu     sync.Mutex
	known  map[netip.AddrPort]*server
	open   map[*socket]struct{}
	closed bool
}

type server struct {
	sock     *socket // for the next question; may be nil
	silences int     // questions in a row without an answer
	pace     pace
}

func newServers(limit int, rate func(netip.Addr) int) *servers {
	return &servers{
		limit: limit, rate: rate,
		buffers: sync.Pool{New: func() any { return new([readSize]byte) }},
		waiters: sync.Pool{New: func() any { return newWaiter() }},
		known:   map[netip.AddrPort]*server{},
		open:    map[*socket]struct{}{},
	}
}

// entry finds or makes what is known of a server; the lock is held.
func (v *servers) entry(at netip.AddrPort) *server {
	if known, ok := v.known[at]; ok {
		return known
	}
	if len(v.known) >= knownLimit {
		for old, s := range v.known {
			if s.sock == nil {
				delete(v.known, old)
			}
		}
	}
	fresh := &server{pace: paceOf(v.rate(at.Addr()))}
	v.known[at] = fresh
	return fresh
}

// turn waits until the pace of a server allows one more question, if that leaves
// least of ctx's time.
func (v *servers) turn(ctx context.Context, at netip.AddrPort, least time.Duration) error {
	now := time.Now()
	v.mu.Lock()
	wait := v.entry(at).pace.take(now)
	v.mu.Unlock()
	if wait == 0 {
		return nil
	}
	if deadline, _ := ctx.Deadline(); deadline.Sub(now)-wait >= least {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.entry(at).pace.giveBack()
	return fmt.Errorf("the limit of %d questions a second left no time to ask %s", v.rate(at.Addr()), at)
}

// charge books a packet that does not wait for its turn, as a second try.
func (v *servers) charge(at netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.entry(at).pace.take(time.Now())
}

// tries says how often a question may be sent to a server.
func (v *servers) tries(at netip.AddrPort) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.entry(at).silences >= deadAfter {
		return 1
	}
	return udpTries
}

// silent and alive note how a question to a server ended.
func (v *servers) silent(at netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.entry(at).silences++
}

func (v *servers) alive(at netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.entry(at).silences = 0
}

// acquire gives a socket for one question; release it afterwards.
func (v *servers) acquire(at netip.AddrPort) (*socket, error) {
	var old []*socket
	defer func() { closeAll(old) }()
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, errClosed
	}
	known := v.entry(at)
	if s := known.sock; s != nil && (s.asked >= socketQuestions || now.Sub(s.born) >= socketAge) {
		old = append(old, v.retire(s)...)
	}
	if known.sock == nil {
		if len(v.open) >= v.limit {
			old = append(old, v.evict()...)
		}
		s, err := dial(at)
		if err != nil {
			return nil, err
		}
		known.sock = s
		v.open[s] = struct{}{}
		v.readers.Go(func() { v.read(s) })
	}
	s := known.sock
	s.users++
	s.asked++
	s.used = now
	return s, nil
}

// release gives back what acquire gave. A socket that was flooded is given up: its
// port is known to somebody who forges.
func (v *servers) release(s *socket, flooded bool) {
	var old []*socket
	defer func() { closeAll(old) }()
	v.mu.Lock()
	defer v.mu.Unlock()
	s.users--
	if flooded || s.retired {
		old = v.retire(s)
	}
}

// retire gives a socket no more questions. It returns it to be closed, outside of
// the lock, if nobody holds it; the lock is held.
func (v *servers) retire(s *socket) []*socket {
	s.retired = true
	if known := v.known[s.at]; known != nil && known.sock == s {
		known.sock = nil
	}
	if s.users > 0 {
		return nil
	}
	delete(v.open, s)
	return []*socket{s}
}

// evict retires the socket that nobody has used for longest; the lock is held.
func (v *servers) evict() []*socket {
	var oldest *socket
	for s := range v.open {
		if s.users == 0 && (oldest == nil || s.used.Before(oldest.used)) {
			oldest = s
		}
	}
	if oldest == nil {
		return nil
	}
	return v.retire(oldest)
}

func closeAll(sockets []*socket) {
	for _, s := range sockets {
		_ = s.conn.Close() // nothing is unsent
	}
}

// read hands on what comes to a socket, until the socket is closed.
func (v *servers) read(s *socket) {
	buf := v.buffers.Get().(*[readSize]byte)
	defer v.buffers.Put(buf)
	for wait := socketIdle; wait > 0; {
		err := s.conn.SetReadDeadline(time.Now().Add(wait))
		for err == nil || errors.Is(err, syscall.ECONNREFUSED) {
			var n int
			n, err = s.conn.Read(buf[:])
			switch {
			case errors.Is(err, syscall.ECONNREFUSED):
				s.refuse(err)
			case err == nil && s.take(buf[:n]):
				v.alive(s.at)
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			v.lose(s, err)
			return
		}
		wait = v.idle(s)
	}
}

// lose gives up a socket that was closed, or that broke.
func (v *servers) lose(s *socket, err error) {
	v.mu.Lock()
	old := v.retire(s)
	v.mu.Unlock()
	closeAll(old)
	s.fail(err, func(*waiter) bool { return true })
}

// idle says how long a socket may still stay without a question; it is closed if
// not at all.
func (v *servers) idle(s *socket) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.users > 0 {
		return socketIdle
	}
	if left := socketIdle - time.Since(s.used); left > 0 {
		return left
	}
	closeAll(v.retire(s)) // at once: its only reader is here
	return 0
}

// close closes all sockets and waits for their readers.
func (v *servers) close() {
	v.mu.Lock()
	v.closed = true
	var old []*socket
	for s := range v.open {
		delete(v.open, s)
		old = append(old, s)
	}
	v.mu.Unlock()
	closeAll(old)
	v.readers.Wait()
}
