package digitalocean

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/lbcheck"
)

func ids(o lbcheck.Observation) string {
	var all []string
	for _, b := range o.Balancers {
		all = append(all, b.ID)
	}
	return strings.Join(all, " ")
}

// paths are the requests that the API has got, and forgets them.
func paths(d *lab.DigitalOcean) []string {
	var all []string
	for _, r := range d.Requests.All() {
		all = append(all, strings.TrimPrefix(r.Path, "/v2/load_balancers"))
	}
	d.Requests.Reset()
	return all
}

func TestThereIsOneListAMinuteAtMost(t *testing.T) {
	d := newAPI(t)
	fill(d, 2)
	a := newAccount(t, Settings{APIURL: d.URL()})
	first := a.Observe(t.Context(), []string{"lb-0000"})
	for range 20 {
		a.pass(time.Second)
		if again := a.Observe(t.Context(), nil); !again.At.Equal(first.At) || again.Failure != "" {
			t.Fatalf("%+v", again)
		}
	}
	if got := paths(d); !slices.Equal(got, []string{""}) {
		t.Errorf("asked for %q", got)
	}
	a.pass(40 * time.Second)
	if later := a.Observe(t.Context(), []string{"lb-0000"}); !later.At.After(first.At) {
		t.Error("a minute later it was not asked again")
	}
	if got := paths(d); !slices.Equal(got, []string{""}) {
		t.Errorf("asked for %q", got)
	}
}

// What changed in the cluster is asked for by its id, at once.
func TestBalancersInTheNewsAreAskedForOneByOne(t *testing.T) {
	d := newAPI(t)
	fill(d, 3)
	a := newAccount(t, Settings{APIURL: d.URL()})
	first := a.Observe(t.Context(), nil)
	d.PutLoadBalancer(lab.LoadBalancer{ID: "lb-0001", Name: "k8s", IP: "203.0.113.77"})
	d.RemoveLoadBalancer("lb-0002")
	d.PutLoadBalancer(lab.LoadBalancer{ID: "lb-00015", Name: "new", Status: "new"})
	paths(d)
	a.pass(5 * time.Second)
	got := a.Observe(t.Context(), []string{"lb-00015", "lb-0001", "lb-0002", "../domains", "lb-0001?x=1", ""})
	if ids(got) != "lb-0000 lb-0001 lb-00015" || got.Failure != "" || !got.At.Equal(first.At) {
		t.Errorf("%+v", got)
	}
	if b := got.Balancers[1]; b.Addresses[0] != addrs("203.0.113.77")[0] || !b.At.After(got.At) || !got.Balancers[0].At.IsZero() {
		t.Errorf("%+v", got.Balancers)
	}
	if asked := paths(d); !slices.Equal(asked, []string{"/lb-00015", "/lb-0001", "/lb-0002"}) {
		t.Errorf("asked for %q", asked)
	}
	d.SetFault(lab.DOError(503, "", ""))
	if held := a.Observe(t.Context(), []string{"lb-0000"}); ids(held) != ids(got) || held.Failure != "" {
		t.Errorf("one that cannot be asked for changes nothing: %+v", held)
	}
}

func TestSingleQuestionsAreBounded(t *testing.T) {
	d := newAPI(t)
	a := newAccount(t, Settings{APIURL: d.URL()})
	a.Observe(t.Context(), nil)
	a.Observe(t.Context(), slices.Repeat([]string{"lb-1"}, 100))
	if n := d.Requests.Len(); n != 1+maxSingle {
		t.Errorf("%d requests", n)
	}
}

// A look while the API is left alone is no list: the next one is due when that is over, and
// only after a success a minute later.
func TestARestIsNoList(t *testing.T) {
	d := newAPI(t)
	fill(d, 1)
	a := newAccount(t, Settings{APIURL: d.URL()})
	observe := func(after time.Duration, requests int) lbcheck.Observation {
		t.Helper()
		a.pass(after)
		got := a.Observe(t.Context(), nil)
		if n := len(paths(d)); n != requests {
			t.Errorf("asked %d times, want %d", n, requests)
		}
		return got
	}
	if first := observe(0, 1); !first.Again.IsZero() {
		t.Errorf("after a success it is asked again %s", first.Again)
	}
	d.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "90")
		return lab.DOError(503, "", "")(w, r)
	})
	failed := observe(time.Minute, 1)
	if left := failed.Again.Sub(a.now()); left < 85*time.Second || left > 90*time.Second {
		t.Errorf("it says that it may be asked in %s, want 90 s", left)
	}
	d.SetFault(nil)
	if held := observe(85*time.Second, 0); held.Failure != failed.Failure || !held.Again.Equal(failed.Again) {
		t.Errorf("meanwhile: %+v", held)
	}
	if well := observe(5*time.Second, 1); well.Failure != "" || !well.Again.IsZero() {
		t.Errorf("after the rest: %+v", well)
	}
	if early := observe(50*time.Second, 0); early.Again.Sub(a.now()).Round(time.Second) != 10*time.Second {
		t.Errorf("before its minute is over it may be asked in %s", early.Again.Sub(a.now()))
	}
	observe(5*time.Second, 1)
	d.SetFault(lab.DOError(401, "unauthorized", "no"))
	if refused := observe(time.Minute, 1); refused.Again.Sub(a.now()).Round(time.Second) != time.Minute {
		t.Errorf("a token that was refused may be tried in %s", refused.Again.Sub(a.now()))
	}
}

// After each failure the API is left alone for longer, up to two minutes, and never
// for the same time.
func TestAFailingAPIIsLeftAloneForLonger(t *testing.T) {
	for name, fault := range map[string]lab.HTTPFault{"503": lab.DOError(503, "", ""), "reset": lab.HTTPReset} {
		t.Run(name, func(t *testing.T) {
			d := newAPI(t)
			fill(d, 1)
			a := newAccount(t, Settings{APIURL: d.URL()})
			d.SetFault(fault)
			waits := map[time.Duration]bool{}
			for n, most := range []time.Duration{30 * time.Second, time.Minute, maxRest, maxRest, maxRest, maxRest} {
				before := d.Requests.Len()
				failed := a.Observe(t.Context(), nil)
				if d.Requests.Len() == before {
					t.Fatalf("attempt %d was not made", n+1)
				}
				wait := a.wait.until.Sub(a.now()).Round(time.Second)
				if wait < most/2-time.Second || wait > most {
					t.Errorf("after failure %d it waits %s, at most %s", n+1, wait, most)
				}
				if most == maxRest {
					waits[wait] = true
				}
				before = d.Requests.Len()
				a.pass(wait - 2*time.Second)
				if again := a.Observe(t.Context(), nil); again.Failure != failed.Failure || d.Requests.Len() != before {
					t.Errorf("asked again too early: %q", again.Failure)
				}
				a.pass(3 * time.Second)
			}
			if len(waits) < 2 {
				t.Errorf("all probes come back at the same moment: %v", waits)
			}
			d.SetFault(nil)
			if got := a.Observe(t.Context(), nil); got.Failure != "" || a.failures != 0 {
				t.Errorf("no recovery: %+v", got)
			}
		})
	}
}

func TestAnotherTokenNeedNotWait(t *testing.T) {
	d := newAPI(t)
	fill(d, 1)
	token := secret
	a := newAccount(t, Settings{APIURL: d.URL(), Token: func() (string, error) { return token, nil }})
	d.SetQuota(0)
	if got := a.Observe(t.Context(), nil); !strings.Contains(got.Failure, "(429)") {
		t.Fatalf("%q", got.Failure)
	}
	if left := time.Until(a.wait.until); left < 50*time.Minute {
		t.Errorf("the hour is used up, and it waits %s", left)
	}
	token = "dop_v1_other"
	d.SetToken(token)
	d.SetQuota(100)
	if got := a.Observe(t.Context(), nil); got.Failure != "" || len(got.Balancers) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAForeignObjectIsNoBalancer(t *testing.T) {
	d := newAPI(t)
	fill(d, 1)
	a := newAccount(t, Settings{APIURL: d.URL()})
	a.Observe(t.Context(), nil)
	d.SetFault(lab.HTTPStatus(http.StatusOK, `{"load_balancer":{"id":"other","ip":"192.0.2.1"}}`))
	if got := a.Observe(t.Context(), []string{"lb-0000"}); ids(got) != "lb-0000" || got.Balancers[0].Addresses[0] != addrs("203.0.113.10")[0] {
		t.Errorf("%+v", got)
	}
}
