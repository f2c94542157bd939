package dnscheck

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Hold is an address that a resolver gave from its cache.
type Hold struct {
	Resolver string
	Address  netip.Addr
	// As is the IPv6 address that the resolver gave, if it made that of Address (DNS64);
	// else the zero value.
	As netip.Addr
	// At is when it gave the address. It goes on until Until, and then reads anew what
	// has changed; unless Expired is set: then it serves what has expired (RFC 8767),
	// and nobody knows for how long.
	At, Until time.Time
	Expired   bool
	// Filtered is set when the resolver says itself that the answer is not the zone's
	// (RFC 8914 §4.5, §4.16-4.18), or when the address is unspecified (0.0.0.0).
	Filtered bool
}

// Held returns every address that the configured resolvers gave, once a resolver,
// ordered by resolver and address. seen are the host's sightings.
func Held(o Observation, seen []Sighting) []Hold {
	var holds []Hold
	for _, r := range o.Resolvers {
		if r.Outcome != OK {
			continue
		}
		for _, a := range r.Addresses {
			h := Hold{Resolver: resolverName(r.Resolver), Address: a, At: r.At, Expired: r.EDE == dns.ExtendedErrorCodeStaleAnswer,
				Filtered: saysFiltered(r.EDE) || a.IsUnspecified()}
			if four, made := synthesised(o, seen, a); made {
				if !four.IsValid() {
					continue
				}
				h.Address, h.As = four, a
			}
			h.Until = o.untilReadAnew(r, Link{Type: string(typeFor(h.Address)), Value: h.Address.String()})
			holds = append(holds, h)
		}
	}
	slices.SortStableFunc(holds, func(a, b Hold) int {
		// Of two ways to one address the longer counts, then the address itself.
		return cmp.Or(cmp.Compare(a.Resolver, b.Resolver), a.Address.Compare(b.Address), b.Until.Compare(a.Until), a.As.Compare(b.As))
	})
	return slices.CompactFunc(holds, func(a, b Hold) bool { return a.Resolver == b.Resolver && a.Address == b.Address })
}

// untilReadAnew is until when a resolver gives the answer that ends at end. It reads
// each record of the chain anew when its TTL is over; what authority still publishes
// leads to the same then. So of the records that authority has changed, the one that
// expires first counts.
func (o *Observation) untilReadAnew(r ResolverAnswer, end Link) time.Time {
	left, changed := r.TTL, false
	for i, l := range r.Chain {
		if i == len(r.Chain)-1 {
			l.Type, l.Value = end.Type, end.Value
		}
		step, known := o.step(l.Owner)
		if spoke, _ := step.answers(r.Type); !known || !spoke || o.publishes(l) {
			continue
		}
		if !changed || l.TTL < left {
			left, changed = l.TTL, true
		}
	}
	return r.At.Add(seconds(left))
}
