package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Site is what a web server does at one address. The zero value answers all requests
// with 200 and "ok", over TLS in HTTP/1.1.
type Site struct {
	// Plain: HTTP without TLS. H2: HTTP/2 is offered too. Introduced: a PROXY protocol
	// header must come first. Asks for a client certificate, and goes on without one.
	Plain, H2, Introduced, Asks bool
	// Pages are the answers by path ("/a"), or by method and path ("POST /a"); that of
	// "" is for all others.
	Pages map[string]Page
	// Behind is to whom requests are passed on, in plain HTTP; if it is valid there are no
	// Pages. Introduces: that begins with a PROXY protocol header. Patience is how long it
	// may take to begin its answer; 0 means long.
	Behind     netip.AddrPort
	Introduces bool
	Patience   time.Duration
}

// Page is the answer to a request. In Location and Header "{port}" is the site's own, and
// "{host}" what the request has as its Host.
type Page struct {
	Status   int // 0: 200
	Location string
	Header   map[string]string
	Body     string
	// Login is "user:password": who comes without gets 401.
	Login string
	// Delay is how long it takes to begin the answer.
	Delay time.Duration
	// Rate is how many bytes of the body are sent in a second; 0: no limit.
	Rate int
	// Echoes: the body is the request's method, a blank, and its body.
	Echoes bool
	// Raw is sent in place of all that, as it stands.
	Raw string
	// Again is sent behind the rest until the client goes. Holds: nothing follows, and
	// the answer does not end. Closes: the connection is closed there and then, which is
	// before the answer if there is none.
	Again         string
	Holds, Closes bool
}

// WebServer serves one Site.
type WebServer struct {
	HTTPPart

	site  Site
	proxy *httputil.ReverseProxy

	taking sync.Mutex
	ended  bool
	taken  map[net.Conn]bool // connections over which something raw is said
}

// NewWebServer starts a server; port 0 picks a free one. cert is for TLS.
func NewWebServer(at netip.AddrPort, site Site, cert tls.Certificate) (*WebServer, error) {
	s := &WebServer{site: site, taken: map[net.Conn]bool{}}
	s.handler = http.HandlerFunc(s.answer)
	s.speaks = new(http.Protocols)
	s.speaks.SetHTTP1(true)
	s.speaks.SetHTTP2(site.H2)
	if !site.Plain {
		s.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		if site.Asks {
			s.tls.ClientAuth = tls.RequestClientCert
		}
	}
	if site.Introduced {
		s.wrap = func(l net.Listener) net.Listener { return introducing{l} }
	}
	if site.Behind.IsValid() {
		s.proxy = passingOn(site)
	}
	return s, s.startAt(at)
}

// Close ends the server and all connections, and waits for both.
func (s *WebServer) Close() error {
	s.taking.Lock()
	s.ended = true
	for c := range s.taken {
		_ = c.Close()
	}
	s.taking.Unlock()
	return s.Stop()
}

// introducing is a listener of connections that begin with a PROXY protocol header.
type introducing struct{ net.Listener }

func (l introducing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &introduced{Conn: c}, nil
}

// passingOn is a load balancer that speaks HTTP.
func passingOn(site Site) *httputil.ReverseProxy {
	to := &url.URL{Scheme: "http", Host: site.Behind.String()}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: site.Patience}
	if site.Introduces {
		transport.DialContext = dialIntroduced
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // what breaks off behind is the rule here
		Transport:     transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			status := http.StatusBadGateway
			if slow := net.Error(nil); errors.As(err, &slow) && slow.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
				status = http.StatusGatewayTimeout
			}
			w.WriteHeader(status)
		},
	}
}

func (s *WebServer) answer(w http.ResponseWriter, r *http.Request) {
	if s.proxy != nil {
		s.proxy.ServeHTTP(w, r)
		return
	}
	page, ok := s.site.Pages[r.Method+" "+r.URL.Path]
	if !ok {
		page, ok = s.site.Pages[r.URL.Path]
	}
	if !ok {
		page, ok = s.site.Pages[""]
	}
	if !ok {
		page.Body = "ok"
	}
	if page.Delay > 0 && HTTPSlow(page.Delay)(w, r) {
		return
	}
	if page.Raw != "" {
		s.raw(w, page)
		return
	}
	if user, password, _ := r.BasicAuth(); page.Login != "" && user+":"+password != page.Login {
		w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
		page = Page{Status: http.StatusUnauthorized}
	}
	w.Header().Set("Server", "lab")
	for name, value := range page.Headers(s.addr.Port()) {
		w.Header().Set(name, strings.ReplaceAll(value, "{host}", r.Host))
	}
	body := []byte(page.Body)
	if page.Echoes {
		text, _ := io.ReadAll(r.Body) // it was read before, see HTTPPart
		body = fmt.Appendf(nil, "%s %s", r.Method, text)
	}
	s.finish(w, r, page, body)
}

// finish sends the answer, as far as the page wants.
func (s *WebServer) finish(w http.ResponseWriter, r *http.Request, page Page, body []byte) {
	if page.Closes && len(body) == 0 {
		panic(http.ErrAbortHandler)
	}
	if page.Holds && len(body) == 0 {
		<-r.Context().Done()
		return
	}
	w.WriteHeader(max(page.Status, http.StatusOK))
	flush := http.NewResponseController(w).Flush
	if page.Rate == 0 {
		_, _ = w.Write(body) // the client may be gone: its affair
	} else if drip(r.Context(), w, body, page.Rate) != nil {
		return
	}
	for part := []byte(page.Again); len(part) > 0; {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
	if page.Holds || page.Closes {
		_ = flush()
	}
	if page.Holds {
		<-r.Context().Done()
	}
	if page.Closes {
		panic(http.ErrAbortHandler)
	}
}

// drip writes so many bytes a second, in ten steps.
func drip(ctx context.Context, w http.ResponseWriter, body []byte, rate int) error {
	next := time.NewTicker(time.Second / 10)
	defer next.Stop()
	for len(body) > 0 {
		n := min(max(rate/10, 1), len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return err
		}
		_ = http.NewResponseController(w).Flush()
		body = body[n:]
		select {
		case <-next.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// raw takes the connection over, and says what the page has.
func (s *WebServer) raw(w http.ResponseWriter, page Page) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // HTTP/2: no row has that
	}
	s.taking.Lock()
	if s.ended {
		_ = c.Close()
	}
	s.taken[c] = true
	s.taking.Unlock()
	defer func() {
		_ = c.Close()
		s.taking.Lock()
		delete(s.taken, c)
		s.taking.Unlock()
	}()
	_, err = io.WriteString(c, page.Raw)
	for err == nil && page.Again != "" {
		_, err = io.WriteString(c, page.Again)
	}
	if page.Holds {
		_, _ = io.Copy(io.Discard, c) // until the client goes
	}
}

// Headers are the page's own, for a site at the port.
func (p Page) Headers(port uint16) map[string]string {
	all := map[string]string{}
	for name, value := range p.Header {
		all[name] = strings.ReplaceAll(value, "{port}", strconv.Itoa(int(port)))
	}
	if p.Location != "" {
		all["Location"] = strings.ReplaceAll(p.Location, "{port}", strconv.Itoa(int(port)))
	}
	return all
}
