package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

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
//	ns1: x.eu.shop.example. 60 DNAME x.lb.test. eu.shop.example.
//	ns1: api.shop.example. serial 42              of what it said; see mark
//	ns2: api.shop.example. 300 NXDOMAIN           or NODATA
//	ns3: api.shop.example. silent                 both types; "AAAA silent" for one
//	wildcard: *.shop.example. 60 A 203.0.113.10   of the step before
//	parent: api.shop.example. 900 NXDOMAIN        or any other outcome
//	was9: api.shop.example. 60 A 203.0.113.10     the zone had ns9; see hearFormer
//	resolver: 8.8.8.8 60 A 203.0.113.10           or "8.8.8.8 failed"; see hearResolver
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
	if last, former := strings.CutPrefix(who, "was"); former {
		return o.hearFormer("ns"+last, name, f[1:])
	}
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
	if mark(s, server, f[1:]) {
		return nil
	}
	return hear(&s.Answers, server, f[1:])
}

// hearFormer reads what a server says that the zone of a step had, which caches know for
// an hour from noon. Of a name that is no step yet it is said by the zone's own server,
// and only such servers lead there.
func (o *Observation) hearFormer(who, name string, f []string) error {
	var said []Answer
	server := Server{Name: who, Address: netip.MustParseAddrPort("192.0.2.99:53")}
	err := hear(&said, server, f)
	for i := range o.Steps {
		if s := &o.Steps[i]; s.Name == name {
			for _, a := range said {
				s.Former = append(s.Former, Former{a, noon.Add(time.Hour)})
			}
			return err
		}
	}
	o.Formerly = append(o.Formerly, Step{Name: name, Zone: "lb.test", Answers: said})
	return err
}

// mark notes of what a server said before: "serial 42", "serial 42 of ns9", "least 5",
// "topbit" (of its TTLs), "again", "unanswered" with a number, or "rotates".
func mark(s *Step, server Server, f []string) bool {
	var n uint32
	if len(f) > 1 {
		_, _ = fmt.Sscan(f[1], &n)
	}
	if f[0] == "rotates" {
		s.Rotates = true
		return true
	}
	for i := range s.Answers {
		a := &s.Answers[i]
		if a.Server != server {
			continue
		}
		switch f[0] {
		case "serial":
			a.Serial, a.Primary = n, f[len(f)-1]
			if len(f) == 2 {
				a.Primary = "ns1"
			}
		case "least":
			a.Odd = &OddTTL{Least: n}
		case "topbit":
			a.Odd = &OddTTL{TopBit: true}
		case "again":
			a.Again = true
		case "unanswered":
			a.Unanswered = int(n)
		}
	}
	return slices.Contains([]string{"serial", "least", "topbit", "again", "unanswered"}, f[0])
}

// hearResolver reads "8.8.8.8", then what it gave: as a server does; after aliases
// ("5 CNAME x. 60 A 203.0.113.10"); "validated", "expired" or "blocked" before that; or "bogus",
// with an extended error or without.
func (o *Observation) hearResolver(f []string) error {
	addr, err := netip.ParseAddr(f[0])
	if err != nil {
		return err
	}
	like := ResolverAnswer{Resolver: netip.AddrPortFrom(addr, 53), At: noon}
	f = f[1:]
	switch f[0] {
	case "bogus":
		like.Type, like.Outcome, like.Bogus, like.Detail = A, Failed, true, "SERVFAIL"
		if len(f) > 1 {
			_, err = fmt.Sscan(f[1], &like.EDE)
		}
		o.Resolvers = append(o.Resolvers, like)
		return err
	case "validated":
		like.Validated, f = true, f[1:]
	case "expired":
		like.EDE, f = dns.ExtendedErrorCodeStaleAnswer, f[1:]
	case "blocked":
		like.EDE, f = dns.ExtendedErrorCodeBlocked, f[1:]
	}
	var aliases []Link
	for at := o.Steps[0].Name; len(f) > 3 && f[1] == "CNAME"; f = f[3:] {
		l := Link{Owner: at, Type: "CNAME", Value: strings.TrimSuffix(f[2], ".")}
		if _, err := fmt.Sscan(f[0], &l.TTL); err != nil {
			return err
		}
		aliases, at = append(aliases, l), l.Value
	}
	var said []Answer
	err = hear(&said, Server{}, f)
	for _, a := range said {
		r := like
		r.Type, r.Outcome, r.Addresses, r.Detail = a.Type, a.Outcome, a.Addresses, a.Detail
		end := o.Steps[0].Name
		if len(aliases) > 0 {
			end = aliases[len(aliases)-1].Value
		}
		o.Resolvers = append(o.Resolvers, r.at(question{name: end + ".", qtype: qtypeOf(a.Type)}, aliases, a.TTL))
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
	case "DNAME": // the alias, and the owner of the DNAME that makes it
		both(Alias, strings.TrimSuffix(f[2], "."))
		for i := range *all {
			(*all)[i].DNAME = strings.TrimSuffix(f[3], ".")
		}
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
