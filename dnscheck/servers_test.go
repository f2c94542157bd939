package dnscheck

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

func echo(packet []byte, _ netip.AddrPort) [][]byte { return [][]byte{answerTo(packet)} }

func locked(v *servers, f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

func opened(v *servers) (n int) {
	locked(v, func() { n = len(v.open) })
	return n
}

func socketTo(v *servers, at netip.AddrPort) (s *socket) {
	locked(v, func() { s = v.known[at].sock })
	return s
}

func TestOnlyIdleSocketsAreClosed(t *testing.T) {
	t.Parallel()
	p, other := newPeer(t, echo), newPeer(t, echo)
	x := newTestExchanger(t)
	ask := func() *socket {
		t.Helper()
		for _, at := range []netip.AddrPort{p.at, other.at} {
			if r := x.ask(patiently(t), at, numbered(1)); r.msg == nil {
				t.Fatal(r)
			}
		}
		return socketTo(x.servers, p.at)
	}
	sweep := func(left int) {
		t.Helper()
		x.servers.closeIdle()
		if n := opened(x.servers); n != left {
			t.Errorf("%d sockets are open, want %d", n, left)
		}
	}
	s := ask()
	sweep(2)
	locked(x.servers, func() { s.used, s.users = time.Now().Add(-socketIdle), 1 })
	sweep(2) // a question holds it
	locked(x.servers, func() { s.users = 0 })
	sweep(1)
	if socketTo(x.servers, p.at) != nil || s.conn.Close() == nil {
		t.Error("the socket is still there")
	}
	if ask() == s {
		t.Error("a closed socket was used")
	}
	locked(x.servers, func() {
		for s := range x.servers.open {
			s.used = time.Time{}
		}
	})
	sweep(0)
	if x.servers.sweep != nil {
		t.Error("what sweeps goes on without sockets")
	}
}

func unlimitedRate(netip.Addr) int { return 0 }

func TestNoMoreSocketsAreOpenThanQuestionsMayBeUnderWay(t *testing.T) {
	t.Parallel()
	x := newExchanger(2, 0, unlimitedRate)
	defer x.close()
	var peers []*peer
	for range 4 {
		peers = append(peers, newPeer(t, echo))
	}
	for _, i := range []int{0, 1, 0, 2, 3, 0, 2, 1} {
		if r := x.ask(patiently(t), peers[i].at, numbered(1)); r.msg == nil {
			t.Fatal(r)
		}
		if n := opened(x.servers); n > 2 {
			t.Errorf("%d sockets are open", n)
		}
	}
	// What made room was each time the socket not used for longest.
	if opened(x.servers) != 2 || socketTo(x.servers, peers[1].at) == nil || socketTo(x.servers, peers[2].at) == nil {
		t.Error("a socket was closed that was used later than another")
	}
}

func TestWhatIsRememberedOfServersIsBounded(t *testing.T) {
	v := newServers(1, unlimitedRate)
	at := netip.MustParseAddr("2001:db8::")
	for range knownLimit + 100 {
		at = at.Next()
		v.alive(netip.AddrPortFrom(at, 53))
	}
	if len(v.known) > knownLimit {
		t.Errorf("%d servers are remembered", len(v.known))
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPeer(t, echo)
	x := newExchanger(4, 0, unlimitedRate)
	if r := x.ask(patiently(t), p.at, numbered(1)); r.msg == nil {
		t.Fatal(r)
	}
	s := socketTo(x.servers, p.at)
	x.close()
	if opened(x.servers) != 0 || s.conn.Close() == nil {
		t.Error("a socket is open")
	}
	if r := x.ask(patiently(t), p.at, numbered(1)); r.outcome != unasked || r.detail != errClosed.Error() {
		t.Errorf("asked after Close: %+v", r)
	}
	x.close()
}

func TestCloseEndsWhatIsUnderWayAndAccusesNobody(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	p := newPeer(t, func([]byte, netip.AddrPort) [][]byte { close(asked); return nil })
	x := newExchanger(4, 0, unlimitedRate)
	ended := make(chan reply)
	go func() { ended <- x.ask(patiently(t), p.at, numbered(1)) }()
	<-asked
	x.close()
	if r := <-ended; r.outcome != unasked || r.detail != errClosed.Error() {
		t.Errorf("got %+v", r)
	}
}

// flood sends more forged answers over UDP than one question listens to.
func flood(q lab.Query, truth *dns.Msg) lab.Reply {
	if q.Proto == "tcp" {
		return lab.Send(truth)
	}
	var forged []*dns.Msg
	for i := range wrongLimit + 10 {
		m := truth.Copy()
		m.Id ^= uint16(i + 1)
		forged = append(forged, m)
	}
	return lab.Send(append(forged, truth)...)
}

func TestAFloodOfWrongPacketsIsAnsweredByAskingOverTCP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		fault   lab.Fault
		outcome Outcome // empty: the truth
		detail  string
	}{
		{"TCP says the truth", flood, "", ""},
		{"TCP hangs up", func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Proto == "tcp" {
				return lab.Reply{Close: true}
			}
			return flood(q, truth)
		}, Malformed, "closed the TCP connection without an answer, after 65 wrong packets, the last of them an answer with a wrong ID, over UDP"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			at, _ := newFaultyServer(t, c.fault)
			x := newTestExchanger(t)
			r := x.ask(patiently(t), at, numbered(1))
			if !r.tcp || r.outcome != c.outcome || (r.msg != nil) != (c.outcome == "") || !strings.HasSuffix(r.detail, c.detail) || r.heard != (r.msg != nil) {
				t.Errorf("got %+v", r)
			}
			if n := opened(x.servers); n != 0 {
				t.Errorf("%d sockets are open; the one whose port is known to the forger should not be", n)
			}
		})
	}
}

func TestWhatRunsAfterTheEndIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		under, may, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
		stop := afterEnd(ctx, func() { close(under); <-may })
		end()
		<-under
		go func() { stop(); close(stopped) }()
		synctest.Wait()
		select {
		case <-stopped:
			t.Error("it was not waited for")
		default:
		}
		close(may)
		<-stopped
		afterEnd(t.Context(), func() { t.Error("it was stopped before") })()
	})
}
