package dnscheck

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// socketIdle is how long a socket is kept without questions.
	socketIdle = 30 * time.Second
	// knownLimit bounds the servers remembered; hostile delegations name many.
	knownLimit = 8192
	// deadAfter questions in a row without an answer a server is believed dead, until
	// it answers again.
	deadAfter = 3
	// patientLimit bounds the questions under way on a socket that wait for a dead
	// server as long as for another: enough to hear it when it has become slow.
	patientLimit = 8
)

// patience is what a question may cost. A dead server of a zone with many names
// would else keep most workers waiting.
type patience int

const (
	twice   patience = iota // sent twice, with the full wait
	once                    // sent once, with the full wait
	briefly                 // sent once, and given up soon
)

var errClosed = errors.New(closedText)

// servers keeps what is known of each server that is asked, and the sockets to
// them. It is safe for concurrent use.
type servers struct {
	limit   int // of open sockets; at least the number of questions under way
	rate    func(netip.Addr) int
	buffers sync.Pool // of *[readSize]byte
	waiters sync.Pool // of *waiter
	secret  [32]byte  // of our cookies

	mu     sync.Mutex
	known  map[netip.AddrPort]*server
	open   map[*socket]struct{}
	sweep  *time.Timer // runs while sockets are open
	closed bool
}

type server struct {
	sock     *socket // for the next question; may be nil
	silences int     // questions in a row without an answer
	pace     pace
	cookies  cookies // of the last socket
}

// sign is what the end of a question tells of a server.
type sign int

const (
	noSign sign = iota
	speaks
	isSilent
	isForged // somebody floods the socket with wrong packets
)

func newServers(limit int, rate func(netip.Addr) int) *servers {
	v := &servers{
		limit: limit, rate: rate,
		buffers: sync.Pool{New: func() any { return new([readSize]byte) }},
		waiters: sync.Pool{New: func() any { return newWaiter() }},
		known:   map[netip.AddrPort]*server{},
		open:    map[*socket]struct{}{},
	}
	_, _ = crand.Read(v.secret[:]) // never fails, by its documentation
	return v
}

// entry finds or makes what is known of a server; the lock is held.
func (v *servers) entry(at netip.AddrPort) *server {
	if known, ok := v.known[at]; ok {
		return known
	}
	if len(v.known) >= knownLimit {
		v.forget(time.Now())
	}
	fresh := &server{pace: paceOf(v.rate(at.Addr()))}
	v.known[at] = fresh
	return fresh
}

// forget makes room for a quarter of knownLimit; the lock is held. First go those of
// which nothing is lost: else whoever names servers without end could have us forget
// how fast one may be asked.
func (v *servers) forget(now time.Time) {
	need := func(s *server) int {
		switch {
		case s.pace.next.After(now):
			return 2
		case s.silences > 0 || now.Sub(s.cookies.heard) < cookieLife:
			return 1
		}
		return 0
	}
	closed := make([]netip.AddrPort, 0, len(v.known))
	for at, s := range v.known {
		if s.sock == nil {
			closed = append(closed, at)
		}
	}
	slices.SortFunc(closed, func(a, b netip.AddrPort) int {
		s, t := v.known[a], v.known[b]
		return cmp.Or(cmp.Compare(need(s), need(t)), s.pace.next.Compare(t.pace.next), a.Compare(b))
	})
	for _, at := range closed[:min(len(closed), knownLimit/4)] {
		delete(v.known, at)
	}
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

// unanswered counts the questions in a row, of whatever name, that a server left without
// an answer.
func (v *servers) unanswered(at netip.AddrPort) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.known[netip.AddrPortFrom(at.Addr().Unmap(), at.Port())]; ok {
		return known.silences
	}
	return 0
}

// alive notes that a server spoke.
func (v *servers) alive(at netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.entry(at).silences = 0
}

// acquire gives a socket for one question, and says what that may cost; release
// the socket afterwards.
func (v *servers) acquire(at netip.AddrPort) (s *socket, p patience, err error) {
	var old []*socket
	defer func() { closeAll(old) }()
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, 0, errClosed
	}
	known := v.entry(at)
	if s := known.sock; s != nil && (s.asked >= socketQuestions || now.Sub(s.born) >= socketAge) {
		old = append(old, v.retire(s)...)
	}
	if known.sock == nil {
		if len(v.open) >= v.limit {
			old = append(old, v.evict()...)
		}
		if known.sock, err = dial(at); err != nil {
			return nil, 0, err
		}
		v.adopt(known, now)
	}
	s = known.sock
	s.users++
	s.asked++
	s.used = now
	switch {
	case known.silences < deadAfter:
		return s, twice, nil
	case s.patient >= patientLimit:
		return s, briefly, nil
	}
	s.patient++
	return s, once, nil
}

// adopt makes a new socket one of ours; the lock is held.
func (v *servers) adopt(known *server, now time.Time) {
	s := known.sock
	local := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	s.cookies = newCookies(v.secret[:], local, s.at).remembered(known.cookies, now)
	v.open[s] = struct{}{}
	if v.sweep == nil {
		v.sweep = time.AfterFunc(socketIdle, v.closeIdle)
	}
}

// release gives back what acquire gave, and notes how the question ended. A socket
// that was flooded is given up: its port is known to somebody who forges.
func (v *servers) release(s *socket, p patience, how sign) {
	var old []*socket
	defer func() { closeAll(old) }()
	v.mu.Lock()
	defer v.mu.Unlock()
	switch how {
	case speaks:
		v.entry(s.at).silences = 0
	case isSilent:
		v.entry(s.at).silences++
	}
	s.users--
	if p == once {
		s.patient--
	}
	if how == isForged || s.retired {
		old = v.retire(s)
	}
}

// retire gives a socket no more questions. It returns it to be closed, outside of
// the lock, if nobody holds it; the lock is held.
func (v *servers) retire(s *socket) []*socket {
	s.retired = true
	if known := v.known[s.at]; known != nil && known.sock == s {
		known.sock, known.cookies = nil, s.baked()
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

// await waits until then for the end of w. Who waits on a socket that nobody reads,
// reads it: so the commonest question, one at a time, wakes no other goroutine.
func (v *servers) await(ctx context.Context, s *socket, w *waiter, until time.Time) (over bool) {
	over, reads := s.state(w)
	if !over && !reads {
		w.timer.Reset(time.Until(until))
		defer w.timer.Stop()
	}
	for !over && !reads {
		select {
		case <-w.wake:
			over, reads = s.state(w)
		case <-w.timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return over || v.read(ctx, s, w, until)
}

// read hands on what comes to a socket until w has ended, which is its reader.
func (v *servers) read(ctx context.Context, s *socket, w *waiter, until time.Time) (over bool) {
	buf := v.buffers.Get().(*[readSize]byte)
	defer v.buffers.Put(buf)
	defer afterEnd(ctx, s.interrupt)()
	for {
		err := s.conn.SetReadDeadline(until)
		// Whoever interrupts does so after this is to be seen.
		if over, _ = s.state(w); over || ctx.Err() != nil {
			return over
		}
		for err == nil && !over {
			var n int
			if n, err = s.conn.Read(buf[:]); err == nil && s.take(buf[:n]) {
				v.alive(s.at)
			}
			over, _ = s.state(w)
		}
		switch {
		case over:
			return true
		case errors.Is(err, syscall.ECONNREFUSED):
			s.refuse(err)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			v.lose(s, err)
		case !time.Now().Before(until):
			return false
		}
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

// closeIdle closes the sockets that had no question for long.
func (v *servers) closeIdle() {
	var old []*socket
	defer func() { closeAll(old) }()
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.open {
		if s.users == 0 && time.Since(s.used) >= socketIdle {
			old = append(old, v.retire(s)...)
		}
	}
	if len(v.open) == 0 || v.closed {
		v.sweep = nil
	} else {
		v.sweep.Reset(socketIdle)
	}
}

// close closes all sockets.
func (v *servers) close() {
	var old []*socket
	defer func() { closeAll(old) }()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for s := range v.open {
		delete(v.open, s)
		old = append(old, s)
	}
	if v.sweep != nil {
		v.sweep.Stop()
	}
}
