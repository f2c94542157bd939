package dnscheck

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// JudgeZone compares the two sides of a zone's cut with each other, and what each
// server does with what resolvers need. It is pure. A server that does not serve the
// zone gives the same finding (by finding.ID) here as in Judge, where a host showed
// it.
func JudgeZone(now time.Time, o ZoneObservation) []finding.Finding {
	v := newZoneView(o)
	fs := slices.Concat(v.judgeParent(now), v.judgeNames(), v.judgeGlue(), v.judgeEachServer(), v.judgeTogether())
	for i := range fs {
		f := &fs[i]
		f.Summary, f.Expected, f.Observed, f.Hint = clip(f.Summary), clip(f.Expected), clip(f.Observed), clip(f.Hint)
	}
	finding.Sort(fs)
	return fs
}

// zoneView is an observation, indexed for judging.
type zoneView struct {
	ZoneObservation
	// delegates are the parent's servers that hand a delegation down, denies those
	// that say that there is none.
	delegates, denies []Handed
	// above are the names that all of delegates name; nil if they disagree.
	above []string
	// below are the zone's servers that gave its NS records.
	below  []ZoneServer
	serves bool // at least one server has the zone
	loses  bool // some server that speaks left a packet unanswered
}

func newZoneView(o ZoneObservation) zoneView {
	v := zoneView{ZoneObservation: o}
	for _, h := range o.Handed {
		switch {
		case h.Both:
		case h.Outcome == OK:
			v.delegates = append(v.delegates, h)
		case h.Outcome == NoName || h.Outcome == NoData:
			v.denies = append(v.denies, h)
		}
	}
	if len(v.delegates) > 0 && len(v.denies) == 0 && v.agree() {
		v.above = v.delegates[0].NS
	}
	for _, s := range o.Servers {
		if s.NSOutcome == OK {
			v.below = append(v.below, s)
		}
		v.serves = v.serves || s.Outcome == OK
		v.loses = v.loses || s.misses()
	}
	return v
}

// agree tells whether the parent's servers hand down the same names.
func (v zoneView) agree() bool {
	return !slices.ContainsFunc(v.delegates, func(h Handed) bool { return !slices.Equal(h.NS, v.delegates[0].NS) })
}

// judgeParent compares the parent's servers with each other. Right after a change
// at the registry they differ, and nothing can be said of the delegation but that.
func (v zoneView) judgeParent(now time.Time) []finding.Finding {
	f := v.mismatch("")
	f.Expected = "one delegation on all servers of " + v.Parent
	f.Observed = v.handedText()
	f.SeenAt = serverTexts(v.Handed, func(h Handed) Server { return h.Server })
	switch {
	case len(v.denies) == 0 && v.agree():
		return nil
	case len(v.denies) == len(v.Handed):
		var ttl uint32
		for _, h := range v.denies {
			ttl = max(ttl, h.TTL)
		}
		f.Severity = finding.Critical
		f.Summary = fmt.Sprintf("%s does not delegate %s any more", v.Parent, v.Zone)
		f.Expected = "a delegation to the zone's servers"
		f.Hint = fmt.Sprintf("find out why %s does not delegate it (expired, or removed at the registrar); caches lose what they still know within the TTL of the old delegation", v.Parent)
		f.ClearBy = now.Add(Cached(ttl))
	case len(v.denies) > 0:
		f.Summary = fmt.Sprintf("%d of %d servers of %s say that %s does not exist", len(v.denies), len(v.Handed), v.Parent, v.Zone)
		f.Hint = fmt.Sprintf("if the delegation is new, wait until all servers of %s have it; otherwise tell who runs %s", v.Parent, v.Parent)
	default:
		f.Severity = finding.Info
		f.Summary = fmt.Sprintf("the servers of %s do not hand down the same name servers for %s", v.Parent, v.Zone)
		f.Hint = fmt.Sprintf("nothing, if the delegation was just changed; if it stays, tell who runs %s", v.Parent)
	}
	return []finding.Finding{f}
}

// mismatch is a finding about the delegation, or about one name in it.
func (v zoneView) mismatch(name string) finding.Finding {
	return finding.Finding{
		Code: finding.DNSDelegationMismatch, Severity: finding.Warning,
		Subject: finding.Subject{Host: v.Zone, Server: name},
	}
}

// handedText says what each of the parent's servers said.
func (v zoneView) handedText() string {
	said := map[string][]string{}
	for _, h := range v.Handed {
		what := "no delegation"
		switch {
		case h.Both:
			what = "an answer from the zone itself"
		case h.Outcome == OK:
			what = finding.List(h.NS, maxListed)
		case !h.Outcome.Speaks():
			what = Answer{Outcome: h.Outcome, Detail: h.Detail}.misbehaviour()
		}
		said[what] = append(said[what], h.Server.String())
	}
	return onServers(said)
}

// onServers lists what was said, each with who said it.
func onServers(said map[string][]string) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(said)) {
		servers := said[what]
		slices.Sort(servers)
		parts = append(parts, what+" on "+finding.List(servers, maxServers))
	}
	if more := len(parts) - maxGroups; more > 0 {
		parts = append(parts[:maxGroups], fmt.Sprintf("%d more answers", more))
	}
	return strings.Join(parts, "; ")
}

func serverTexts[T any](all []T, server func(T) Server) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, server(one).String())
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// addressesOf are the servers of that name.
func (v zoneView) addressesOf(name string) []ZoneServer {
	return slices.DeleteFunc(slices.Clone(v.Servers), func(s ZoneServer) bool { return s.Server.Name != name })
}

func (v zoneView) name(name string) ServerName {
	i := slices.IndexFunc(v.Names, func(n ServerName) bool { return n.Name == name })
	if i < 0 {
		return ServerName{}
	}
	return v.Names[i]
}

// serverAt is the server at an address, under whatever name it was asked.
func (v zoneView) serverAt(a netip.Addr) (ZoneServer, bool) {
	i := slices.IndexFunc(v.Servers, func(s ZoneServer) bool { return s.Server.Address.Addr() == a })
	if i < 0 {
		return ZoneServer{}, false
	}
	return v.Servers[i], true
}

// fails tells whether a server is known not to serve the zone. One that answers for
// NS does, whatever became of the question for SOA.
func (s ZoneServer) fails() bool {
	return s.Outcome != "" && !s.Outcome.Speaks() && !s.NSOutcome.Speaks()
}

// misses tells whether a server that speaks left a packet unanswered, which nothing that
// is known of it explains.
func (s ZoneServer) misses() bool {
	again := s.Again && !s.DropsCookies && s.EDNS != EDNSDropped
	return (s.Outcome.Speaks() || s.NSOutcome.Speaks()) && (again || s.Outcome == Silent || s.NSOutcome == Silent)
}

// lost tells whether the silence of a server may be the network's fault, as Case.lost.
func (v zoneView) lost(s ZoneServer) bool {
	return v.loses && s.Outcome == Silent && (s.NSOutcome == Silent || s.NSOutcome == "") && s.Unanswered < surelySilent
}

// OneSided tells whether only the parent, or only the zone itself, names a server.
func (o ZoneObservation) OneSided(name string) bool {
	v := newZoneView(o)
	above, below := v.sides(name)
	return len(v.above) > 0 && len(v.below) > 0 && above != below
}

// sides tell who names a server.
func (v zoneView) sides(name string) (above, below bool) {
	return slices.Contains(v.above, name), slices.ContainsFunc(v.below, func(s ZoneServer) bool { return slices.Contains(s.NS, name) })
}
