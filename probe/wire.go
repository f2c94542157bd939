package probe

import (
	"errors"
	"math"
	"net"
	"sync/atomic"
	"syscall"
)

// wire is the connection under TLS and HTTP.
//
// The peer may end it while we still write. What it said before (an alert of TLS, an
// early response, GOAWAY) is then still to be read, and so it is reading that finds the
// end, and not writing.
type wire struct {
	net.Conn
	// left is what the peer may still send, in bytes.
	left atomic.Int64
}

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c}
	w.bound(math.MaxInt64)
	return w
}

// bound is for a protocol that has much to say beside a response, and counts none of it.
func (w *wire) bound(bytes int64) { w.left.Store(bytes) }

// spoken tells whether the peer has said anything, while nothing is bounded.
func (w *wire) spoken() bool { return w.left.Load() < math.MaxInt64 }

// Read is part of net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.left.Add(int64(-n)) < 0 {
		return 0, known{Malformed, "the peer sends without end what is no part of a response"}
	}
	return n, err
}

// Write is part of net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	return n, err
}
