package digitalocean

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"

	"driftprobe/lbcheck"
)

// maxRecords bounds the records kept of one zone.
const maxRecords = 5000

// ObserveZone returns the address records of a zone ("shop.example") that this account
// hosts. Failure says why there are none: 403 if the token may not read domains, 404
// if the zone is not in this account.
// https://docs.digitalocean.com/reference/api/reference/domain-records/
func (a *Account) ObserveZone(ctx context.Context, zone string) lbcheck.HostedZone {
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	o := lbcheck.HostedZone{Provider: a.complete.Provider, Zone: zone, At: a.now().UTC()}
	if !zoneName(zone) {
		o.Failure = "it is not the name of a zone"
		return o
	}
	token, failure := a.readToken()
	if failure == nil {
		failure = a.ask(ctx, token, func(ctx context.Context, client *godo.Client) error {
			read := func(ctx context.Context, p *godo.ListOptions) ([]godo.DomainRecord, *godo.Response, error) {
				return client.Domains.Records(ctx, zone, p)
			}
			all, err := pages(ctx, read, func(r godo.DomainRecord) string {
				if r.ID <= 0 {
					return ""
				}
				return strconv.Itoa(r.ID)
			})
			for _, r := range all {
				take(&o, r)
			}
			return err
		})
	}
	if failure != nil {
		o.Failure, o.Servers, o.Records = failure.what, nil, nil
	}
	slices.Sort(o.Servers)
	slices.SortStableFunc(o.Records, func(a, b lbcheck.HostedRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
	return o
}

// take keeps a record if it is one of an address, or names a server of the zone.
func take(o *lbcheck.HostedZone, r godo.DomainRecord) {
	name := strings.ToLower(r.Name) + "." + o.Zone
	if r.Name == "@" {
		name = o.Zone
	}
	switch r.Type {
	case "NS":
		if name == o.Zone && len(o.Servers) < maxRecords {
			o.Servers = append(o.Servers, strings.ToLower(strings.TrimSuffix(r.Data, ".")))
		}
	case "A", "AAAA":
		addr, err := netip.ParseAddr(r.Data)
		if err != nil || addr.Is4() != (r.Type == "A") || len(o.Records) == maxRecords {
			return
		}
		o.Records = append(o.Records, lbcheck.HostedRecord{
			ID: r.ID, Name: name, Type: r.Type, Address: addr.WithZone(""), TTL: uint32(min(max(r.TTL, 0), 1<<31-1)),
		})
	}
}

// zoneName keeps anything out of the request's path that is no plain name.
func zoneName(zone string) bool {
	for _, b := range []byte(zone) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '.' && b != '_' {
			return false
		}
	}
	return zone != "" && len(zone) <= 253 && !strings.Contains(zone, "..") && zone[0] != '.'
}
