package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

func TestWebhook(t *testing.T) {
	var status int
	var asked time.Time
	got := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- body
		w.Header().Set("Location", "/elsewhere")
		if !asked.IsZero() {
			w.Header().Set("Retry-After", "120")
		}
		w.WriteHeader(status)
	}))
	defer s.Close()
	text := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
	w := NewWebhook("webhook/ops", text(s.URL+"/in/topsecret\n"), text("key"), s.Client(), "prod", "https://driftprobe.example")
	m := fires("a", finding.Critical).Message
	m.Kind, m.Key = Firing, "a@2026#1"
	for _, c := range []struct {
		status int
		later  bool
		kind   any // what errors.As finds; nil: arrived
	}{
		{200, false, nil}, {204, false, nil},
		{301, false, new(error)},
		{400, false, new(*GivenUpError)}, {413, false, new(*GivenUpError)}, {422, false, new(*GivenUpError)},
		{401, false, new(*DeadHookError)}, {403, false, new(*DeadHookError)}, {404, false, new(*DeadHookError)}, {410, false, new(*DeadHookError)},
		{429, true, new(*RetryAfterError)}, {503, true, new(*RetryAfterError)}, {500, false, new(error)},
	} {
		status, asked = c.status, time.Time{}
		if c.later {
			asked = moment0
		}
		err := w.Send(t.Context(), m)
		req, body := <-got, <-bodies
		switch {
		case c.kind == nil && err != nil, c.kind != nil && !errors.As(err, c.kind):
			t.Errorf("%d: %v", c.status, err)
		case err != nil && strings.Contains(err.Error(), "topsecret"):
			t.Errorf("%d: the address is in %v", c.status, err)
		}
		if req.URL.Path != "/in/topsecret" || req.Header.Get("Idempotency-Key") != m.Key || req.Method != http.MethodPost {
			t.Errorf("%s %s %v", req.Method, req.URL.Path, req.Header)
		}
		var hook Hook
		if err := json.Unmarshal(body, &hook); err != nil || hook.Version != 1 || hook.Cluster != "prod" || hook.Incident.ID != "a" || hook.Kind != Firing {
			t.Errorf("%v: %s", err, body)
		}
		var seconds int64
		if _, err := fmt.Sscanf(req.Header.Get("Driftprobe-Signature"), "t=%d,", &seconds); err != nil ||
			req.Header.Get("Driftprobe-Signature") != sign("key", time.Unix(seconds, 0), body) {
			t.Errorf("signature %s of %s", req.Header.Get("Driftprobe-Signature"), body)
		}
	}
	// Computed with another implementation of HMAC.
	if got := sign("key", moment0, []byte("{}")); got != "t=1795348800,v1=706f545aa9e881001584ac8eec5613f4e7a75ff82cc78f43673f88f69b8c3c6d" {
		t.Error(got)
	}
}

func TestWebhookWithoutAnAddress(t *testing.T) {
	for _, raw := range []string{"", "topsecret", "ftp://topsecret/", "http://[topsecret"} {
		w := NewWebhook("w", func() (string, error) { return raw, nil }, nil, http.DefaultClient, "", "")
		if err := w.Send(t.Context(), Message{}); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var beats atomic.Int32
		var alive atomic.Bool
		var status atomic.Int32
		h := &Heartbeat{
			URL: func() (string, error) { return "https://switch.example/topsecret", nil }, Every: time.Minute,
			Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				beats.Add(1)
				return &http.Response{StatusCode: int(status.Load()), Body: http.NoBody}, nil
			})},
			Alive: alive.Load, Log: slog.New(slog.DiscardHandler),
		}
		ctx, stop := context.WithCancel(t.Context())
		go h.Run(ctx)
		for _, step := range []struct {
			alive          bool
			status         int32
			beats, arrived int
		}{{true, 200, 1, 1}, {false, 200, 1, 1}, {true, 500, 2, 1}, {true, 200, 3, 2}} {
			alive.Store(step.alive)
			status.Store(step.status)
			time.Sleep(time.Minute)
			synctest.Wait()
			if d := h.Delivery(); int(beats.Load()) != step.beats || int(d.Sent) != step.arrived {
				t.Errorf("%d beats, %+v, want %+v", beats.Load(), d, step)
			}
		}
		stop()
	})
}
