package digitalocean

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/lbcheck"
)

func TestAddressRecordsOfAZone(t *testing.T) {
	d := newAPI(t)
	d.SetRecords("shop.example",
		lab.DomainRecord{ID: 22, Type: "A", Name: "*", Data: "203.0.113.10", TTL: 3600},
		lab.DomainRecord{ID: 21, Type: "A", Name: "@", Data: "203.0.113.10", TTL: 3600},
		lab.DomainRecord{ID: 23, Type: "CNAME", Name: "WWW", Data: "@", TTL: 300},
		lab.DomainRecord{ID: 20, Type: "A", Name: "@", Data: "203.0.113.11", TTL: -1},
		lab.DomainRecord{ID: 24, Type: "AAAA", Name: "WWW", Data: "2001:db8::10", TTL: 300},
		lab.DomainRecord{ID: 25, Type: "A", Name: "odd", Data: "2001:db8::10", TTL: 300},
		lab.DomainRecord{ID: 26, Type: "NS", Name: "@", Data: "NS2.example.com.", TTL: 1800},
		lab.DomainRecord{ID: 27, Type: "NS", Name: "@", Data: "ns1.example.com", TTL: 1800},
		lab.DomainRecord{ID: 28, Type: "NS", Name: "sub", Data: "ns9.example.com", TTL: 1800},
	)
	a := newAccount(t, Settings{APIURL: d.URL()})
	before := time.Now()
	got := a.ObserveZone(t.Context(), "Shop.Example.")
	if got.At.Before(before) || got.At.After(time.Now()) {
		t.Errorf("at %s", got.At)
	}
	got.At = time.Time{}
	four, six := netip.MustParseAddr("203.0.113.10"), netip.MustParseAddr("2001:db8::10")
	want := lbcheck.HostedZone{
		Provider: "DigitalOcean", Zone: "shop.example", Servers: []string{"ns1.example.com", "ns2.example.com"},
		Records: []lbcheck.HostedRecord{
			{ID: 22, Name: "*.shop.example", Type: "A", Address: four, TTL: 3600},
			{ID: 20, Name: "shop.example", Type: "A", Address: netip.MustParseAddr("203.0.113.11")},
			{ID: 21, Name: "shop.example", Type: "A", Address: four, TTL: 3600},
			{ID: 24, Name: "www.shop.example", Type: "AAAA", Address: six, TTL: 300},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if n := d.Requests.Len(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	d := newAPI(t)
	d.SetRecords("shop.example", lab.DomainRecord{Type: "A", Name: "@", Data: "203.0.113.10"})
	d.SetScope("/v2/domains", false)
	a := newAccount(t, Settings{APIURL: d.URL()})
	for _, test := range []struct{ rule, zone, what string }{
		{"the scope is missing", "shop.example", "(403)"},
		{"a path is no zone", "../load_balancers", "not the name of a zone"},
		{"a query is no zone", "shop.example?x=1", "not the name of a zone"},
		{"nothing is no zone", ".", "not the name of a zone"},
	} {
		if got := a.ObserveZone(t.Context(), test.zone); !strings.Contains(got.Failure, test.what) || got.Records != nil {
			t.Errorf("%s: %+v", test.rule, got)
		}
	}
	d.SetScope("/v2/domains", true)
	if got := a.ObserveZone(t.Context(), "other.example"); !strings.Contains(got.Failure, "(404)") {
		t.Errorf("another account's zone: %+v", got)
	}
	// That records may not be read says nothing of balancers.
	if got := a.Observe(t.Context(), nil); got.Failure != "" {
		t.Errorf("%+v", got)
	}
	d.SetFault(lab.HTTPTooMany(time.Minute, "{}"))
	a.ObserveZone(t.Context(), "shop.example")
	before := d.Requests.Len()
	if got := a.ObserveZone(t.Context(), "shop.example"); !strings.Contains(got.Failure, "(429)") || d.Requests.Len() != before {
		t.Errorf("the limit is one for all: %+v", got)
	}
}
