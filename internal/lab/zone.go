package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

type rrsetKey struct {
	name   string // canonical: lower case with the final dot
	rrtype uint16
}

// Zone is an immutable DNS zone: live changes are made with With and Without and
// handed to the server by SetZone.
type Zone struct {
	apex string
	sets map[rrsetKey][]dns.RR
	// nodes holds every name that exists: owners and the empty non-terminals
	// above them (RFC 4592 §2.2.2).
	nodes map[string]bool
}

// NewZone parses zone-file text (RFC 1035 §5.1). The owner of its one SOA is the
// apex; names are absolute unless the text has an $ORIGIN. Records outside the
// apex are an error: a server would have to invent how to serve them.
func NewZone(text string) (*Zone, error) {
	rrs, err := parseRecords(text, ".")
	if err != nil {
		return nil, err
	}
	return zoneOf(rrs)
}

// parseRecords reads zone-file text with relative names under origin.
func parseRecords(text, origin string) ([]dns.RR, error) {
	var rrs []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), dns.Fqdn(origin), "")
	parser.SetDefaultTTL(3600)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		rrs = append(rrs, rr)
	}
	if err := parser.Err(); err != nil {
		return nil, fmt.Errorf("parse zone text: %w", err)
	}
	return rrs, nil
}

func zoneOf(rrs []dns.RR) (*Zone, error) {
	z := &Zone{sets: map[rrsetKey][]dns.RR{}}
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeSOA {
			continue
		}
		if z.apex != "" {
			return nil, fmt.Errorf("zone %s: a second SOA at %s", z.apex, rr.Header().Name)
		}
		z.apex = dns.CanonicalName(rr.Header().Name)
	}
	if z.apex == "" {
		return nil, fmt.Errorf("zone text has no SOA, so no apex")
	}
	for _, rr := range rrs {
		key := keyOf(rr)
		if !dns.IsSubDomain(z.apex, key.name) {
			return nil, fmt.Errorf("zone %s: %s is outside it", z.apex, key.name)
		}
		z.sets[key] = append(z.sets[key], rr)
	}
	z.index()
	return z, nil
}

func keyOf(rr dns.RR) rrsetKey {
	return rrsetKey{dns.CanonicalName(rr.Header().Name), rr.Header().Rrtype}
}

// index computes the names that exist from the RRsets.
func (z *Zone) index() {
	z.nodes = map[string]bool{z.apex: true}
	for key := range z.sets {
		for name := key.name; name != z.apex && !z.nodes[name]; name = parentOf(name) {
			z.nodes[name] = true
		}
	}
}

// parentOf drops the first label; the parent of the root is the root.
func parentOf(name string) string {
	if next, end := dns.NextLabel(name, 0); !end {
		return name[next:]
	}
	return "."
}

// Apex is the zone's name, lower case, with the final dot.
func (z *Zone) Apex() string { return z.apex }

// Records returns a copy of the RRset as it stands in the zone: no wildcard, no
// CNAME is followed. nil when there is none.
func (z *Zone) Records(name string, rrtype uint16) []dns.RR {
	return copyRRs(z.sets[rrsetKey{dns.CanonicalName(name), rrtype}])
}

// All returns a copy of all records, sorted by their text.
func (z *Zone) All() []dns.RR {
	var rrs []dns.RR
	for _, set := range z.sets {
		rrs = append(rrs, copyRRs(set)...)
	}
	slices.SortFunc(rrs, func(a, b dns.RR) int { return strings.Compare(a.String(), b.String()) })
	return rrs
}

// With returns a zone in which each RRset of text stands instead of the one of
// the same owner and type. Names are relative to the apex.
func (z *Zone) With(text string) (*Zone, error) {
	rrs, err := parseRecords(text, z.apex)
	if err != nil {
		return nil, err
	}
	replaced := map[rrsetKey]bool{}
	for _, rr := range rrs {
		replaced[keyOf(rr)] = true
	}
	for key, set := range z.sets {
		if !replaced[key] {
			rrs = append(rrs, set...)
		}
	}
	return zoneOf(rrs)
}

// Without returns a zone without that RRset; with dns.TypeANY, without any
// record of that owner. A zone never loses its SOA.
func (z *Zone) Without(name string, rrtype uint16) *Zone {
	name = dns.CanonicalName(name)
	out := &Zone{apex: z.apex, sets: map[rrsetKey][]dns.RR{}}
	for key, set := range z.sets {
		match := key.name == name && (rrtype == dns.TypeANY || rrtype == key.rrtype)
		if !match || key.rrtype == dns.TypeSOA {
			out.sets[key] = set
		}
	}
	out.index()
	return out
}

func copyRRs(rrs []dns.RR) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		out = append(out, dns.Copy(rr))
	}
	return out
}
