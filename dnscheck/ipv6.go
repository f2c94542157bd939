package dnscheck

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const noIPv6 = "its name servers have only IPv6 addresses, and there is no IPv6 here"

// What is known of IPv6 on this machine, and for how long: that it works, since a
// packet came; or that it does not, since no root server gave a sign of life. The
// first is kept for less than the time between two looks, so that nobody is accused
// when IPv6 ends.
const (
	ipv6Works      = "works"
	keepIPv6Works  = 15 * time.Second
	keepIPv6Broken = time.Minute
	// ipv6Witnesses bounds the root servers that are asked.
	ipv6Witnesses = 3
)

// reaches tells whether this machine has a way to an IPv6 address. Connecting a
// UDP socket sends nothing; it picks the route. A private source address says
// that there is no IPv6 beyond our own network.
func (r *Resolver) reaches(a netip.Addr) bool {
	if works, known := r.ipv6.get(ipv6Works); known && !works && r.beyond(a) {
		return false
	}
	conn, err := net.DialUDP("udp6", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, r.port)))
	if err != nil {
		return false
	}
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	_ = conn.Close() // nothing was sent
	return r.space.Special(a) != "" || r.space.Special(local) == ""
}

// beyond tells whether an IPv6 address lies outside our own network, so that it
// stands for all others there. In a private tree they all do.
func (r *Resolver) beyond(a netip.Addr) bool {
	return a.Unmap().Is6() && (r.private || r.space.Special(a) == "")
}

// wantsIPv6 tells whether IPv6 addresses of servers are of use here.
func (w *walk) wantsIPv6() bool {
	global := netip.MustParseAddr("2001:500:2::c") // c.root-servers.net
	return w.r.private || w.r.reaches(global)
}

// withoutBrokenIPv6 leaves out the failures of IPv6 servers where IPv6 is routed
// and yet leads nowhere, as behind a firewall that knows IPv4 alone: that is our
// own fault, and would accuse every zone. The root servers are the witnesses, and
// are asked only when nothing else was heard over IPv6 just now; at most 3
// questions in 15 s for all observations.
func (w *walk) withoutBrokenIPv6(ctx context.Context, answers []Answer) []Answer {
	failed := func(a Answer) bool {
		return w.r.beyond(a.Server.Address.Addr()) && (a.Outcome == Silent || a.Outcome == Unreachable)
	}
	if !slices.ContainsFunc(answers, failed) || w.ipv6Works(ctx) {
		return answers
	}
	return slices.DeleteFunc(answers, failed)
}

// ipv6Works is true also if it cannot be told.
func (w *walk) ipv6Works(ctx context.Context) bool {
	for ctx.Err() == nil {
		if works, known := w.r.ipv6.get(ipv6Works); known {
			return works
		}
		if leave := w.r.ipv6.lead(ctx, ipv6Works); leave != nil {
			defer leave()
			return w.askWitnesses(ctx)
		}
	}
	return true
}

func (w *walk) askWitnesses(ctx context.Context) bool {
	roots, _ := w.split(w.r.roots, w.r.roots.names)
	roots = slices.DeleteFunc(roots, func(s Server) bool { return !w.r.beyond(s.Address.Addr()) })
	roots = roots[:min(len(roots), ipv6Witnesses)]
	silent := make([]bool, len(roots))
	var asked sync.WaitGroup
	for i, s := range roots {
		w.do(&asked, func() {
			r := w.ask(ctx, s, question{name: ".", qtype: dns.TypeSOA})
			silent[i] = r.outcome == Silent || r.outcome == Unreachable && !r.heard
		})
	}
	asked.Wait()
	if len(roots) == 0 || slices.Contains(silent, false) {
		return true
	}
	w.r.ipv6.put(ipv6Works, false, keepIPv6Broken)
	return false
}
