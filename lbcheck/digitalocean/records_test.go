package digitalocean

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
)

func TestRecordsOfAZone(t *testing.T) {
	d := newAPI(t)
	d.SetRecords("shop.example",
		lab.DomainRecord{ID: 22, Type: "A", Name: "*", Data: "203.0.113.10", TTL: 3600},
		lab.DomainRecord{ID: 21, Type: "A", Name: "@", Data: "203.0.113.10", TTL: 3600},
		lab.DomainRecord{ID: 23, Type: "CNAME", Name: "WWW", Data: "@", TTL: 300},
		lab.DomainRecord{ID: 20, Type: "A", Name: "@", Data: "203.0.113.11", TTL: -1},
	)
	got, err := newAccount(t, Settings{APIURL: d.URL()}).Records(t.Context(), "Shop.Example.")
	want := []Record{
		{22, "A", "*.shop.example", "203.0.113.10", time.Hour},
		{20, "A", "shop.example", "203.0.113.11", 0},
		{21, "A", "shop.example", "203.0.113.10", time.Hour},
		{23, "CNAME", "www.shop.example", "@", 5 * time.Minute},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	d := newAPI(t)
	d.SetRecords("shop.example", lab.DomainRecord{Type: "A", Name: "@"})
	d.SetScope("/v2/domains", false)
	tests := []struct {
		rule, zone, what, hint string
	}{
		{"the scope is missing", "shop.example", "(403)", "domain:read"},
		{"a path is no zone", "../load_balancers", "not the name of a zone", "shop.example"},
		{"a query is no zone", "shop.example?x=1", "not the name of a zone", "shop.example"},
		{"nothing is no zone", ".", "not the name of a zone", "shop.example"},
	}
	a := newAccount(t, Settings{APIURL: d.URL()})
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			_, err := a.Records(t.Context(), test.zone)
			var known *Error
			if !errors.As(err, &known) || !strings.Contains(known.Error(), test.what) || !strings.Contains(known.Hint(), test.hint) {
				t.Errorf("%v", err)
			}
		})
	}
	d.SetScope("/v2/domains", true)
	if _, err := a.Records(t.Context(), "other.example"); err == nil || !strings.Contains(err.Error(), "(404)") {
		t.Errorf("another account's zone: %v", err)
	}
}
