package situation

import (
	"net/netip"

	"driftprobe/internal/lab"
)

const (
	critical = "critical"
	warning  = "warning"
	unknown  = "unknown"
	info     = "info"
)

// right is the record that most rows have: the load balancer's address.
const right = "www 60 A 192.0.2.1"

// old is an address that the load balancer has no more, and forged one that only
// broken packets hold.
const (
	old    = "192.0.2.9"
	forged = "192.0.2.66"
)

func stale(addr string, texts ...string) Want {
	return Want{Code: "dns/stale-record", Severity: critical, Subject: []string{addr}, Texts: texts}
}

func missing(severity, addr string, texts ...string) Want {
	return Want{Code: "dns/missing-record", Severity: severity, Subject: []string{addr}, Texts: texts}
}

func absent(texts ...string) Want {
	return Want{Code: "dns/no-record", Severity: critical, Texts: texts}
}

func disagree(texts ...string) Want {
	return Want{Code: "dns/inconsistent", Severity: warning, Texts: texts}
}

func degraded(server string, texts ...string) Want {
	return Want{Code: "dns/nameserver-degraded", Severity: warning, Subject: []string{server}, Texts: texts}
}

func unresolvable(severity string, texts ...string) Want {
	return Want{Code: "dns/unresolvable", Severity: severity, Texts: texts}
}

func exposed(texts ...string) Want {
	return Want{Code: "dns/ttl-exposure", Severity: warning, Texts: texts}
}

func special(addr string, texts ...string) Want {
	return Want{Code: "dns/special-address", Severity: warning, Subject: []string{addr}, Texts: texts}
}

// seen says what clients see where resolvers differ.
func (s Situation) seen(unbound, bind Seen, note string) Situation {
	s.Clients, s.BIND, s.Note = unbound, bind, note
	return s
}

// wants writes a list of findings shorter than a literal.
func wants(w ...Want) []Want { return w }

func ips(words ...string) []netip.Addr {
	var all []netip.Addr
	for _, word := range words {
		all = append(all, netip.MustParseAddr(word))
	}
	return all
}

// at puts a fault on some servers, and everywhere on all three of shop.example.
func at(f lab.Fault, servers ...byte) map[byte]lab.Fault {
	faults := map[byte]lab.Fault{}
	for _, last := range servers {
		faults[last] = f
	}
	return faults
}

func everywhere(f lab.Fault) map[byte]lab.Fault { return at(f, 11, 12, 13) }

// lb is the zone of the load balancers' names, on one server.
func lb(text string) []Zone { return []Zone{{Name: "lb.test.", At: []byte{21}, Text: text}} }
