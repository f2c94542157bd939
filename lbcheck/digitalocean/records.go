package digitalocean

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// Record is one record of a zone that DigitalOcean hosts.
type Record struct {
	// ID is what `doctl compute domain records update` wants.
	ID int
	// Type is the DNS type: "A", "AAAA", "CNAME".
	Type string
	// Name is the full name in lower case, without final dot.
	Name string
	// Data is an address, or a name as the API writes it.
	Data string
	TTL  time.Duration
}

// Records returns all records of a zone ("shop.example"), sorted by name, type
// and id. The error is an *Error: 403 if the token may not read domains, 404 if
// the zone is not in this account.
// https://docs.digitalocean.com/reference/api/reference/domains/
func (a *Account) Records(ctx context.Context, zone string) ([]Record, error) {
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	if !zoneName(zone) {
		return nil, &Error{what: fmt.Sprintf("%q is not the name of a zone", line(zone)), hint: "name a zone such as shop.example"}
	}
	var list []Record
	failure := a.ask(ctx, func(ctx context.Context, client *godo.Client) error {
		read := func(ctx context.Context, o *godo.ListOptions) ([]godo.DomainRecord, *godo.Response, error) {
			return client.Domains.Records(ctx, zone, o)
		}
		all, err := pages(ctx, read, func(r godo.DomainRecord) string {
			if r.ID <= 0 {
				return ""
			}
			return strconv.Itoa(r.ID)
		})
		for _, r := range all {
			list = append(list, record(zone, r))
		}
		return err
	})
	if failure != nil {
		return nil, failure
	}
	slices.SortFunc(list, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func record(zone string, r godo.DomainRecord) Record {
	name := strings.ToLower(r.Name) + "." + zone
	if r.Name == "@" {
		name = zone
	}
	return Record{ID: r.ID, Type: r.Type, Name: name, Data: r.Data, TTL: time.Duration(max(r.TTL, 0)) * time.Second}
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
