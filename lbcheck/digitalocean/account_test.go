package digitalocean

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/lbcheck"
)

const secret = "dop_v1_5ecret"

func newAPI(t *testing.T) *lab.DigitalOcean {
	t.Helper()
	d, err := lab.NewDigitalOcean(secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func newAccount(t *testing.T, s Settings) *Account {
	t.Helper()
	if s.Token == nil {
		s.Token = func() (string, error) { return secret + "\n", nil }
	}
	connections := &http.Transport{}
	t.Cleanup(connections.CloseIdleConnections)
	s.HTTP = &http.Client{Transport: connections}
	a, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pass lets time pass for the account.
func (a *Account) pass(d time.Duration) {
	before := a.now
	a.now = func() time.Time { return before().Add(d) }
}

// fill puts n balancers into the account, the last first.
func fill(d *lab.DigitalOcean, n int) {
	for i := n - 1; i >= 0; i-- {
		d.PutLoadBalancer(lab.LoadBalancer{ID: fmt.Sprintf("lb-%04d", i), Name: "k8s", IP: "203.0.113.10"})
	}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func TestBalancersAreReadAsTheyAre(t *testing.T) {
	created := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		rule string
		lb   lab.LoadBalancer
		want lbcheck.Balancer
	}{
		{"both families", lab.LoadBalancer{Name: "k8s-main", IP: "203.0.113.10", IPv6: "2001:db8::10", Tags: []string{"k8s:1"}},
			lbcheck.Balancer{Name: "k8s-main", Status: "active", Addresses: addrs("203.0.113.10", "2001:db8::10"), Tags: []string{"k8s:1"}}},
		{"a new one has no address yet", lab.LoadBalancer{Status: "new"}, lbcheck.Balancer{Status: "new"}},
		{"an errored one keeps its address", lab.LoadBalancer{Status: "errored", IP: "203.0.113.10"}, lbcheck.Balancer{Status: "errored", Addresses: addrs("203.0.113.10")}},
		{"an internal one has no public address", lab.LoadBalancer{Network: "INTERNAL", IP: "10.0.0.7"}, lbcheck.Balancer{Status: "active", Internal: true}},
		{"a mapped address is the IPv4 address, once", lab.LoadBalancer{IP: "203.0.113.10", IPv6: "::ffff:203.0.113.10"}, lbcheck.Balancer{Status: "active", Addresses: addrs("203.0.113.10")}},
		{"what is no address is left out", lab.LoadBalancer{IP: "soon", IPv6: "2001:db8::10"}, lbcheck.Balancer{Status: "active", Addresses: addrs("2001:db8::10")}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			d := newAPI(t)
			test.lb.ID, test.lb.Created = "lb-1", created
			d.PutLoadBalancer(test.lb)
			before := time.Now()
			got := newAccount(t, Settings{APIURL: d.URL()}).Observe(t.Context(), nil)
			if got.At.Before(before) || got.Provider != "DigitalOcean" || got.Failure != "" {
				t.Errorf("observation: %+v", got)
			}
			test.want.ID, test.want.Region, test.want.Created = "lb-1", "fra1", created
			if !reflect.DeepEqual(got.Balancers, []lbcheck.Balancer{test.want}) {
				t.Errorf("\n got %+v\nwant %+v", got.Balancers, test.want)
			}
		})
	}
}

func TestAllPagesAreRead(t *testing.T) {
	d := newAPI(t)
	fill(d, 450)
	got := newAccount(t, Settings{APIURL: d.URL() + "/"}).Observe(t.Context(), nil)
	if len(got.Balancers) != 450 || got.Balancers[0].ID != "lb-0000" || got.Balancers[449].ID != "lb-0449" {
		t.Errorf("%d balancers; failure %q", len(got.Balancers), got.Failure)
	}
	for i, r := range d.Requests.All() {
		if want := fmt.Sprintf("page=%d&per_page=200", i+1); r.Query != want || d.Requests.Len() != 3 {
			t.Errorf("request %d asked for %q", i, r.Query)
		}
	}
}

func TestEmptyAccountIsACompleteList(t *testing.T) {
	d := newAPI(t)
	if got := newAccount(t, Settings{APIURL: d.URL()}).Observe(t.Context(), nil); got.Failure != "" || got.At.IsZero() || len(got.Balancers) != 0 {
		t.Errorf("%+v", got)
	}
}

// answer is an HTTPFault that says 200 with a body.
func answer(body string) lab.HTTPFault { return lab.HTTPStatus(http.StatusOK, body) }

// failing is a fault of the API, and what is to be said of it.
type failing struct {
	rule       string
	fault      func(*lab.DigitalOcean) lab.HTTPFault
	what, hint string
}

func failures() []failing {
	page2 := func(f lab.HTTPFault) func(*lab.DigitalOcean) lab.HTTPFault {
		return func(*lab.DigitalOcean) lab.HTTPFault {
			return lab.HTTPWhen(func(r *http.Request) bool { return r.URL.Query().Get("page") == "2" }, f)
		}
	}
	all := func(f lab.HTTPFault) func(*lab.DigitalOcean) lab.HTTPFault {
		return func(*lab.DigitalOcean) lab.HTTPFault { return f }
	}
	endless := func(w http.ResponseWriter, r *http.Request) bool {
		body := fmt.Sprintf(`{"load_balancers":[{"id":"x%s"}],"links":{"pages":{"next":"http://x/?page=9"}}}`, r.URL.Query().Get("page"))
		return answer(body)(w, r)
	}
	return []failing{
		{"the token is refused", all(lab.DOError(401, "unauthorized", secret+" is wrong")), "does not accept the token (401)", "load_balancer:read"},
		{"the scope is missing", all(lab.DOError(403, "forbidden", "no")), "does not allow this with the token (403)", "scope load_balancer:read"},
		{"nothing is there", all(lab.DOError(404, "not_found", "no")), "nothing at that place (404)", "API's URL"},
		{"the API fails", all(lab.DOError(503, "service_unavailable", secret)), "API failed (503)", "status.digitalocean.com"},
		{"the second page fails", page2(lab.DOError(500, "server_error", "no")), "API failed (500)", "after a while"},
		{"the second page breaks off", func(d *lab.DigitalOcean) lab.HTTPFault { return page2(d.Half)(d) }, "broke off", "network"},
		{"the connection is reset", all(lab.HTTPReset), "can't be reached", "network"},
		{"the API is silent", all(lab.HTTPHang), "no complete answer in time", "timeout"},
		{"the second page never ends", page2(lab.HTTPHang), "no complete answer in time", "timeout"},
		{"HTML instead of JSON", all(answer("<html>login</html>")), "could not be understood", "proxy"},
		{"JSON of another shape", all(answer(`{"load_balancers": 7}`)), "could not be understood", "proxy"},
		{"an object that is no list", all(answer(`{}`)), "could not be understood", "proxy"},
		{"a balancer without an id", all(answer(`{"load_balancers":[{"name":"x"}],"meta":{"total":1}}`)), "could not be understood", "proxy"},
		{"less than the total", all(answer(`{"load_balancers":[{"id":"x"}],"meta":{"total":2}}`)), "changed twice", "next round"},
		{"the same balancer twice", all(answer(`{"load_balancers":[{"id":"x"},{"id":"x"}],"meta":{"total":2}}`)), "changed twice", "next round"},
		{"a list without end", all(endless), "did not end after 100 pages", "API's URL"},
		{"a body without end", all(answer(`{"load_balancers":[{"id":"` + strings.Repeat("x", maxBody))), "could not be understood", "API's URL"},
		{"a redirect", all(func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://127.0.0.1:1/"+secret, http.StatusFound)
			return true
		}), "answered 302", "API's URL"},
	}
}

func TestFailureHoldsTheLastCompleteList(t *testing.T) {
	for _, test := range failures() {
		t.Run(test.rule, func(t *testing.T) {
			d := newAPI(t)
			fill(d, 201)
			a := newAccount(t, Settings{APIURL: d.URL()})
			good := a.Observe(t.Context(), nil)
			if len(good.Balancers) != 201 {
				t.Fatalf("first look: %d balancers, %s", len(good.Balancers), good.Failure)
			}
			if strings.Contains(test.what, "in time") {
				a.timeout = 50 * time.Millisecond
			}
			a.pass(time.Minute)
			d.SetFault(test.fault(d))
			got := a.Observe(t.Context(), nil)
			if !strings.Contains(got.Failure, test.what) || !strings.Contains(got.FailureHint, test.hint) {
				t.Errorf("failure: %s\nhint: %s", got.Failure, got.FailureHint)
			}
			if raw, _ := json.Marshal(got); strings.Contains(string(raw), secret) || strings.Contains(got.Failure+got.FailureHint, "http://") {
				t.Errorf("the token or the request is told: %s %s", got.Failure, got.FailureHint)
			}
			if !got.At.Equal(good.At) || !reflect.DeepEqual(got.Balancers, good.Balancers) {
				t.Errorf("the last complete list is not held: %d balancers at %s", len(got.Balancers), got.At)
			}
			a.timeout = DefaultTimeout
			a.pass(time.Minute)
			d.SetFault(nil)
			if again := a.Observe(t.Context(), nil); again.Failure != "" || again.At.Equal(good.At) {
				t.Errorf("no recovery: %q", again.Failure)
			}
		})
	}
}

func TestFirstFailureHasNoList(t *testing.T) {
	d := newAPI(t)
	url := d.URL()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	got := newAccount(t, Settings{APIURL: url}).Observe(t.Context(), nil)
	if !got.At.IsZero() || len(got.Balancers) != 0 || !strings.Contains(got.Failure, "refused") {
		t.Errorf("%+v", got)
	}
}

func TestListThatMovesOnceIsReadAgain(t *testing.T) {
	d := newAPI(t)
	fill(d, 201)
	d.SetFault(lab.HTTPTimes(1, func(w http.ResponseWriter, r *http.Request) bool {
		return answer(`{"load_balancers":[{"id":"x"}],"meta":{"total":2}}`)(w, r)
	}))
	if got := newAccount(t, Settings{APIURL: d.URL()}).Observe(t.Context(), nil); len(got.Balancers) != 201 {
		t.Errorf("%d balancers, %s", len(got.Balancers), got.Failure)
	}
}

func TestRateLimitIsHonoured(t *testing.T) {
	d := newAPI(t)
	fill(d, 1)
	a := newAccount(t, Settings{APIURL: d.URL()})
	d.SetFault(lab.HTTPTooMany(30*time.Minute, "{}"))
	first := a.Observe(t.Context(), nil)
	if !strings.Contains(first.Failure, "(429): not asked again before ") {
		t.Fatalf("failure: %q", first.Failure)
	}
	d.SetFault(nil)
	if again := a.Observe(t.Context(), nil); again.Failure != first.Failure || d.Requests.Len() != 1 {
		t.Errorf("asked %d times; failure %q", d.Requests.Len(), again.Failure)
	}
	a.pass(29 * time.Minute)
	if a.Observe(t.Context(), nil); d.Requests.Len() != 1 {
		t.Error("asked before the time that it named")
	}
	a.pass(time.Minute)
	if later := a.Observe(t.Context(), nil); later.Failure != "" || len(later.Balancers) != 1 {
		t.Errorf("after the wait: %+v", later)
	}
}

func TestRetryAfterOfAFailureIsHonoured(t *testing.T) {
	d := newAPI(t)
	a := newAccount(t, Settings{APIURL: d.URL()})
	d.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "600")
		return lab.DOError(503, "", "")(w, r)
	})
	first := a.Observe(t.Context(), nil)
	a.pass(9 * time.Minute)
	second := a.Observe(t.Context(), nil)
	if !strings.Contains(first.Failure, "(503)") || second.Failure != first.Failure || d.Requests.Len() != 1 {
		t.Errorf("asked %d times: %q, %q", d.Requests.Len(), first.Failure, second.Failure)
	}
}

func TestWaitUntil(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tests := []struct {
		rule, retryAfter, reset string
		want                    time.Duration
	}{
		{"retry-after in seconds", "7", "", 7 * time.Second},
		{"retry-after as a date", now.Add(90 * time.Second).UTC().Format(http.TimeFormat), "", 90 * time.Second},
		{"retry-after goes before the reset", "7", "1800000600", 7 * time.Second},
		{"the reset counts if the hour is used up", "7", "1800000600", 10 * time.Minute},
		{"a reset that is over does not, though the hour is used up", "7", "1799999000", 7 * time.Second},
		{"the reset alone", "", "1800000600", 10 * time.Minute},
		{"neither: a minute", "", "", time.Minute},
		{"nonsense: a minute", "soon", "later", time.Minute},
		{"never more than an hour", "", "9999999999", time.Hour},
		{"never at once", "-5", "", time.Second},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := http.Header{}
			h.Set("retry-after", test.retryAfter)
			h.Set("ratelimit-reset", test.reset)
			if strings.Contains(test.rule, "the hour is used up") {
				h.Set("ratelimit-remaining", "0")
			}
			if got := waitUntil(h, now).Sub(now); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Somebody may set the clock while we wait.
func TestAWaitIsMeasuredByTheMonotonicClock(t *testing.T) {
	now := time.Now()
	later := now.Add(10 * time.Minute)
	for name, value := range map[string]string{"retry-after": later.UTC().Format(http.TimeFormat), "ratelimit-reset": strconv.FormatInt(later.Unix(), 10)} {
		h := http.Header{}
		h.Set(name, value)
		if until := waitUntil(h, now); !strings.Contains(until.String(), " m=") {
			t.Errorf("%s: %s is of the wall clock alone", name, until)
		}
	}
}

func TestTokenIsReadEachTime(t *testing.T) {
	d := newAPI(t)
	fill(d, 1)
	token, failure := "old", error(nil)
	a := newAccount(t, Settings{APIURL: d.URL(), Token: func() (string, error) { return token, failure }})
	steps := []struct {
		rule, token string
		err         error
		want        string
	}{
		{"the old token is refused", "old", nil, "(401)"},
		{"the new one is used at once", secret, nil, ""},
		{"it can't be read", "", errors.New("open /run/token: permission denied"), "could not be read: open /run/token: permission denied"},
		{"it is empty", " \n", nil, "is empty"},
		{"it holds a line break", "a\nX-Other: b", nil, "characters that no token has"},
		{"it is right again", secret, nil, ""},
	}
	for _, s := range steps {
		token, failure = s.token, s.err
		if got := a.Observe(t.Context(), nil); !strings.Contains(got.Failure, s.want) || (s.want == "") != (got.Failure == "") {
			t.Errorf("%s: %q", s.rule, got.Failure)
		}
	}
}

func TestNewRefusesWhatCannotBeAnAPI(t *testing.T) {
	for _, raw := range []string{"api.example", "ftp://api.example", "https://", "https://u:" + secret + "@api.example", "https://api.example/v2", "https://%" + secret, "https://api.example/?x=1"} {
		_, err := New(Settings{APIURL: raw, Token: func() (string, error) { return "", nil }})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if _, err := New(Settings{}); err == nil {
		t.Error("no token is no error")
	}
}

func TestObservationIsTheCallersOwn(t *testing.T) {
	d := newAPI(t)
	d.PutLoadBalancer(lab.LoadBalancer{ID: "1", IP: "203.0.113.10", Tags: []string{"a"}})
	a := newAccount(t, Settings{APIURL: d.URL()})
	spoiled := a.Observe(t.Context(), nil)
	spoiled.Balancers[0].Addresses[0], spoiled.Balancers[0].Tags[0] = netip.IPv6Loopback(), "b"
	a.pass(time.Minute)
	d.SetFault(lab.DOError(500, "", ""))
	if held := a.Observe(t.Context(), nil).Balancers[0]; held.Addresses[0] != addrs("203.0.113.10")[0] || held.Tags[0] != "a" {
		t.Errorf("changed from outside: %+v", held)
	}
}
