package world

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Gate passes TCP connections on to a server, until it is told to cut them.
type Gate struct {
	At netip.AddrPort

	to       string
	listener net.Listener

	mu     sync.Mutex
	shut   bool
	open   map[net.Conn]bool
	copies sync.WaitGroup
}

// NewGate listens at an address of the test's Net.
func NewGate(t testing.TB, at, to netip.AddrPort) *Gate {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{At: at, to: to.String(), listener: l, open: map[net.Conn]bool{}}
	g.copies.Go(g.accept)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		g.Shut()
		g.copies.Wait()
	})
	return g
}

// Shut ends all connections, and new ones at once, until Open.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for c := range g.open {
		_ = c.Close() // it may be closed already
	}
}

// Open lets connections pass again.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
}

// Cut ends all connections once.
func (g *Gate) Cut() {
	g.Shut()
	g.Open()
}

func (g *Gate) accept() {
	for {
		in, err := g.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			g.copies.Go(func() { g.pass(in) })
		}
	}
}

func (g *Gate) pass(in net.Conn) {
	out, err := net.Dial("tcp", g.to)
	if err != nil {
		_ = in.Close()
		return
	}
	if !g.enter(in, out) {
		return
	}
	var one sync.WaitGroup
	one.Go(func() { g.copy(out, in) })
	g.copy(in, out)
	one.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, in)
	delete(g.open, out)
}

func (g *Gate) enter(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range conns {
		if g.shut {
			_ = c.Close()
		} else {
			g.open[c] = true
		}
	}
	return !g.shut
}

// copy ends both ways when one has ended: TLS has its own word for a half-closed
// connection.
func (g *Gate) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}
