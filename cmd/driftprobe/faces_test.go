package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What a hostname answers by turns is told once, and is over when it is well.
func TestServeAnswersByTurns(t *testing.T) {
	t.Parallel()
	s := newStage(t, time.Hour)
	l, err := net.Listen("tcp", net.JoinHostPort(s.OldAddr.String(), "0"))
	s.must(err)
	var asked atomic.Int64
	var mended atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n := asked.Add(1); {
		case mended.Load():
			fmt.Fprint(w, "welcome")
		case n%3 == 0:
			http.Error(w, "no backend", http.StatusServiceUnavailable)
		case n%3 == 1:
			fmt.Fprint(w, "another's page")
		default:
			http.NotFound(w, nil)
		}
	}))
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(l.Addr().String())
	s.must(err)
	v := s.serve("--config", s.configuration("driftprobe.yaml", hurried, stateSection, fmt.Sprintf(`targets:
  - url: http://%s:%s/
    expect: {status: [200], body_regex: welcome}
alerts:
  pending: {critical: 3s, warning: 3s}
  resolve_after: 2s
  slack: {webhook_url_file: slack-url}`, s.Hosts[0], port)))
	first := v.told(1)
	if !strings.Contains(first, "[critical]") || !strings.Contains(first, s.Hosts[0]) {
		t.Errorf("first message: %s", first)
	}
	turns := asked.Load() + 6
	v.until("each answer is seen", func() bool { return asked.Load() >= turns })
	v.told(1)
	mended.Store(true)
	if end := v.told(2); !strings.Contains(end, "[resolved]") {
		t.Errorf("second message: %s", end)
	}
	v.end()
}
