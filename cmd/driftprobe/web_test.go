package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"driftprobe/internal/metrics"
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
