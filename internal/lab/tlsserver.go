package lab

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Conduct is what a server does with a connection.
type Conduct int

// The conducts. The zero value is what a good server does.
const (
	SpeaksTLS  Conduct = iota // TLS, then one HTTP response
	SpeaksHTTP                // plain HTTP: 400 to whatever comes
	SpeaksSSH                 // a banner of another protocol
	SendsAlert                // TLSOffer.Alert instead of its hello
	HangsUp                   // no word
	Resets                    // no word, and the connection is reset
)

// TLSOffer is what a server presents.
type TLSOffer struct {
	Conduct     Conduct
	Certificate tls.Certificate
	// MaxVersion is the newest TLS version spoken; 0 the newest there is.
	MaxVersion uint16
	// Asks for a client certificate; Demands one; Demands in HTTP, as nginx does: the
	// handshake ends well and the response is 400.
	Asks, Demands, DemandsInHTTP bool
	// KnowsNot are names for which the handshake is refused, with the alert
	// unrecognized_name.
	KnowsNot string
	// Introduced: a PROXY protocol header must come first.
	Introduced bool
	// LongestHello is how many bytes a ClientHello may have at most; it hangs up on
	// others. 0: any.
	LongestHello int
	// Begins is sent as it stands before anything else, once the client has spoken; in TLS
	// what the Conduct is follows. Breaks is sent, without TLS, in place of the response.
	Begins, Breaks []byte
	// Protocols are those of ALPN that the server speaks; none: it does not care.
	Protocols []string
	// Alert is the number of the alert for SendsAlert.
	Alert byte
	// ClockAhead is how far its clock, shown in Date, is ahead.
	ClockAhead time.Duration
}

// TLSServer presents one offer at one address, and answers every request with 200.
type TLSServer struct {
	At netip.AddrPort

	offer    TLSOffer
	listener net.Listener
	all      sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// NewTLSServer starts a server; port 0 picks a free one.
func NewTLSServer(at netip.AddrPort, offer TLSOffer) (*TLSServer, error) {
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	s := &TLSServer{offer: offer, listener: listener, open: map[net.Conn]bool{}}
	if s.At, err = netip.ParseAddrPort(listener.Addr().String()); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.all.Go(s.accept)
	return s, nil
}

// Close ends the server and all connections, and waits for both.
func (s *TLSServer) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
	return err
}

func (s *TLSServer) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		s.all.Go(func() {
			s.serve(c)
			_ = c.Close()
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
		})
	}
}

// serve does what the offer says. What a client does to it is its affair: errors end
// the connection.
func (s *TLSServer) serve(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if s.offer.Introduced {
		c = &introduced{Conn: c}
	}
	hello := make([]byte, 4096)
	if len(s.offer.Begins) > 0 {
		n, _ := c.Read(hello)
		_, _ = c.Write(s.offer.Begins)
		c = &pushedBack{c, hello[:n]}
	}
	switch s.offer.Conduct {
	case SpeaksTLS:
		s.handshake(c)
	case SpeaksHTTP:
		_, _ = c.Read(hello)
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	case SpeaksSSH:
		_, _ = io.WriteString(c, "SSH-2.0-lab\r\n")
		_, _ = c.Read(hello)
	case SendsAlert:
		_, _ = c.Read(hello)
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, s.offer.Alert})
	case HangsUp:
		_, _ = c.Read(hello)
	case Resets:
		_, _ = c.Read(hello)
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // close sends RST
		}
	}
}

func (s *TLSServer) handshake(c net.Conn) {
	o := s.offer
	if o.LongestHello > 0 {
		head := make([]byte, 5) // RFC 8446 section 5.1
		if _, err := io.ReadFull(c, head); err != nil || int(head[3])<<8|int(head[4]) > o.LongestHello {
			return
		}
		c = &pushedBack{c, head}
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{o.Certificate}, MinVersion: tls.VersionTLS10, MaxVersion: o.MaxVersion, NextProtos: o.Protocols,
	}
	switch {
	case o.Demands:
		config.ClientAuth = tls.RequireAnyClientCert
	case o.Asks, o.DemandsInHTTP:
		config.ClientAuth = tls.RequestClientCert
	}
	out := &silenced{Conn: c}
	if o.KnowsNot != "" {
		config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			if h.ServerName == o.KnowsNot {
				_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 112}) // crypto/tls has no way to send this one
				out.mute = true
				return nil, errors.New("refused")
			}
			return nil, nil
		}
	}
	session := tls.Server(out, config)
	if session.Handshake() != nil {
		return
	}
	request, err := http.ReadRequest(bufio.NewReader(session))
	if err != nil {
		return
	}
	if len(o.Breaks) > 0 {
		_, _ = c.Write(o.Breaks)
		return
	}
	status, body := "200 OK", ""
	if o.DemandsInHTTP && len(session.ConnectionState().PeerCertificates) == 0 {
		status, body = "400 Bad Request", "<center>No required SSL certificate was sent</center>" // as nginx says it
	}
	date := time.Now().Add(o.ClockAhead).UTC().Format(http.TimeFormat)
	_, _ = fmt.Fprintf(session, "HTTP/1.1 %s\r\nServer: lab\r\nDate: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, date, len(body), body)
	_ = request.Body.Close()
	_ = session.Close()
}

// pushedBack is a connection whose beginning was read already.
type pushedBack struct {
	net.Conn
	begins []byte
}

func (p *pushedBack) Read(b []byte) (int, error) {
	if len(p.begins) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.begins)
	p.begins = p.begins[n:]
	return n, nil
}

// silenced is a connection whose writes can be dropped.
type silenced struct {
	net.Conn
	mute bool
}

func (r *silenced) Write(p []byte) (int, error) {
	if r.mute {
		return len(p), nil
	}
	return r.Conn.Write(p)
}
