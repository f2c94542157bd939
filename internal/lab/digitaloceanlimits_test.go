package lab

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/godo"
)

// What godo makes of the links: the pages before and after, the last one, and that a
// page has 200 at most, whatever is asked for.
func TestDigitalOceanLinks(t *testing.T) {
	d, client := newTestCloud(t)
	for i := range 401 {
		d.PutLoadBalancer(LoadBalancer{ID: fmt.Sprint("id-", i), Name: "lb", IP: "192.0.2.1"})
	}
	for _, tc := range []struct {
		page, size, have, current int
		first, last, before, next string
		end                       bool
	}{
		{1, 500, 200, 1, "", "page=3&per_page=200", "", "page=2&per_page=200", false},
		{2, 200, 200, 2, "page=1&per_page=200", "page=3&per_page=200", "page=1&per_page=200", "page=3&per_page=200", false},
		{3, 200, 1, 3, "page=1&per_page=200", "", "page=2&per_page=200", "", true},
		{1, 0, 20, 1, "", "page=21&per_page=20", "", "page=2&per_page=20", false},
		{4, 200, 0, 4, "page=1&per_page=200", "", "page=3&per_page=200", "", true},
	} {
		list, resp, err := client.LoadBalancers.List(t.Context(), &godo.ListOptions{Page: tc.page, PerPage: tc.size})
		noError(t, err)
		current, err := resp.Links.CurrentPage()
		noError(t, err)
		pages := resp.Links.Pages
		got := []any{len(list), current, pages.First, pages.Last, pages.Prev, pages.Next, resp.Links.IsLastPage(), resp.Meta.Total}
		link := func(query string) string {
			if query == "" {
				return ""
			}
			return d.URL() + "/v2/load_balancers?" + query
		}
		equal(t, fmt.Sprintf("page %d of %d", tc.page, tc.size), got,
			[]any{tc.have, tc.current, link(tc.first), link(tc.last), link(tc.before), link(tc.next), tc.end, 401})
	}
}

// Each refusal has the API's body: an id, a message, and the number of the request.
func TestDigitalOceanErrorBodies(t *testing.T) {
	d, client := newTestCloud(t)
	d.SetRecords("shop.example")
	refused := func(what string, err error, status int, message string) {
		t.Helper()
		var refusal *godo.ErrorResponse
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", what, err)
			return
		}
		equal(t, what, []any{refusal.Response.StatusCode, refusal.Message, refusal.RequestID != "", refusal.Response.Header.Get("Content-Type")},
			[]any{status, message, true, "application/json"})
	}
	_, _, err := godoClient(t, d, "wrong").LoadBalancers.Get(t.Context(), "a")
	refused("another token", err, http.StatusUnauthorized, "Unable to authenticate you")
	_, _, err = client.LoadBalancers.Get(t.Context(), "a")
	refused("no such balancer", err, http.StatusNotFound, "The resource you were accessing could not be found.")
	_, _, err = client.Domains.Record(t.Context(), "shop.example", 7)
	refused("no such record", err, http.StatusNotFound, "The resource you were accessing could not be found.")
	_, _, err = client.LoadBalancers.Create(t.Context(), &godo.LoadBalancerRequest{})
	refused("no name", err, http.StatusUnprocessableEntity, "name is required")
	d.SetScope("/v2/domains", false)
	_, _, err = client.Domains.Records(t.Context(), "shop.example", nil)
	refused("no scope", err, http.StatusForbidden, "You are not authorized to perform this operation")
	d.SetQuota(0)
	_, _, err = client.LoadBalancers.Get(t.Context(), "a")
	refused("no quota", err, http.StatusTooManyRequests, "API Rate limit exceeded.")
}

// 5,000 requests an hour and 250 a minute: the first says when the hour is over, the
// second in how many seconds to come back.
func TestDigitalOceanLimits(t *testing.T) {
	d, client := newTestCloud(t)
	reset := time.Now().Add(20 * time.Minute).Truncate(time.Second)
	d.SetBurst(2)
	d.SetReset(reset)
	var last *godo.Response
	for i, want := range []int{200, 200, 429} {
		_, resp, err := client.LoadBalancers.List(t.Context(), nil)
		equal(t, fmt.Sprint("request ", i), []any{resp.StatusCode, err == nil}, []any{want, want == 200})
		equal(t, "the hour", []any{resp.Rate.Limit, resp.Rate.Remaining, resp.Rate.Reset.Time}, []any{5000, 4999 - min(i, 1), reset})
		last = resp
	}
	if wait := last.Header.Get("retry-after"); wait != "60" && wait != "59" {
		t.Errorf("come back in %q s", wait)
	}
	d.SetBurst(0)
	d.SetQuota(0)
	_, resp, err := client.LoadBalancers.List(t.Context(), nil)
	equal(t, "the hour is used up", []any{resp.StatusCode, resp.Rate.Remaining, resp.Header.Get("retry-after"), err != nil}, []any{429, 0, "", true})
	d.SetReset(time.Now())
	_, resp, err = client.LoadBalancers.List(t.Context(), nil)
	noError(t, err)
	equal(t, "the next hour", resp.Rate.Remaining, 4999)
}

// The minute of the burst ends by itself.
func TestDigitalOceanBurstEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := doQuota{limit: doHourly, left: doHourly, burst: 250}
		for range 250 {
			equal(t, "within", q.take(http.Header{}, time.Now()), true)
		}
		time.Sleep(50 * time.Second)
		h := http.Header{}
		equal(t, "past", q.take(h, time.Now()), false)
		equal(t, "headers", []string{h.Get("retry-after"), h.Get("ratelimit-remaining")}, []string{"10", "4750"})
		time.Sleep(10 * time.Second)
		equal(t, "later", q.take(http.Header{}, time.Now()), true)
	})
}

func TestTrickleNeverPausesForLong(t *testing.T) {
	d, client := newTestCloud(t)
	d.PutLoadBalancer(LoadBalancer{ID: "a", Name: "a", IP: "192.0.2.1"})
	d.SetFault(d.Trickle)
	limited := &http.Client{Timeout: time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL()+"/v2/load_balancers", nil)
	noError(t, err)
	req.Header.Set("Authorization", "Bearer secret")
	resp, err := limited.Do(req)
	noError(t, err)
	defer func() { noError(t, resp.Body.Close()) }()
	text := new(strings.Builder)
	for buffer := make([]byte, 64); err == nil; {
		var n int
		n, err = resp.Body.Read(buffer)
		text.Write(buffer[:n])
	}
	if text.Len() < 2 || int64(text.Len()) >= resp.ContentLength {
		t.Errorf("%d of %d bytes within a second", text.Len(), resp.ContentLength)
	}
	d.SetFault(nil)
	_, _, err = client.LoadBalancers.List(t.Context(), nil)
	noError(t, err)
}
