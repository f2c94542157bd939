package digitalocean

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/digitalocean/godo"

	"driftprobe/lbcheck"
)

const (
	perPage  = 200 // the most that the API gives
	maxPages = 100
)

// Faults of an answer that was understood as JSON.
var (
	errTooLong  = errors.New("the list has no end")
	errMoved    = errors.New("the list changed while it was read")
	errNoList   = errors.New("the answer is no list")
	errTooLarge = errors.New("the answer is too large")
)

// listBalancers reads all pages. Pages are numbered, so a balancer that is
// deleted meanwhile shifts another out of sight: the total tells, and then the
// list is read once more.
// https://docs.digitalocean.com/reference/api/reference/load-balancers/
func listBalancers(ctx context.Context, client *godo.Client) ([]lbcheck.Balancer, error) {
	read := func(ctx context.Context, o *godo.ListOptions) ([]godo.LoadBalancer, *godo.Response, error) {
		return client.LoadBalancers.List(ctx, o)
	}
	all, err := pages(ctx, read, func(b godo.LoadBalancer) string { return b.ID })
	if errors.Is(err, errMoved) {
		all, err = pages(ctx, read, func(b godo.LoadBalancer) string { return b.ID })
	}
	if err != nil {
		return nil, err
	}
	list := make([]lbcheck.Balancer, 0, len(all))
	for _, b := range all {
		list = append(list, balancer(b))
	}
	slices.SortStableFunc(list, byID)
	return list, nil
}

func byID(a, b lbcheck.Balancer) int { return cmp.Compare(a.ID, b.ID) }

// oneBalancer asks for a balancer by its id, which comes from an annotation: it must
// not lead to another place of the API.
func oneBalancer(ctx context.Context, client *godo.Client, id string) (lbcheck.Balancer, error) {
	if !plainID(id) {
		return lbcheck.Balancer{}, errNoList
	}
	b, _, err := client.LoadBalancers.Get(ctx, id)
	if err != nil {
		return lbcheck.Balancer{}, err
	}
	if b == nil || b.ID != id {
		return lbcheck.Balancer{}, errNoList
	}
	return balancer(*b), nil
}

// plainID takes letters, digits and dashes: a UUID has no others.
func plainID(id string) bool {
	for _, b := range []byte(id) {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// pages reads a list to its end, or fails: half a list is of no use.
func pages[T any](ctx context.Context, read func(context.Context, *godo.ListOptions) ([]T, *godo.Response, error), id func(T) string) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for page := 1; page <= maxPages; page++ {
		part, resp, err := read(ctx, &godo.ListOptions{Page: page, PerPage: perPage})
		if err != nil {
			return nil, err
		}
		for _, item := range part {
			if id(item) == "" {
				return nil, errNoList
			}
			if seen[id(item)] {
				return nil, errMoved
			}
			seen[id(item)] = true
			all = append(all, item)
		}
		if resp.Links != nil && !resp.Links.IsLastPage() {
			continue
		}
		switch {
		case resp.Meta == nil && len(all) == 0:
			return nil, errNoList // "{}" of some proxy is not an empty account
		case resp.Meta != nil && resp.Meta.Total != len(all):
			return nil, errMoved
		}
		return all, nil
	}
	return nil, errTooLong
}

func balancer(b godo.LoadBalancer) lbcheck.Balancer {
	out := lbcheck.Balancer{
		ID: b.ID, Name: b.Name, Status: b.Status, Tags: append([]string(nil), b.Tags...),
		Internal: b.Network == godo.LoadBalancerNetworkTypeInternal,
	}
	if b.Region != nil {
		out.Region = b.Region.Slug
	}
	if at, err := time.Parse(time.RFC3339, b.Created); err == nil {
		out.Created = at.UTC()
	}
	if out.Internal {
		return out // its address is one of the VPC, not public
	}
	// "ip" is empty while the balancer is new.
	for _, text := range []string{b.IP, b.IPv6} {
		if a, err := netip.ParseAddr(text); err == nil {
			out.Addresses = append(out.Addresses, a.WithZone("").Unmap())
		}
	}
	slices.SortFunc(out.Addresses, netip.Addr.Compare)
	out.Addresses = slices.Compact(out.Addresses)
	return out
}
