package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// Policy is what the operator accepts.
type Policy struct {
	// MaxTTL is the longest TTL accepted on the way to a load balancer; 0 accepts
	// any.
	MaxTTL time.Duration
	// Special tells the purpose of a special-purpose address that this name must
	// not publish, "" for others; nil accepts any (a private tree).
	Special func(netip.Addr) string
}

// Case is all that is known about one host, for Judge.
type Case struct {
	Expected inventory.Expected
	Observed Observation
	// Seen are the host's sightings (History.Of).
	Seen []Sighting
	// Strangers is what the probe met at published addresses that are not expected.
	Strangers map[netip.Addr]Stranger
}

// Stranger is what answers at an address that is not expected.
type Stranger struct {
	// Valid: it presents a certificate that is valid for the host.
	Valid bool
	// Text says what was met, as half a sentence: "connection refused".
	Text string
	// Owner names the load balancer of the account that has the address; empty if
	// none has, or if that is not known.
	Owner string
}

// Judge compares what is published for one host with what is expected. It is
// pure. Findings about a server or resolver carry no host, so that a caller who
// judges many hosts of one zone can drop the repetitions by finding.ID.
func Judge(p Policy, now time.Time, c Case) []finding.Finding {
	var fs []finding.Finding
	fs = append(fs, judgeServers(c)...)
	if !c.speaks() {
		return append(fs, judgeSilence(now, c)...)
	}
	fs = append(fs, judgeConsistency(c)...)
	if none := judgeAbsence(now, c); none != nil {
		fs = append(fs, *none)
	} else {
		fs = append(fs, judgeAddresses(p, now, c)...)
	}
	fs = append(fs, judgeCaches(now, c)...)
	finding.Sort(fs)
	return fs
}

// speaks tells whether any authority said something usable about the name, its
// parent's denial included.
func (c Case) speaks() bool {
	for _, s := range c.Observed.Steps {
		if s.Failure.Outcome == NoName {
			return true
		}
		for _, a := range s.Answers {
			if a.Outcome.Speaks() {
				return true
			}
		}
	}
	return false
}

// judgeAddresses compares the published set with the expected one.
func judgeAddresses(p Policy, now time.Time, c Case) []finding.Finding {
	var fs []finding.Finding
	published := c.Observed.Published()
	for _, addr := range published {
		switch {
		case c.Expected.Known && !c.Expected.Accepts(addr):
			fs = append(fs, stale(now, c, addr))
		case p.Special != nil && p.Special(addr) != "" && !c.Expected.Has(addr):
			fs = append(fs, special(p, c, addr))
		}
	}
	if !c.Expected.Known {
		return fs
	}
	for _, want := range c.Expected.Addresses {
		if !slices.Contains(published, want) && !c.covered(want, published) {
			fs = append(fs, missing(c, want, published))
		}
	}
	if f := ttlExposure(p, c); f != nil {
		fs = append(fs, *f)
	}
	return fs
}

// covered tells whether another accepted way stands in for the address: a name
// that is published in an allowed range (a CDN) need not publish the balancer.
func (c Case) covered(want netip.Addr, published []netip.Addr) bool {
	return slices.ContainsFunc(published, func(a netip.Addr) bool {
		return a.Is4() == want.Is4() && c.Expected.Allowed(a)
	})
}

func stale(now time.Time, c Case, addr netip.Addr) finding.Finding {
	at := c.Observed.where(addr)
	rec := at.record(wanted(c, addr))
	f := finding.Finding{
		Code: finding.DNSStaleRecord, Severity: finding.Critical,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: addr.String()},
		Summary:  fmt.Sprintf("%s publishes %s, which is no address of its load balancer", c.Observed.Host, addr),
		Expected: expectedText(c.Expected, addr),
		SeenAt:   at.servers,
		Record:   &rec,
		ClearBy:  now.Add(seconds(rec.TTL)),
	}
	others := len(c.Observed.family(addr)) - 1
	f.Observed = fmt.Sprintf("%s on %d of %d authoritative servers of %s", addr, len(at.servers), at.asked, rec.Zone)
	if others > 0 {
		f.Observed += fmt.Sprintf(", beside %s", finding.Count(others, "other address", "other addresses"))
	}
	if s, ok := c.Strangers[addr]; ok {
		if s.Valid {
			f.Severity = finding.Warning
		}
		f.Observed += "; there: " + s.Text
	}
	f.Hint = "set " + recordText(rec)
	if len(rec.Values) == 0 {
		f.Hint = fmt.Sprintf("delete %s %s %s: the load balancer has no address of this family", rec.Owner, rec.Type, addr)
	}
	return f
}

func missing(c Case, want netip.Addr, published []netip.Addr) finding.Finding {
	owner, zone, ttl := c.Observed.final(typeFor(want))
	rec := finding.Record{Zone: zone, Owner: owner, Type: string(typeFor(want)), Values: wanted(c, want), TTL: ttl}
	f := finding.Finding{
		Code: finding.DNSMissingRecord, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: want.String()},
		Summary:  fmt.Sprintf("%s does not publish %s, an address of its load balancer", c.Observed.Host, want),
		Expected: expectedText(c.Expected, want),
		Observed: "published: " + addrList(published),
		Hint:     "set " + recordText(rec),
		SeenAt:   c.Observed.speakers(),
		Record:   &rec,
	}
	if want.Is6() && !slices.ContainsFunc(published, netip.Addr.Is6) {
		f.Severity = finding.Info
		f.Hint += ", if clients shall come over IPv6"
	}
	return f
}

func special(p Policy, c Case, addr netip.Addr) finding.Finding {
	at := c.Observed.where(addr)
	rec := at.record(nil)
	rec.Values = []string{addr.String()}
	return finding.Finding{
		Code: finding.DNSSpecialAddress, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: addr.String()},
		Summary:  fmt.Sprintf("%s publishes the %s address %s; it was not connected to", c.Observed.Host, p.Special(addr), addr),
		Expected: "an address of the public Internet",
		Observed: fmt.Sprintf("%s on %d of %d authoritative servers of %s", addr, len(at.servers), at.asked, rec.Zone),
		Hint:     "publish the public address; if this one is meant, pin it (targets[].addresses) or allow it (probe.allow_addresses)",
		SeenAt:   at.servers,
		Record:   &rec,
	}
}

// ttlExposure finds the record with the largest TTL on a way to an address of the
// load balancer.
func ttlExposure(p Policy, c Case) *finding.Finding {
	if p.MaxTTL <= 0 {
		return nil
	}
	var worst Link
	for addr, path := range c.Observed.paths() {
		if !c.Expected.Has(addr) {
			continue
		}
		for _, l := range path {
			if l.TTL > worst.TTL || l.TTL == worst.TTL && l.Owner+l.Type+l.Value < worst.Owner+worst.Type+worst.Value {
				worst = l
			}
		}
	}
	if seconds(worst.TTL) <= p.MaxTTL {
		return nil
	}
	step, _ := c.Observed.step(worst.Owner)
	rec := finding.Record{Zone: step.Zone, Owner: step.owner(Type(worst.Type)), Type: worst.Type, Values: []string{worst.Value}, TTL: worst.TTL}
	return &finding.Finding{
		Code: finding.DNSTTLExposure, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("if the load balancer of %s were replaced now, clients would fail for up to %s after the record is corrected", c.Observed.Host, finding.Span(seconds(worst.TTL))),
		Expected: fmt.Sprintf("a TTL of at most %d s", int64(p.MaxTTL/time.Second)),
		Observed: fmt.Sprintf("%s %s with TTL %d s", rec.Owner, rec.Type, rec.TTL),
		Hint:     fmt.Sprintf("lower the TTL of %s %s in zone %s to %d", rec.Owner, rec.Type, rec.Zone, int64(p.MaxTTL/time.Second)),
		SeenAt:   c.Observed.speakers(),
		Record:   &rec,
	}
}

// wanted are the values that the RRset should have: the load balancer's addresses
// of that family, and what is published in an allowed range.
func wanted(c Case, like netip.Addr) []string {
	var values []string
	for _, a := range c.Expected.Addresses {
		if a.Is4() == like.Is4() {
			values = append(values, a.String())
		}
	}
	for _, a := range c.Observed.family(like) {
		if c.Expected.Allowed(a) && !slices.Contains(values, a.String()) {
			values = append(values, a.String())
		}
	}
	slices.Sort(values)
	return values
}

func expectedText(e inventory.Expected, like netip.Addr) string {
	var same []netip.Addr
	for _, a := range e.Addresses {
		if a.Is4() == like.Is4() {
			same = append(same, a)
		}
	}
	text := "no " + string(typeFor(like)) + " record"
	if len(same) > 0 {
		text = addrList(same)
	}
	if name := e.Service.String(); name != "" {
		text += " (" + name + ")"
	}
	return text
}

func recordText(r finding.Record) string {
	return fmt.Sprintf("%s %s %s (zone %s)", r.Owner, r.Type, strings.Join(r.Values, ", "), r.Zone)
}
