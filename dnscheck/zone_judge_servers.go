package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"driftprobe/finding"
)

// judgeEachServer looks at each server by itself. Nothing is said of servers that
// fail while no other serves the zone: then Judge says that its names cannot be
// resolved.
func (v zoneView) judgeEachServer() []finding.Finding {
	var fs []finding.Finding
	missed := map[string][]Answer{}
	for _, s := range v.Servers {
		at := hosting{v.Zone, s.Server}
		switch {
		case s.EDNS == EDNSDropped && !v.loses:
			fs = append(fs, v.dropsEDNS(s))
		case s.fails() && v.serves && v.lost(s):
			missed[s.Server.String()] = []Answer{{Type: "NS"}, {Type: "SOA"}}
		case s.fails() && v.serves:
			f := degradedServer(at, []Answer{{Server: s.Server, Outcome: s.Outcome, Detail: s.Detail}}, false)
			if s.TCP == OK {
				f.Observed += "; it answers over TCP"
			}
			f.Hint = v.hintFor(s.Server.Name)
			fs = append(fs, f)
		}
		if f, ok := v.nonconformant(s.Server.String(), v.remarksOn(s)); ok {
			fs = append(fs, f)
		}
	}
	if len(missed) > 0 {
		fs = append(fs, packetLoss(v.Zone, missed))
	}
	for _, n := range v.Names {
		switch {
		case n.Missing != "" && v.serves:
			fs = append(fs, v.noAddress(n))
		case n.Missing == "" && n.Alias != "":
			f, _ := v.nonconformant(n.Name, []remark{{
				finding.Warning, "is an alias of " + n.Alias,
				"Unbound follows the alias, BIND does not use such a server", fmt.Sprintf("name %s itself as the server, or give %s address records of its own", n.Alias, n.Name),
			}})
			fs = append(fs, f)
		}
	}
	return fs
}

// hintFor says what to do with a server that does not serve the zone, by who names
// it.
func (v zoneView) hintFor(name string) string {
	above, below := v.sides(name)
	switch {
	case above && !below && len(v.below) > 0:
		return fmt.Sprintf("take %s out of the delegation of %s (at the registrar, or in the zone %s): the zone itself does not name it", name, v.Zone, v.Parent)
	case below && !above && len(v.above) > 0:
		return fmt.Sprintf("mend this server, or take %s out of the NS records of the zone %s", name, v.Zone)
	case above:
		return fmt.Sprintf("mend this server; or if it is not to host %s any more, take it out of the delegation (at the registrar, or in the zone %s) and out of the zone's NS records", v.Zone, v.Parent)
	}
	return fmt.Sprintf("mend this server, or take it out of the delegation of %s", v.Zone)
}

// dropsEDNS is a server that resolvers cannot use: since DNS flag day 2019 neither
// BIND nor Unbound asks again without EDNS after silence. The zone is lost if all
// servers that answer are such.
func (v zoneView) dropsEDNS(s ZoneServer) finding.Finding {
	f := degradedServer(hosting{v.Zone, s.Server}, nil, false)
	f.Summary = fmt.Sprintf("%s answers about the zone %s only if it is asked without EDNS, as resolvers do not ask", s.Server, v.Zone)
	f.Expected = "an answer to a question with EDNS, be it FORMERR"
	f.Observed = "silence to questions with EDNS, an answer to one without"
	f.Hint = "look for a firewall that drops DNS packets with an OPT record or over 512 bytes; if there is none, the server needs a newer software"
	if !slices.ContainsFunc(v.Servers, func(s ZoneServer) bool { return s.EDNS == EDNSOK || s.Outcome == OK && s.EDNS != EDNSDropped }) {
		f.Severity = finding.Critical
	}
	return f
}

// noAddress is a name that leads to no server (RFC 1912 §2.8, Zonemaster
// NAMESERVER06).
func (v zoneView) noAddress(n ServerName) finding.Finding {
	f := degradedServer(hosting{v.Zone, Server{Name: n.Name}}, nil, false)
	f.Summary = fmt.Sprintf("%s is named as a server of the zone %s, and %s", n.Name, v.Zone, n.Missing)
	f.Expected, f.Observed = "a name with an address", n.Missing
	f.Hint = v.hintFor(n.Name)
	return f
}

// remark is one thing that is not as it should be, though names still resolve.
type remark struct {
	severity finding.Severity
	what     string // "does not answer over TCP": what is found, after who does it
	why      string // what resolvers make of it
	hint     string
}

// remarksOn are those about one server that serves the zone.
func (v zoneView) remarksOn(s ZoneServer) []remark {
	var all []remark
	if s.Outcome != OK {
		return nil
	}
	// Large answers, and all of them from a server that limits its rate, need TCP
	// (RFC 7766 §5, RFC 9210 §3.1, DNS flag day 2020).
	if s.TCP != "" && s.TCP != OK && v.TCPLeaves && !(v.loses && s.TCP == Silent) {
		all = append(all, remark{
			finding.Warning, "does not answer over TCP: " + Answer{Outcome: s.TCP, Detail: s.TCPDetail}.misbehaviour(),
			"answers that do not fit into a UDP packet cannot be read", "open TCP port 53 of this server, in its software and in every firewall before it",
		})
	}
	if s.EDNS == EDNSRejected {
		r := remark{
			finding.Info, "does not know EDNS (" + s.EDNSDetail + ")",
			"resolvers ask again without it, and cannot validate the zone", "let the server know EDNS (RFC 6891)",
		}
		switch s.EDNSDetail {
		case rcodeText(dns.RcodeFormatError):
		case cookieRejected:
			r = remark{
				finding.Warning, "answers FORMERR to a question with a DNS cookie, though it knows EDNS",
				"BIND sends a cookie each time and does not ask again; Unbound sends none unless it is told to",
				"let the server, or a firewall before it, pass over EDNS options that it does not know (RFC 6891 section 6.1.2)",
			}
		default:
			// After NOTIMP BIND does not ask again, and Unbound takes BADVERS for no data.
			r.severity, r.why = finding.Warning, "only after FORMERR do all resolvers ask again without it"
		}
		all = append(all, r)
	}
	if s.DropsCookies && !v.loses {
		all = append(all, remark{
			finding.Warning, "is silent to questions with a DNS cookie, and answers those without",
			"BIND sends a cookie each time and has no answer; Unbound sends none unless it is told to",
			"let every firewall before this server pass questions with EDNS options that it does not know (RFC 7873: COOKIE, option 10)",
		})
	}
	switch {
	case s.NSOutcome == NoData:
		all = append(all, remark{
			finding.Info, "has no NS records for the zone itself",
			"a zone without them is not whole (RFC 1034 section 4.2.1)", "add the zone's NS records on this server",
		})
	case s.NSOutcome != "" && s.NSOutcome != OK && s.NSOutcome != Silent: // a packet can get lost
		all = append(all, remark{
			finding.Info, "answers for the zone, but not for its NS records: " + Answer{Outcome: s.NSOutcome, Detail: s.NSDetail}.misbehaviour(),
			"resolvers that ask for them fail", "let the server answer for every type",
		})
	}
	return all
}

// nonconformant makes one finding of remarks about one server, or about all of them
// if server is empty.
func (v zoneView) nonconformant(server string, all []remark) (f finding.Finding, ok bool) {
	if len(all) == 0 {
		return finding.Finding{}, false
	}
	who, seen := "the zone "+v.Zone, serverTexts(v.Servers, func(s ZoneServer) Server { return s.Server })
	if server != "" {
		who, seen = server+", a server of "+v.Zone+",", []string{server}
	}
	f = finding.Finding{
		Code: finding.DNSNonconformant, Severity: finding.Info,
		Subject: finding.Subject{Host: v.Zone, Server: server}, SeenAt: seen,
	}
	var what, why, hints []string
	for _, r := range all {
		f.Severity = max(f.Severity, r.severity)
		what, why, hints = append(what, r.what), append(why, r.why), append(hints, r.hint)
	}
	f.Summary = who + " " + strings.Join(what, ", and ")
	f.Observed = strings.Join(what, "; ")
	f.Expected = "servers that resolvers can use in every way (" + strings.Join(why, "; ") + ")"
	f.Hint = strings.Join(hints, "; ")
	return f, true
}

// judgeTogether compares the zone's servers with each other.
func (v zoneView) judgeTogether() []finding.Finding {
	var all []remark
	serials, behind := v.serials()
	// Zonemaster CONSISTENCY04. While a new version is on its way to the secondary
	// servers, they may differ.
	if len(v.nsSets()) > 1 {
		r := remark{
			finding.Warning, "has different NS records on its servers: " + onServers(v.nsSets()),
			"which ones a resolver learns is chance", "make the NS records of the zone the same on every server",
		}
		switch {
		case v.primaries() > 1:
			r.hint = "these are copies of the zone that are kept apart, as their SOA records name different primary servers: give each of them the NS records of all"
		case behind:
			r.severity, r.hint = finding.Info, "wait until the zone has reached all its servers; if it does not, mend the transfer to those with the older serial"
		}
		all = append(all, r)
	}
	// Zonemaster CONSISTENCY01. What it means for a name, Judge says.
	if behind {
		all = append(all, remark{
			finding.Info, "has different serials on its servers: " + serials,
			"a new version is on its way, or some server does not get it", "nothing, unless it stays: then mend the transfer to the servers with the older serial",
		})
	}
	// RFC 1034 §4.1, RFC 2182 §5, Zonemaster DELEGATION01 and DELEGATION02.
	if a, ok := v.single(); ok {
		all = append(all, remark{
			finding.Info, fmt.Sprintf("has all its name servers at one IPv4 address, %s", a),
			"if it fails, the zone is gone", "add a name server on another machine, in another network",
		})
	}
	f, ok := v.nonconformant("", all)
	if !ok {
		return nil
	}
	return []finding.Finding{f}
}

// serials says which server has which serial, if servers of one primary differ: the
// serials of copies that are kept apart do not compare.
func (v zoneView) serials() (text string, differ bool) {
	said, of := map[string][]string{}, map[string]uint32{}
	for _, s := range v.Servers {
		if s.Outcome != OK {
			continue
		}
		first, known := of[s.Primary]
		differ = differ || known && first != s.Serial
		of[s.Primary] = s.Serial
		what := fmt.Sprint(s.Serial)
		said[what] = append(said[what], s.Server.String())
	}
	return onServers(said), differ
}

// primaries counts the primary servers that the SOA records name.
func (v zoneView) primaries() int {
	of := map[string]bool{}
	for _, s := range v.Servers {
		if s.Outcome == OK {
			of[s.Primary] = true
		}
	}
	return len(of)
}

// single is the only IPv4 address of all the servers. Of IPv6 addresses it can't be
// told where there is no way to them.
func (v zoneView) single() (only netip.Addr, ok bool) {
	for _, s := range v.Servers {
		a := s.Server.Address.Addr().Unmap()
		switch {
		case !a.Is4():
		case !only.IsValid():
			only = a
		case only != a:
			return only, false
		}
	}
	return only, only.IsValid() && v.Cut == "" && v.serves
}
