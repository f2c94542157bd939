package lab

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// bodyLimit bounds what is kept of one request.
const bodyLimit = 4 << 20

// HTTPRequest is one request received, whatever was answered.
type HTTPRequest struct {
	At     time.Time
	From   netip.AddrPort
	SNI    string // of the connection's ClientHello; empty without TLS
	Proto  string // "HTTP/1.1" or "HTTP/2.0"
	Method string
	Host   string // the Host header, with its port
	Path   string
	Query  string
	Header http.Header
	Body   []byte
}

// String is the short form that a failed test prints.
func (r HTTPRequest) String() string { return r.Method + " " + r.Host + r.Path }

// HTTPPart is what all HTTP parts share: a server on one address that logs
// requests, takes an HTTPFault, stops and starts.
type HTTPPart struct {
	Requests Log[HTTPRequest]

	addr    netip.AddrPort
	handler http.Handler
	tls     *tls.Config                     // nil: plain HTTP
	speaks  *http.Protocols                 // nil: HTTP/1.1, and over TLS HTTP/2 too
	wrap    func(net.Listener) net.Listener // nil: as it is

	mu      sync.Mutex
	fault   HTTPFault
	running *httpRun
}

// httpRun is one life of the server, from Start to Stop.
type httpRun struct {
	server   *http.Server
	listener net.Listener
	work     sync.WaitGroup // the accept loop and the connections

	mu      sync.Mutex
	ended   bool
	serving sync.WaitGroup // handlers, which over HTTP/2 may outlive their connection
}

func (p *HTTPPart) startAt(at netip.AddrPort) error {
	return onOnePort(at.Port(), func(port uint16) error {
		p.addr = netip.AddrPortFrom(at.Addr(), port)
		return p.Start()
	})
}

// aside is where a part that has a URL listens: on a net of its own, so that nobody takes
// its port while it is stopped. Where only 127.0.0.1 exists, it is there.
func aside() netip.AddrPort {
	n, err := RandomNet()
	if err != nil {
		n = NewNet(0, 0)
	}
	return netip.AddrPortFrom(n.Addr(1), 0)
}

// Addr is where the part listens, also while it is stopped.
func (p *HTTPPart) Addr() netip.AddrPort { return p.addr }

// SetFault lets f answer first; nil ends it.
func (p *HTTPPart) SetFault(f HTTPFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Start opens the port again after Stop. It is an error that the port was taken
// meanwhile; a running part is left as it is.
func (p *HTTPPart) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return nil
	}
	ln, err := listenTCP(p.addr)
	if err != nil {
		return fmt.Errorf("start HTTP server: %w", err)
	}
	if p.wrap != nil {
		ln = p.wrap(ln)
	}
	run := &httpRun{listener: ln}
	run.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(run, w, r) }),
		TLSConfig:         p.tls,
		Protocols:         p.speaks,
		ConnState:         run.connState,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that break off are the rule here
		ReadHeaderTimeout: time.Minute,
	}
	run.work.Go(func() {
		if p.tls == nil {
			_ = run.server.Serve(ln) // ends by Close only
		} else {
			_ = run.server.ServeTLS(ln, "", "")
		}
	})
	p.running = run
	return nil
}

// connState counts connections, so that Stop can wait for them.
func (run *httpRun) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		run.work.Add(1)
	case http.StateClosed, http.StateHijacked:
		run.work.Done()
	}
}

// enter admits a handler, unless the server is ending.
func (run *httpRun) enter() bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	if !run.ended {
		run.serving.Add(1)
	}
	return !run.ended
}

// Stop closes the port and all connections: a new one is refused.
func (p *HTTPPart) Stop() error {
	p.mu.Lock()
	run := p.running
	p.running = nil
	p.mu.Unlock()
	if run == nil {
		return nil
	}
	err := errors.Join(run.server.Close(), ignoreClosed(run.listener.Close()))
	run.work.Wait()
	run.mu.Lock()
	run.ended = true
	run.mu.Unlock()
	run.serving.Wait()
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close is Stop, for those who close parts alike.
func (p *HTTPPart) Close() error { return p.Stop() }

func (p *HTTPPart) serve(run *httpRun, w http.ResponseWriter, r *http.Request) {
	if !run.enter() {
		panic(http.ErrAbortHandler)
	}
	defer run.serving.Done()
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	entry := HTTPRequest{
		At: time.Now(), Proto: r.Proto, Method: r.Method, Host: r.Host, Path: r.URL.Path,
		Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: body,
	}
	if r.TLS != nil {
		entry.SNI = r.TLS.ServerName
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		entry.From = from
	}
	p.Requests.add(entry)
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	p.handler.ServeHTTP(w, r)
}
