package world

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Answer is what a server said about the addresses of one name.
type Answer struct {
	Addresses []netip.Addr
	// TTL is the smallest in the answer, in seconds; Asked and At are the moments
	// before the question and after the answer.
	TTL       uint32
	Asked, At time.Time
}

// Ask asks a server for the A records of a name, with recursion desired.
func Ask(ctx context.Context, server netip.Addr, name string) (Answer, error) {
	a := Answer{Asked: time.Now()}
	reply, err := exchange(ctx, server, name, dns.TypeA)
	a.At = time.Now()
	if err != nil {
		return a, err
	}
	for _, rr := range reply.Answer {
		if ttl := rr.Header().Ttl; a.TTL == 0 || ttl < a.TTL {
			a.TTL = ttl
		}
		if rec, ok := rr.(*dns.A); ok {
			addr, _ := netip.AddrFromSlice(rec.A.To4())
			a.Addresses = append(a.Addresses, addr)
		}
	}
	slices.SortFunc(a.Addresses, netip.Addr.Compare)
	return a, nil
}

// Serial asks a server for the serial of a zone that it is an authority for.
func Serial(ctx context.Context, server netip.Addr, zone string) (uint32, error) {
	reply, err := exchange(ctx, server, zone, dns.TypeSOA)
	if err != nil {
		return 0, err
	}
	for _, rr := range reply.Answer {
		if soa, ok := rr.(*dns.SOA); ok && reply.Authoritative {
			return soa.Serial, nil
		}
	}
	return 0, fmt.Errorf("%s, %s: %w", server, zone, errNoSOA)
}

func exchange(ctx context.Context, server netip.Addr, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	reply, _, err := new(dns.Client).ExchangeContext(ctx, question, netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s %s: %w", server, name, dns.TypeToString[kind], err)
	}
	if reply.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("%s says %s for %s: %w", server, dns.RcodeToString[reply.Rcode], name, errRcode)
	}
	return reply, nil
}

var (
	// errRcode is a well-formed answer that reports a failure.
	errRcode = errors.New("the answer is an error")
	errNoSOA = errors.New("it is no authority for the zone")
)
