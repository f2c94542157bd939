package notify

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

func fires(id string, severity finding.Severity) Tracked {
	return Tracked{
		Visible: true, Told: severity,
		Message: Message{FirstSeen: moment0, HostCount: 14, Incident: finding.Incident{
			ID: id, Code: finding.DNSStaleRecord, Severity: severity, Cause: "DNS still points at a load balancer that no longer exists",
			Subject: finding.Subject{Namespace: "traefik", Name: "traefik"}, Hosts: []string{"api.shop.example"},
			Evidence: []finding.Note{{Label: "so", Text: "only DNS is wrong"}}, Recovery: "by 12:47 if you fix it now",
			Fix: []finding.Step{{Text: "at the provider", Record: &finding.Record{Owner: "shop.example", Type: "A", Values: []string{"203.0.113.77"}}, Command: "doctl x"}},
		}},
	}
}

var moment0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestWhatAnAlertmanagerIsTold(t *testing.T) {
	a := &Alertmanager{Cluster: "prod", Link: "https://driftprobe.example"}
	at := func(m int) time.Time { return moment0.Add(time.Duration(m) * time.Minute) }
	told := func(known map[string]postable, now time.Time, ts ...Tracked) map[string]postable {
		return a.alerts(known, State{Incidents: ts}, now)
	}
	hidden := fires("x", finding.Critical)
	hidden.Visible = false
	first := told(nil, at(1), fires("a", finding.Warning), hidden)
	if len(first) != 1 {
		t.Fatalf("%d alerts, want the visible one", len(first))
	}
	for id, p := range first {
		if want := `alertname="driftprobe",cluster="prod",code="dns/stale-record",incident="a",namespace="traefik",service="traefik",severity="warning",`; id != want {
			t.Errorf("identity %s", id)
		}
		if !p.StartsAt.Equal(moment0) || !p.EndsAt.Equal(at(5)) || p.Link != "https://driftprobe.example" {
			t.Errorf("%+v", p)
		}
		if p.Annotations["summary"] != "DNS still points at a load balancer that no longer exists: 14 hostnames" ||
			p.Annotations["description"] != "so: only DNS is wrong\nat the provider set shop.example A 203.0.113.77\ndoctl x\nclients recover by 12:47 if you fix it now" {
			t.Errorf("%q", p.Annotations)
		}
	}
	// It gets worse: another alert, and the first one ends.
	worse := told(first, at(2), fires("a", finding.Critical))
	ends := func(all map[string]postable, severity string) time.Time {
		for id, p := range all {
			if strings.Contains(id, `severity="`+severity+`"`) {
				return p.EndsAt
			}
		}
		return time.Time{}
	}
	if len(worse) != 2 || !ends(worse, "warning").Equal(at(2)) || !ends(worse, "critical").Equal(at(6)) {
		t.Errorf("%+v", worse)
	}
	// The end is repeated for five minutes and does not move.
	over := told(told(worse, at(3)), at(6))
	if len(over) != 2 || !ends(over, "critical").Equal(at(3)) {
		t.Errorf("%+v", over)
	}
	if left := told(over, at(60)); len(left) != 2 || !ends(left, "critical").Equal(at(3)) {
		t.Errorf("what was never taken: %+v", left)
	}
	for id, p := range over {
		p.taken = true
		over[id] = p
	}
	if left := told(over, at(8)); len(left) != 0 {
		t.Errorf("%+v is still told", left)
	}
	// The clock was set back: an alert that ends before it begins is refused.
	for id, p := range told(told(nil, at(-10), fires("a", finding.Warning)), at(-20)) {
		if p.StartsAt.After(p.EndsAt) || p.EndsAt.After(at(-20)) {
			t.Errorf("%s from %s to %s", id, p.StartsAt, p.EndsAt)
		}
	}
}

// transport answers requests without a network, so that the clock can be turned.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnAlertmanagerIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var all []string
		posts := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(all)
		}
		var status atomic.Int32
		status.Store(http.StatusServiceUnavailable)
		var state atomic.Pointer[State]
		state.Store(&State{Incidents: []Tracked{fires("a", finding.Critical)}})
		a := &Alertmanager{
			URLs: []string{"http://secret:word@one.example/"}, Log: slog.New(slog.DiscardHandler),
			Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				var alerts []postable
				if err := json.Unmarshal(body, &alerts); err != nil || r.URL.Path != "/api/v2/alerts" {
					t.Errorf("%s %s: %v", r.URL.Path, body, err)
				}
				end := ""
				if len(alerts) > 0 {
					end = time.Until(alerts[0].EndsAt).String()
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, end)
				return &http.Response{StatusCode: int(status.Load()), Body: http.NoBody, Header: http.Header{}}, nil
			})},
		}
		wake := make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.Run(ctx, func() State { return *state.Load() }, func() <-chan struct{} { return wake })
		}()
		synctest.Wait()
		status.Store(http.StatusOK)
		time.Sleep(time.Second) // the back-off after the first failure is less
		synctest.Wait()
		if len(posts()) != 2 || posts()[1] != "4m0s" {
			t.Fatalf("posts %q", posts())
		}
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if len(posts()) != 4 {
			t.Fatalf("posts %q, want one a minute", posts())
		}
		state.Store(&State{})
		wake <- struct{}{}
		synctest.Wait()
		if len(posts()) != 5 || posts()[4] != "0s" {
			t.Fatalf("posts %q, want the end at once", posts())
		}
		time.Sleep(10 * time.Minute)
		stop()
		<-done
		if last := posts()[len(posts())-1]; last != "" {
			t.Errorf("the end is told for ever: %q", posts())
		}
		if d := a.Deliveries(); len(d) != 1 || d[0].Sink != "alertmanager http://one.example" || d[0].Failed != 1 || d[0].Sent < 4 {
			t.Errorf("deliveries %+v", d)
		}
	})
}

// Who asks us to wait is not asked sooner because there is something new.
func TestAnAlertmanagerIsNotAskedBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var posts atomic.Int32
		a := &Alertmanager{
			URLs: []string{"http://one.example"}, Log: slog.New(slog.DiscardHandler),
			Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
				posts.Add(1)
				return &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody, Header: http.Header{"Retry-After": {"30"}}}, nil
			})},
		}
		wake := make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { a.Run(ctx, func() State { return State{} }, func() <-chan struct{} { return wake }) })
		wake <- struct{}{}
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if n := posts.Load(); n != 1 {
			t.Errorf("asked %d times within what it asked for", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := posts.Load(); n != 2 {
			t.Errorf("asked %d times in 30 s", n)
		}
		stop()
		running.Wait()
	})
}

// However long an instance asks us to wait, and however often it fails: what fires does not
// lapse there, and what begins is told within a minute of its being well again.
func TestAlertsOutlastAnAlertmanagerThatAsksToWait(t *testing.T) {
	for name, answer := range map[string]http.Header{"it asks for an hour": {"Retry-After": {"3600"}}, "it fails": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ill atomic.Bool
				var mu sync.Mutex
				ends := map[string]time.Time{}
				a := &Alertmanager{
					URLs: []string{"http://one.example"}, Log: slog.New(slog.DiscardHandler),
					Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
						if ill.Load() {
							return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Header: answer}, nil
						}
						var alerts []postable
						err := json.NewDecoder(r.Body).Decode(&alerts)
						mu.Lock()
						defer mu.Unlock()
						for _, p := range alerts {
							ends[p.Labels["incident"]] = p.EndsAt
						}
						return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, err
					})},
				}
				var state atomic.Pointer[State]
				state.Store(&State{Incidents: []Tracked{fires("a", finding.Critical)}})
				wake := make(chan struct{}, 1)
				ctx, stop := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { a.Run(ctx, func() State { return *state.Load() }, func() <-chan struct{} { return wake }) })
				time.Sleep(time.Second)
				ill.Store(true) // a proxy before it restarts
				time.Sleep(10 * time.Minute)
				ill.Store(false)
				state.Store(&State{Incidents: []Tracked{fires("a", finding.Critical), fires("new", finding.Critical)}})
				wake <- struct{}{}
				for range 3 {
					time.Sleep(resend)
					synctest.Wait()
					mu.Lock()
					for _, id := range []string{"a", "new"} {
						if left := time.Until(ends[id]); left <= ahead-2*resend {
							t.Errorf("%s ends in %s", id, left)
						}
					}
					mu.Unlock()
				}
				stop()
				running.Wait()
			})
		})
	}
}

// An instance that was away is told each end when it is back, however late; also of what began and ended meanwhile, or while it asked us to wait.
func TestAnAlertmanagerThatWasAwayIsToldTheEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var mu sync.Mutex
		taken := map[string]postable{}
		a := &Alertmanager{
			URLs: []string{"http://one.example"}, Log: slog.New(slog.DiscardHandler),
			Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				if away.Load() {
					return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Header: http.Header{"Retry-After": {"3600"}}}, nil
				}
				var alerts []postable
				err := json.NewDecoder(r.Body).Decode(&alerts)
				mu.Lock()
				defer mu.Unlock()
				clear(taken)
				for _, p := range alerts {
					taken[p.Labels["incident"]] = p
				}
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, err
			})},
		}
		wake := make(chan struct{}, 1)
		var state atomic.Pointer[State]
		fire := func(all ...Tracked) {
			state.Store(&State{Incidents: all})
			wake <- struct{}{}
			synctest.Wait()
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		began := time.Now()
		fresh := func(id string) Tracked {
			t := fires(id, finding.Critical)
			t.Message.FirstSeen = began
			return t
		}
		state.Store(&State{Incidents: []Tracked{fresh("before")}})
		running.Go(func() { a.Run(ctx, func() State { return *state.Load() }, func() <-chan struct{} { return wake }) })
		time.Sleep(time.Second)
		away.Store(true)
		time.Sleep(resend)
		fire(fresh("before"), fresh("brief")) // while we wait, as we were asked to
		time.Sleep(10 * time.Second)
		fire()
		over := time.Now()
		time.Sleep(2 * time.Hour)
		away.Store(false)
		back := time.Now()
		time.Sleep(resend)
		mu.Lock()
		for _, id := range []string{"before", "brief"} {
			if p, ok := taken[id]; !ok || !p.EndsAt.Equal(over) || !p.StartsAt.Equal(began) {
				t.Errorf("told of %s, %s after it was back: %+v", id, time.Since(back), p)
			}
		}
		mu.Unlock()
		time.Sleep(2 * resend)
		stop()
		running.Wait()
		if len(taken) != 0 {
			t.Errorf("told again: %+v", taken)
		}
	})
}

func TestWhatAnAlertmanagerAnswers(t *testing.T) {
	var status int
	var after string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer x" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "bad \x1b[31m labels")
	}))
	defer s.Close()
	a := &Alertmanager{Client: s.Client(), Header: func() (http.Header, error) { return http.Header{"Authorization": {"Bearer x"}}, nil }}
	for _, c := range []struct {
		status      int
		after, want string
	}{
		{200, "7", ""},
		{400, "7", `it answered 400 bad \x1b[31m labels (asked to wait 7s)`},
		{400, "soon", `it answered 400 bad \x1b[31m labels`},
		{503, "", `it answered 503 bad \x1b[31m labels`},
	} {
		status, after = c.status, c.after
		got := ""
		if err := a.post(t.Context(), s.URL+"/", nil); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%d: %q, want %q", c.status, got, c.want)
		}
	}
}
