package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/digitalocean/godo"
)

func newTestCloud(t *testing.T) (*DigitalOcean, *godo.Client) {
	t.Helper()
	d := closing[*DigitalOcean](t)(NewDigitalOcean("secret"))
	return d, godoClient(t, d, "secret")
}

func godoClient(t *testing.T, d *DigitalOcean, token string) *godo.Client {
	t.Helper()
	// Not NewFromToken: that one retries for seconds.
	client, err := godo.New(&http.Client{Transport: bearer(token)}, godo.SetBaseURL(d.URL()))
	noError(t, err)
	return client
}

type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// listAll pages through as a careful client does.
func listAll(ctx context.Context, client *godo.Client, size int) (ids []string, pages int, err error) {
	opt := &godo.ListOptions{Page: 1, PerPage: size}
	for {
		lbs, resp, err := client.LoadBalancers.List(ctx, opt)
		if err != nil {
			return ids, pages, err
		}
		pages++
		for _, lb := range lbs {
			ids = append(ids, lb.ID)
		}
		if resp.Links == nil || resp.Links.IsLastPage() {
			if resp.Meta.Total != len(ids) {
				err = fmt.Errorf("total %d, got %d", resp.Meta.Total, len(ids))
			}
			return ids, pages, err
		}
		page, err := resp.Links.CurrentPage()
		if err != nil {
			return ids, pages, err
		}
		opt.Page = page + 1
	}
}

func TestDigitalOceanPages(t *testing.T) {
	d, client := newTestCloud(t)
	for _, tc := range []struct{ have, size, pages int }{{0, 20, 1}, {20, 20, 1}, {21, 0, 2}, {401, 500, 3}} {
		for i := len(d.LoadBalancers()); i < tc.have; i++ {
			d.PutLoadBalancer(LoadBalancer{ID: fmt.Sprint("id-", i), Name: fmt.Sprint("lb-", i), IP: "192.0.2.1"})
		}
		ids, pages, err := listAll(t.Context(), client, tc.size)
		noError(t, err)
		equal(t, fmt.Sprint(tc), []int{len(ids), pages}, []int{tc.have, tc.pages})
	}
}

func TestDigitalOceanLifeOfABalancer(t *testing.T) {
	d, client := newTestCloud(t)
	ctx := t.Context()
	d.SetPool(0, netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.77"))
	made, resp, err := client.LoadBalancers.Create(ctx, &godo.LoadBalancerRequest{Name: "k8s-main", Region: "fra1", Tags: []string{"k8s"}})
	noError(t, err)
	equal(t, "created", []any{resp.StatusCode, made.Status, made.IP}, []any{202, "new", ""})
	got, _, err := client.LoadBalancers.Get(ctx, made.ID)
	noError(t, err)
	equal(t, "active", []any{got.Name, got.Status, got.IP, got.Type, got.Network, got.NetworkStack, got.Region.Slug, got.Tags},
		[]any{"k8s-main", "active", "192.0.2.10", "REGIONAL_NETWORK", "EXTERNAL", "IPV4", "fra1", []string{"k8s"}})
	if _, err := time.Parse(time.RFC3339, got.Created); err != nil {
		t.Errorf("created_at: %v", err)
	}
	resp, err = client.LoadBalancers.Delete(ctx, made.ID)
	noError(t, err)
	equal(t, "deleted", resp.StatusCode, 204)
	_, resp, err = client.LoadBalancers.Get(ctx, made.ID)
	equal(t, "gone", []any{resp.StatusCode, err != nil}, []any{404, true})
	again, _, err := client.LoadBalancers.Create(ctx, &godo.LoadBalancerRequest{Name: "k8s-main"})
	noError(t, err)
	equal(t, "another id", again.ID != made.ID, true)
	equal(t, "another address", d.LoadBalancers()[0].IP, "192.0.2.77")
	_, _, err = client.LoadBalancers.Create(ctx, &godo.LoadBalancerRequest{Name: "stranger"})
	noError(t, err)
	equal(t, "the old address goes to a stranger", d.LoadBalancers()[1].IP, "192.0.2.10")
}

func TestDigitalOceanPoolWaits(t *testing.T) {
	d, client := newTestCloud(t)
	d.SetPool(time.Hour, netip.MustParseAddr("192.0.2.10"))
	_, _, err := client.LoadBalancers.Create(t.Context(), &godo.LoadBalancerRequest{Name: "a"})
	noError(t, err)
	equal(t, "still new", d.LoadBalancers()[0].Status, "new")
	d.SetPool(0, netip.MustParseAddr("192.0.2.10"))
	equal(t, "active", d.LoadBalancers()[0].Status, "active")
}

func TestDigitalOceanRefusals(t *testing.T) {
	d, client := newTestCloud(t)
	d.PutLoadBalancer(LoadBalancer{ID: "a", Name: "a", IP: "192.0.2.1"})
	status := func(c *godo.Client) (int, string) {
		_, _, err := c.LoadBalancers.List(t.Context(), nil)
		var apiErr *godo.ErrorResponse
		var arg *godo.ArgError
		switch {
		case err == nil:
			return 200, ""
		case errors.As(err, &apiErr):
			return apiErr.Response.StatusCode, apiErr.Message
		case errors.As(err, &arg):
			return -1, arg.Error()
		}
		return 0, "broken"
	}
	check := func(what string, c *godo.Client, code int, message string) {
		t.Helper()
		gotCode, gotMessage := status(c)
		equal(t, what, []any{gotCode, gotMessage}, []any{code, message})
	}
	check("well", client, 200, "")
	check("wrong token", godoClient(t, d, "wrong"), 401, "Unable to authenticate you")
	d.SetScope("/v2/load_balancers", false)
	check("no scope", client, 403, "You are not authorized to perform this operation")
	d.SetScope("/v2/load_balancers", true)
	d.SetQuota(1)
	_, resp, err := client.LoadBalancers.List(t.Context(), nil)
	noError(t, err)
	equal(t, "limits in headers", []int{resp.Rate.Limit, resp.Rate.Remaining}, []int{5000, 0})
	check("too many", client, 429, "API Rate limit exceeded.")
	d.SetQuota(100)
	d.SetFault(DOError(503, "service_unavailable", "down"))
	check("failing", client, 503, "down")
	d.SetFault(d.Half)
	check("half an answer", client, 0, "broken")
	d.SetFault(nil)
	d.SetToken("new")
	check("token rotated", client, 401, "Unable to authenticate you")
}

func TestDigitalOceanRecords(t *testing.T) {
	d, client := newTestCloud(t)
	d.SetRecords("shop.example.", DomainRecord{Type: "A", Name: "@", Data: "192.0.2.10", TTL: 3600}, DomainRecord{Type: "A", Name: "*", Data: "192.0.2.10", TTL: 3600}, DomainRecord{Type: "NS", Name: "@", Data: "ns1.shop.example."})
	all, _, err := client.Domains.Records(t.Context(), "shop.example", nil)
	noError(t, err)
	equal(t, "all", len(all), 3)
	apex, _, err := client.Domains.RecordsByTypeAndName(t.Context(), "shop.example", "A", "shop.example", nil)
	noError(t, err)
	equal(t, "by type and name", []any{len(apex), apex[0].Name, apex[0].ID}, []any{1, "@", 21})
	wild, _, err := client.Domains.RecordsByName(t.Context(), "shop.example", "*.shop.example", nil)
	noError(t, err)
	edited, _, err := client.Domains.EditRecord(t.Context(), "shop.example", wild[0].ID, &godo.DomainRecordEditRequest{Data: "192.0.2.77"})
	noError(t, err)
	equal(t, "edited", []any{edited.Data, edited.TTL, edited.Name}, []any{"192.0.2.77", 3600, "*"})
	one, _, err := client.Domains.Record(t.Context(), "shop.example", 22)
	noError(t, err)
	equal(t, "read back", one.Data, "192.0.2.77")
	_, resp, err := client.Domains.Records(t.Context(), "other.example", nil)
	equal(t, "another's zone", []any{resp.StatusCode, err != nil}, []any{404, true})
}
