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
	// Seen are the host's sightings (History.Of), and Denied what was denied of it
	// (History.DeniedOf).
	Seen   []Sighting
	Denied []Denial
	// Strangers is what the probe met at published addresses that are not expected. An
	// address that it lacks is one that no probe will look at.
	Strangers map[netip.Addr]Stranger
	// Lossy are the zones to which packets get lost, as Lossy finds them in the looks at
	// all hosts; nil if there is only this one.
	Lossy map[string]Loss
	// Publisher is the cluster object by whose annotations external-dns writes the host's
	// records; zero if there is none.
	Publisher inventory.Declaration
	// Published is what Published finds in the look and its history; nil if Judge is to
	// find it.
	Published []netip.Addr

	// turning are the families whose addresses take turns.
	turning []Type
}

// Stranger is what answers at an address that is not expected.
type Stranger struct {
	// Unseen: no probe has looked yet, so nobody knows what clients meet there.
	Unseen bool
	// Valid: it presents a certificate that is valid for the host.
	Valid bool
	// Text says what was met, as half a sentence: "connection refused".
	Text string
	// Owner says whose the address is, "the load balancer blue"; empty if it is
	// nobody's that is known.
	Owner string
}

// Judge compares what is published for one host with what is expected. It is
// pure. Findings about a server or resolver carry no host, so that a caller who
// judges many hosts of one zone can drop the repetitions by finding.ID.
func Judge(p Policy, now time.Time, c Case) []finding.Finding {
	if c.Published == nil {
		c.Published = Published(c.Observed, c.Seen)
	}
	for _, t := range []Type{A, AAAA} {
		if rotation(c.Seen, t, c.Observed.At) > 0 {
			c.turning = append(c.turning, t)
		}
	}
	if c.Lossy == nil {
		c.Lossy = Lossy(c.Observed)
	}
	published := c.Published
	fs := slices.Concat(judgeServers(&c), judgeConsistency(&c), judgeTTLs(p, &c), judgeSizes(&c))
	none := judgeAbsence(now, &c)
	switch {
	case none != nil:
		fs = append(fs, *none)
	case len(published) == 0:
		fs = append(append(fs, unresolvable(&c)), judgeMissing(&c, published)...)
	default:
		fs = append(append(fs, judgeAddresses(p, now, &c, published)...), judgeWays(now, &c)...)
	}
	if none != nil || len(published) > 0 {
		fs = append(fs, judgeCaches(now, &c)...)
	}
	for i := range fs {
		f := &fs[i]
		f.Summary, f.Expected, f.Observed, f.Hint = clip(f.Summary), clip(f.Expected), clip(f.Observed), clip(f.Hint)
	}
	finding.Sort(fs)
	return fs
}

const (
	// maxText bounds a finding's texts: a name in presentation form can have 1,000
	// bytes, and a hostile zone can give many.
	maxText = 1500
	// maxUnexpected bounds the addresses of one host that are told one by one.
	maxUnexpected = 32
)

// anyOf is slices.ContainsFunc without the copies: an Answer has a quarter of a kilobyte,
// and ten thousand hosts are judged within a second.
func anyOf[E any](all []E, test func(*E) bool) bool {
	for i := range all {
		if test(&all[i]) {
			return true
		}
	}
	return false
}

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " …"
}

// judgeAddresses compares the published set with the expected one.
func judgeAddresses(p Policy, now time.Time, c *Case, published []netip.Addr) []finding.Finding {
	var fs []finding.Finding
	for _, addr := range published {
		switch {
		case c.accepts(addr) || len(fs) == maxUnexpected:
		case c.Expected.Known:
			fs = append(fs, stale(now, c, addr))
		case p.Special != nil && p.Special(addr) != "":
			fs = append(fs, special(p, now, c, addr))
		}
	}
	fs = append(fs, judgeMissing(c, published)...)
	return fs
}

// accepts tells whether the address may be published. Behind a load balancer that
// is known by a hostname the addresses can rotate from one look to the next, so an
// alias to that hostname is right by itself, and an address that presents a valid
// certificate for the name is taken for one of the rotation.
func (c *Case) accepts(addr netip.Addr) bool {
	if c.Expected.Accepts(addr) {
		return true
	}
	for _, h := range c.Expected.Hostnames {
		if _, aliased := c.Observed.step(h); aliased || c.Strangers[addr].Valid {
			return true
		}
	}
	return false
}

// covered tells whether another accepted way stands in for the load balancer: a
// name that is published in an allowed range (a CDN) need not publish it, in
// neither family. Nor need one that is published where it may be right.
func (c *Case) covered(published []netip.Addr) bool {
	return slices.ContainsFunc(published, func(a netip.Addr) bool {
		return c.Expected.Allowed(a) && !c.Expected.Has(a) || c.Expected.Doubts(a)
	})
}

func stale(now time.Time, c *Case, addr netip.Addr) finding.Finding {
	at := c.where(addr)
	rec := at.record(wanted(c, addr))
	f := finding.Finding{
		Code: finding.DNSStaleRecord, Severity: finding.Critical,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: addr.String()},
		Summary:  fmt.Sprintf("%s publishes %s, which is no address of its load balancer", c.Observed.Host, addr),
		Expected: expectedText(c.Expected, addr),
		SeenAt:   at.servers,
		Record:   &rec,
		ClearBy:  c.clearBy(now, addr, rec),
	}
	others := len(sameFamily(c.Published, addr)) - 1
	f.Observed = at.text(addr, now)
	if others > 0 {
		f.Observed += fmt.Sprintf(", beside %s", finding.Count(others, "other address", "other addresses"))
	}
	if s, ok := c.Strangers[addr]; ok {
		switch {
		case s.Unseen:
			f.Severity = finding.Unknown
		case s.Valid:
			f.Severity = finding.Warning
		}
		f.Observed += "; there: " + s.Text
		if s.Owner != "" {
			f.Observed += "; the address belongs to " + s.Owner
		}
	}
	f.Hint = staleHint(c.Expected, rec, addr)
	if behind := c.Observed.Lagging(addr); len(behind) > 0 {
		_, f.Hint = at.step.lag().laggards(at.step.Zone)
	}
	f.Hint += c.external(rec)
	return f
}

// clearBy is when the last cache has dropped a stale record that is corrected now:
// its TTL, or an earlier one that was longer.
func (c *Case) clearBy(now time.Time, addr netip.Addr, rec finding.Record) time.Time {
	end := later(now.Add(Cached(rec.TTL)), c.Observed.formerWays(now)[addr].end)
	for _, s := range c.Seen {
		if s.Address != addr {
			continue
		}
		if s.Until.After(end) {
			end = s.Until
		}
		if last := len(s.Path) - 1; last >= 0 && s.Path[last].Until.After(end) {
			end = s.Path[last].Until
		}
	}
	return end
}

// staleHint says what to do with a record that publishes a stale address. Without
// a right value to set, the address must go.
func staleHint(e inventory.Expected, rec finding.Record, addr netip.Addr) string {
	if len(rec.Values) > 0 {
		return "set " + recordText(rec)
	}
	remove := fmt.Sprintf("delete %s %s %s (zone %s)", rec.Owner, rec.Type, addr, rec.Zone)
	if len(sameFamily(e.Addresses, addr)) == 0 && expectedValues(e, addr) == "" {
		return remove + ": the load balancer has no address of this family"
	}
	return remove + ", or set it to " + expectedValues(e, addr)
}

func special(p Policy, now time.Time, c *Case, addr netip.Addr) finding.Finding {
	at := c.where(addr)
	rec := at.record(nil)
	rec.Values = []string{addr.String()}
	return finding.Finding{
		Code: finding.DNSSpecialAddress, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: addr.String()},
		Summary:  fmt.Sprintf("%s publishes the %s address %s; it was not connected to", c.Observed.Host, p.Special(addr), addr),
		Expected: "an address of the public Internet",
		Observed: at.text(addr, now),
		Hint:     "publish the public address; if this one is meant, pin it (targets[].addresses) or allow it (probe.allow_addresses)",
		SeenAt:   at.servers,
		Record:   &rec,
	}
}

// wanted are the values that the RRset should have: what is published and
// accepted, and the load balancer's addresses of that family unless something in
// an allowed range stands in for them.
func wanted(c *Case, like netip.Addr) []string {
	published := sameFamily(c.Published, like)
	right := slices.DeleteFunc(slices.Clone(published), func(a netip.Addr) bool { return !c.Expected.Accepts(a) })
	if !c.covered(published) {
		right = append(right, sameFamily(c.Expected.Addresses, like)...)
	}
	var values []string
	for _, a := range right {
		values = append(values, a.String())
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// expectedText says what a server should give instead of an address.
func expectedText(e inventory.Expected, like netip.Addr) string {
	text := expectedValues(e, like)
	if text == "" {
		text = "no " + string(typeFor(like)) + " record"
	}
	if name := e.Fronts(); name != "" {
		text += " (" + name + ")"
	}
	return text
}

// expectedValues names the right addresses of a family: those that are certain,
// those that only one source names, and the allowed ranges.
func expectedValues(e inventory.Expected, like netip.Addr) string {
	var ways []string
	if same := sameFamily(e.Addresses, like); len(same) > 0 {
		ways = append(ways, addrList(same))
	}
	if perhaps := sameFamily(e.Uncertain, like); len(perhaps) > 0 {
		ways = append(ways, "perhaps "+addrList(perhaps))
	}
	var ranges []string
	for _, p := range e.Allow {
		if p.Addr().Is4() == like.Is4() {
			ranges = append(ranges, p.String())
		}
	}
	if len(ranges) > 0 {
		ways = append(ways, "an address in "+finding.List(ranges, maxListed))
	}
	return strings.Join(ways, ", or ")
}

func recordText(r finding.Record) string {
	return fmt.Sprintf("%s %s %s (zone %s)", r.Owner, r.Type, finding.List(r.Values, maxListed), r.Zone)
}
