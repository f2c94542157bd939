package dnscheck

import (
	"context"
	"net/netip"
	"time"
)

// way is how a question is put, where the way itself is what is looked at.
type way int

const (
	withEDNS way = iota // over UDP, and nothing else
	withoutEDNS
	byTCP // without EDNS, so that it shows TCP alone
)

// askBy puts a question to an authoritative server in one way alone. The answer may
// be truncated.
func (w *walk) askBy(ctx context.Context, server Server, q question, how way) reply {
	if why, ok := w.mayAsk(server.Address); !ok {
		return why
	}
	return w.r.wire.askBy(ctx, server.Address, q, how)
}

// askBy is ask without its other ways. A third of the time that is left goes into
// UDP, so that there is some for another way.
func (x *exchanger) askBy(ctx context.Context, server netip.AddrPort, q question, how way) reply {
	server = netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	if err := x.servers.turn(ctx, server, x.least); err != nil && ctx.Err() == nil {
		return reply{outcome: unasked, detail: err.Error()}
	}
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
	}
	deadline, _ := ctx.Deadline()
	if ctx.Err() != nil || time.Until(deadline) < x.least {
		return reply{outcome: unasked, detail: outOfTime(ctx)}
	}
	var r reply
	if how == byTCP {
		r = x.askTCP(ctx, server, q, false)
	} else {
		soon, cancel := third(ctx)
		defer cancel()
		r = x.overUDP(soon, server, q, how == withEDNS)
	}
	if r.msg == nil && ctx.Err() == context.Canceled {
		r.outcome, r.detail = unasked, outOfTime(ctx)
	}
	return r
}
