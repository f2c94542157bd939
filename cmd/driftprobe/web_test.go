package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/metrics"
	"driftprobe/internal/snapshot"
)

func TestOneRequestAtATimeTurnsOthersAwayAndTakesTheNext(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h := oneAtATime(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		say(w, http.StatusOK, "done")
	})
	ask := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w
	}
	for range 2 { // the second time the first request is over
		first := make(chan int)
		go func() { first <- ask().Code }()
		<-entered
		w := ask()
		equal(t, "while another is answered", w.Code, http.StatusServiceUnavailable)
		equal(t, "Retry-After", w.Header().Get("Retry-After"), "1")
		leave <- struct{}{}
		equal(t, "the one that was first", <-first, http.StatusOK)
	}
}

// A reload that nobody takes up must not hold the web server's end up.
func TestWaitingForAReloadEndsWithTheProgram(t *testing.T) {
	s := &server{log: slog.New(slog.DiscardHandler), metrics: metrics.New("", ""), page: &page{}, demand: newDemand(), reload: make(chan chan error)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	stop := s.startWeb(ctx, l)
	answered := make(chan int, 1)
	go func() {
		// The test's own context stays: only the server can end the wait.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/-/reload", nil)
		if err != nil {
			answered <- 0
			return
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close() // read only
		answered <- resp.StatusCode
	}()
	<-s.reload // it is taken up, and never answered
	end()
	equal(t, "a reload at the end", <-answered, http.StatusInternalServerError)
	stop()
}

// A browser gets a page, everybody else the text.
func TestStatusPage(t *testing.T) {
	const host = "shop.example"
	s := &server{log: slog.New(slog.DiscardHandler), metrics: metrics.New("", ""), page: &page{}, demand: newDemand()}
	h := s.routes()
	ask := func(path, accept string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Accept", accept)
		h.ServeHTTP(w, r)
		return w
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	equal(t, "the page of a host before the first look", ask("/host?name="+host, browser).Code, http.StatusServiceUnavailable)
	equal(t, "what / depends on before the first look", ask("/", browser).Header().Get("Vary"), "Accept")
	s.page.set(look{
		ready: true,
		snap: snapshot.Snapshot{Inventory: inventory.Inventory{Targets: []inventory.Target{
			{Key: "https://shop.example/", Host: host}, {Key: "https://xn--bcher-kva.example/", Host: "xn--bcher-kva.example"},
			{Key: "https://*.shop.example/", Host: "*.shop.example"}, {Key: "https://*.xn--bcher-kva.example/", Host: "*.xn--bcher-kva.example"},
		}}},
		report: finding.Report{Incidents: []finding.Incident{{ID: "moved:a/b", Code: finding.DNSStaleRecord, Severity: finding.Critical, Cause: "<b>", Hosts: []string{host}}}},
	})
	for _, c := range []struct {
		path, accept string
		status       int
		kind, says   string
	}{
		{"/", browser, 200, "text/html", `CRITICAL</b> &lt;b&gt;</h2>`},
		{"/", "*/*", 200, "text/plain", "CRITICAL  <b>"},
		{"/", "", 200, "text/plain", "CRITICAL  <b>"},
		{"/host?name=shop.example", browser, 200, "text/html", "<h1>shop.example "},
		{"/host?name=+Shop.Example.+", "*/*", 200, "text/html", "https://shop.example/"},
		{"/", "TEXT/HTML", 200, "text/html", "<h1>1 critical"},
		{"/", "text/plain;q=0.5, text/html ; q=0.5", 200, "text/html", "<h1>1 critical"},
		{"/", "text/html;q=0, text/plain", 200, "text/plain", "CRITICAL  <b>"},
		{"/", "text/html;q=0.5, */*", 200, "text/plain", "CRITICAL  <b>"},
		{"/", "text/html;q=0.5, text/*;q=0.9, */*;q=0.1", 200, "text/plain", "CRITICAL  <b>"},
		{"/", "text/html;q=0.5, text/plain;q=0, */*", 200, "text/html", "<h1>1 critical"},
		{"/", "text/html;q=x, ;, application/x-text/html", 200, "text/plain", "CRITICAL  <b>"},
		{"/host?name=B%C3%BCcher.Example", browser, 200, "text/html", "<h1>xn--bcher-kva.example "},
		{"/host?name=xn--bcher-kva.example.", browser, 200, "text/html", "<h1>xn--bcher-kva.example "},
		{"/host?name=*.Shop.example", browser, 200, "text/html", "<h1>*.shop.example "},
		{"/host?name=*.b%C3%BCcher.example", browser, 200, "text/html", "<h1>*.xn--bcher-kva.example "},
		{"/host?name=https://Shop.example/pay?a=b", browser, 200, "text/html", "<h1>shop.example "},
		{"/host?name=" + strings.Repeat("%C3%BC", 10_000) + ".example", browser, 404, "text/plain", " is not watched"},
		{"/host?name=%3Cb%3E%1B", browser, 404, "text/plain", `<b>\x1b is not watched`},
		{"/host", browser, 404, "text/plain", " is not watched"},
		{"/", "*/*", 200, "text/plain", "\nexplain: /explain?code=dns/stale-record\n"},
		{"/", browser, 200, "text/html", `<a href="explain?code=dns%2Fstale-record" title="`},
		{"/host?name=shop.example", browser, 200, "text/html", "<dt>incident</dt><dd><code>moved:a/b</code></dd>"},
		{"/explain?code=dns%2Fstale-record", browser, 200, "text/html", "<dt>fix</dt><dd>Set the record"},
		{"/explain?code=dns/stale-record", "*/*", 200, "text/plain", "\nfix  Set the record"},
		{"/explain", browser, 200, "text/html", `<a href="explain?code=lb%2Freplaced" title="`},
		{"/explain", "", 200, "text/plain", "\nlb/replaced "},
		{"/explain", "", 200, "text/plain", "more on one: /explain?code=CODE\n"},
		{"/explain?code=%3Cb%3E%1B", browser, 404, "text/plain", `there is no code <b>\x1b; /explain lists them`},
	} {
		w := ask(c.path, c.accept)
		what := c.path + " for " + c.accept
		equal(t, what, w.Code, c.status)
		equal(t, "kind of "+what, w.Header().Get("Content-Type"), c.kind+"; charset=utf-8")
		equal(t, "sniffing of "+what, w.Header().Get("X-Content-Type-Options"), "nosniff")
		if !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s says:\n%s", what, w.Body)
		}
		if c.kind == "text/html" && !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'; ") {
			t.Errorf("%s may run and load: %q", what, w.Header())
		}
	}
	equal(t, "what / depends on", ask("/", "").Header().Get("Vary"), "Accept")
}

// untouched is a body that nobody may read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// The body of a request is as large as its sender likes, and in several parts it goes to
// memory and disk.
func TestNoHandlerReadsABody(t *testing.T) {
	s := &server{log: slog.New(slog.DiscardHandler), metrics: metrics.New("", ""), page: &page{}, demand: newDemand()}
	s.page.set(look{ready: true})
	h := s.routes()
	for _, path := range []string{"/", "/host?name=a.example", "/host", "/explain", "/explain?code=dns/stale-record", "/probe?target=a.example", "/metrics", "/api/v1/snapshot", "/-/healthy", "/-/ready", "/-/reload"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			for _, kind := range []string{"multipart/form-data; boundary=b", "application/x-www-form-urlencoded"} {
				ctx, end := context.WithCancel(t.Context())
				end() // no reload is taken up
				r := httptest.NewRequestWithContext(ctx, method, path, untouched{t})
				r.Header.Set("Content-Type", kind)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	}
}

// Whoever comes to a page while another is made waits for a second.
func TestPagesAreMadeOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTurn, leave := oneByOne(), make(chan struct{})
		slow := inTurn(func(*http.Request) answer { <-leave; return plain(http.StatusOK, "slow") })
		quick := inTurn(func(*http.Request) answer { return plain(http.StatusOK, "quick") })
		ask := func(h http.HandlerFunc) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			return w
		}
		go ask(slow)
		synctest.Wait()
		w := ask(quick)
		equal(t, "who waited for too long", w.Code, http.StatusServiceUnavailable)
		equal(t, "Retry-After", w.Header().Get("Retry-After"), "1")
		answered := make(chan string)
		go func() { answered <- ask(quick).Body.String() }()
		synctest.Wait()
		leave <- struct{}{}
		equal(t, "who waited for less", <-answered, "quick")
		broken := inTurn(func(*http.Request) answer { panic(http.ErrAbortHandler) })
		func() {
			defer func() { equal(t, "a page that ends in a panic", recover(), any(http.ErrAbortHandler)) }()
			ask(broken)
		}()
		equal(t, "the next one", ask(quick).Body.String(), "quick")
	})
}

// With -v each address is shown, by --once and by judge alike.
func TestEachAddressIsShown(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	look := s.run("--once", "--config", s.whole(), "-v").exits(exitClean)
	look.says("addresses, times in ms", "OK  127.", "200 h1 TLS 1.3", s.url("api.shop.example")+"  name servers answered within ")
	saved := s.file("saved.json", s.run("--once", "--config", s.whole(), "-o", "json").exits(exitClean).out)
	s.run("judge", "-v", saved).exits(exitClean).says("addresses, times in ms", "200 h1 TLS 1.3")
	if out := s.run("judge", saved).exits(exitClean).out; strings.Contains(out, "addresses, times in ms") {
		t.Errorf("without -v it says:\n%s", out)
	}
}
