package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

// noon is when the observations of these tests are made, and judged.
var noon = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// look reads an Observation of the first name from lines as in a zone file, each
// after who said it. Names are steps in the order in which they first appear; the
// zone is the last two labels.
//
//	ns1: api.shop.example. 60 A 203.0.113.10      more lines make a set
//	ns1: www.shop.example. 60 CNAME api.shop.example.
//	ns2: api.shop.example. 300 NXDOMAIN           or NODATA
//	ns3: api.shop.example. silent                 both types; "AAAA silent" for one
//	wildcard: *.shop.example. 60 A 203.0.113.10   of the step before
//	parent: api.shop.example. 900 NXDOMAIN        or any other outcome
//	resolver: 8.8.8.8 60 A 203.0.113.10           or "8.8.8.8 failed"
//
// A server that gives one type and says nothing of the other has none of it.
func look(tb testing.TB, text string) Observation {
	tb.Helper()
	o := Observation{At: noon, Heard: true}
	for line := range strings.Lines(text) {
		who, what, ok := strings.Cut(strings.TrimSpace(line), ":")
		if f := strings.Fields(what); ok {
			if err := o.hear(who, f); err != nil {
				tb.Fatalf("%q: %v", line, err)
			}
		}
	}
	for i := range o.Steps {
		o.Steps[i].fill()
	}
	if len(o.Steps) > 0 {
		o.Host = o.Steps[0].Name
	}
	return o
}

func (o *Observation) hear(who string, f []string) error {
	if len(f) < 2 {
		return fmt.Errorf("too short")
	}
	if who == "resolver" {
		return o.hearResolver(f)
	}
	name := strings.TrimSuffix(f[0], ".")
	if who == "wildcard" {
		s := &o.Steps[len(o.Steps)-1]
		s.WildcardOwner = name
		return hear(&s.Wildcard, Server{}, f[1:])
	}
	i := slices.IndexFunc(o.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		labels := strings.Split(name, ".")
		i = len(o.Steps)
		o.Steps = append(o.Steps, Step{Name: name, Zone: strings.Join(labels[max(0, len(labels)-2):], ".")})
	}
	s := &o.Steps[i]
	if who == "parent" {
		var said []Answer
		err := hear(&said, Server{}, f[1:])
		s.Failure = Failure{Outcome: said[0].Outcome, At: "example", NegativeTTL: said[0].TTL}
		if said[0].Outcome != NoName {
			s.Failure.Text = "the servers of example: " + said[0].misbehaviour()
		}
		return err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(who, "ns"))
	server := Server{Name: who, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 53)}
	if err != nil {
		return err
	}
	return hear(&s.Answers, server, f[1:])
}

func (o *Observation) hearResolver(f []string) error {
	var said []Answer
	err := hear(&said, Server{}, f[1:])
	addr, bad := netip.ParseAddr(f[0])
	for _, a := range said {
		o.Resolvers = append(o.Resolvers, ResolverAnswer{
			Resolver: netip.AddrPortFrom(addr, 53), Type: a.Type, Outcome: a.Outcome, Addresses: a.Addresses, TTL: a.TTL, At: noon,
		})
	}
	if bad != nil {
		return bad
	}
	return err
}

// hear reads "60 A 203.0.113.10", "60 CNAME x.", "60 NXDOMAIN", "silent" or
// "AAAA silent".
func hear(all *[]Answer, server Server, f []string) error {
	ttl, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		types := []Type{A, AAAA}
		if len(f) == 2 {
			types = []Type{Type(f[0])}
		}
		for _, t := range types {
			*all = append(*all, Answer{Server: server, Type: t, Outcome: Outcome(f[len(f)-1])})
		}
		return nil
	}
	both := func(outcome Outcome, target string) {
		for _, t := range []Type{A, AAAA} {
			*all = append(*all, Answer{Server: server, Type: t, Outcome: outcome, TTL: uint32(ttl), Target: target})
		}
	}
	switch f[1] {
	case "NXDOMAIN":
		both(NoName, "")
	case "NODATA":
		both(NoData, "")
	case "CNAME":
		both(Alias, strings.TrimSuffix(f[2], "."))
	case "A", "AAAA":
		addr, err := netip.ParseAddr(f[2])
		if err != nil {
			return err
		}
		i := slices.IndexFunc(*all, func(a Answer) bool { return a.Server == server && a.Type == Type(f[1]) })
		if i < 0 {
			i = len(*all)
			*all = append(*all, Answer{Server: server, Type: Type(f[1]), Outcome: OK})
		}
		a := &(*all)[i]
		a.TTL = max(a.TTL, uint32(ttl))
		a.Addresses = append(a.Addresses, addr)
		slices.SortFunc(a.Addresses, netip.Addr.Compare)
	default:
		return fmt.Errorf("what is %q", f[1])
	}
	return nil
}

// fill adds the denial of the type that a server was not said to give.
func (s *Step) fill() {
	for _, a := range slices.Clone(s.Answers) {
		for _, t := range []Type{A, AAAA} {
			has := slices.ContainsFunc(s.Answers, func(b Answer) bool { return b.Server == a.Server && b.Type == t })
			if !has {
				s.Answers = append(s.Answers, Answer{Server: a.Server, Type: t, Outcome: NoData, TTL: 60})
			}
		}
	}
}

// line writes all of a finding but its texts.
func line(f finding.Finding) string {
	parts := []string{f.Severity.String(), string(f.Code)}
	for _, s := range []string{f.Subject.Host, f.Subject.Address, f.Subject.Server, f.Subject.Name} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if r := f.Record; r != nil {
		parts = append(parts, fmt.Sprintf("| %s: %s %d %s", r.Zone, r.Owner, r.TTL, r.Type))
		parts = append(parts, r.Values...)
	}
	if len(f.SeenAt) > 0 {
		parts = append(parts, "| at")
		for _, s := range f.SeenAt {
			name, _, _ := strings.Cut(s, " ")
			parts = append(parts, name)
		}
	}
	if !f.ClearBy.IsZero() {
		parts = append(parts, "| clear +"+f.ClearBy.Sub(noon).String())
	}
	return strings.Join(parts, " ")
}

func texts(fs []finding.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n", f.Summary, f.Expected, f.Observed, f.Hint)
	}
	return b.String()
}

func ips(words ...string) []netip.Addr {
	var all []netip.Addr
	for _, w := range words {
		all = append(all, netip.MustParseAddr(w))
	}
	return all
}
