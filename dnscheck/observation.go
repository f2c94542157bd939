// Package dnscheck asks the authoritative servers of a name, every one of them,
// and chosen recursive resolvers, and judges what they publish.
//
// Observe (see Resolver) returns an Observation: what each server said, also
// when it misbehaved. Judge is pure: it compares Observations with the expected
// addresses and makes findings. A packet that is malformed, spoofed, lame or
// refused is an Outcome of its own and never an address, so it can never become
// a stale record.
package dnscheck

import (
	"net/netip"
	"slices"
	"time"
)

// Type is a record type that is asked for: "A" or "AAAA".
type Type string

// The types asked for.
const (
	A    Type = "A"
	AAAA Type = "AAAA"
)

// Observation is what the DNS said about one host at one moment.
type Observation struct {
	// Host is the name asked for, ASCII, lower case, no final dot; it may be a
	// wildcard ("*.shop.example"), which is asked for literally.
	Host string    `json:"host"`
	At   time.Time `json:"at"`
	// Steps follow the aliases: the first is about Host itself, each next one about
	// the target of a CNAME that some server of an earlier step gave. Each name
	// stands here once. At most MaxSteps.
	Steps []Step `json:"steps"`
	// Formerly are the names that only servers lead to which a zone had before; see
	// Step.Former. They are no part of what is published.
	Formerly []Step `json:"formerly,omitempty"`
	// Resolvers are the answers of the configured recursive resolvers.
	Resolvers []ResolverAnswer `json:"resolvers,omitempty"`
	// Heard is set when any authoritative server of any zone on the way sent an
	// acceptable packet during this look, whatever it said: there is a network.
	Heard bool `json:"heard"`
	// Cut is set when a limit (aliases, queries, time) ended the walk early, and
	// says which.
	Cut string `json:"cut,omitempty"`
}

// MaxSteps is the number of names in one chain of aliases: the question and 11
// restarts, as the common resolvers allow.
const MaxSteps = 12

// Step is one name, the zone that holds it, and what every server of that zone
// said.
type Step struct {
	// Name is the owner asked for, no final dot.
	Name string `json:"name"`
	// Zone is the zone cut found for the name, no final dot; "." for the root.
	Zone string `json:"zone"`
	// Answers hold one entry for each server address and type, and where a server
	// rotates an entry more for each other alias that it gave. IPv6 addresses are left
	// out where this machine has no way to them.
	Answers []Answer `json:"answers,omitempty"`
	// Beside are the servers that were asked although the delegation lacks them: those that
	// the zone itself names, or another server of the parent, and those of the parent that
	// hold the zone too. Answers hold what they said
	// if they spoke.
	Beside []Server `json:"beside,omitempty"`
	// Wildcard is what one of the servers said about the wildcard that would cover
	// Name, one entry a type, if there is such a record; its owner is WildcardOwner.
	// Both are empty if the name has a record of its own, also one that repeats the
	// wildcard's data.
	Wildcard      []Answer `json:"wildcard,omitempty"`
	WildcardOwner string   `json:"wildcard_owner,omitempty"`
	// Rotates is set when a server that was asked once more in this look gave another
	// set: its answers are weighted, or parts of a larger set. The Addresses of each
	// Answer are then the union of what that server gave.
	Rotates bool `json:"rotates,omitempty"`
	// Former hold what servers that the zone had before say otherwise than its servers do
	// now: caches go on asking those until they have dropped the NS records that name them.
	Former []Former `json:"former,omitempty"`
	// NSTTL is the larger of the TTLs, in seconds, that parent and zone give the zone's NS
	// records; 0 if Answers may lack some of the zone's servers.
	NSTTL uint32 `json:"ns_ttl,omitempty"`
	// Failure says why no server of the zone could be asked (the walk from the
	// roots ended); the zero value if the zone's servers were found.
	Failure Failure `json:"failure,omitzero"`
}

// Failure is the end of a walk before the zone's own servers.
type Failure struct {
	// Outcome is Silent, Refused, …, or NoName if an authoritative parent says
	// that the delegation does not exist.
	Outcome Outcome `json:"outcome,omitempty"`
	// At is the zone whose servers failed, and Text one sentence for a person.
	At   string `json:"at,omitempty"`
	Text string `json:"text,omitempty"`
	// NegativeTTL is how long caches may keep a NoName (RFC 2308), in seconds.
	NegativeTTL uint32 `json:"negative_ttl,omitempty"`
}

// Server is one address of one name server.
type Server struct {
	// Name is the server's host name, no final dot; empty if configured by address.
	Name string `json:"name,omitempty"`
	// Address is the zero value if no address was found for Name; the outcome is then
	// Unreachable and its detail says why.
	Address netip.AddrPort `json:"address"`
}

// String returns "ns1.example (192.0.2.1)"; the port is shown unless it is 53.
func (s Server) String() string {
	if !s.Address.IsValid() {
		return s.Name
	}
	a := s.Address.Addr().String()
	if p := s.Address.Port(); p != 53 {
		a = s.Address.String()
	}
	if s.Name == "" {
		return a
	}
	return s.Name + " (" + a + ")"
}

// Outcome classes what came back from a server.
type Outcome string

// The outcomes. Only OK, Alias, NoData and NoName speak about the name.
const (
	// OK: an authoritative RRset of the type asked for.
	OK Outcome = "ok"
	// Alias: the name is a CNAME.
	Alias Outcome = "alias"
	// NoData: the name exists without this type.
	NoData Outcome = "nodata"
	// NoName: NXDOMAIN.
	NoName Outcome = "nxdomain"
	// Silent: no acceptable answer in time; wrong packets may have come.
	Silent Outcome = "silent"
	// Unreachable: the network refused (port closed, no route).
	Unreachable Outcome = "unreachable"
	// Refused, Failed: RCODE REFUSED, SERVFAIL or another error code.
	Refused Outcome = "refused"
	Failed  Outcome = "failed"
	// Lame: an answer without authority (AA=0) or a referral elsewhere.
	Lame Outcome = "lame"
	// Malformed: nothing but packets that break the protocol.
	Malformed Outcome = "malformed"
	// Forbidden: the server's address is special-purpose and was not asked.
	Forbidden Outcome = "forbidden"
)

// Speaks tells whether the outcome says something about the name.
func (o Outcome) Speaks() bool {
	return o == OK || o == Alias || o == NoData || o == NoName
}

// Answer is what one server said to one question.
type Answer struct {
	Server  Server  `json:"server"`
	Type    Type    `json:"type"`
	Outcome Outcome `json:"outcome"`
	// Addresses are the RRset's values, unique and sorted; only for OK.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Target is the CNAME's target, no final dot; only for Alias.
	Target string `json:"target,omitempty"`
	// TTL is the RRset's TTL in seconds (the largest, if a server breaks RFC 2181
	// §5.2 and mixes them; a TTL with the top bit set counts as 0, §8). For NoData
	// and NoName it is the negative TTL: min(SOA TTL, SOA minimum), RFC 2308 §5.
	TTL uint32 `json:"ttl"`
	// Odd is set when the TTLs of the RRset are not as they should be; else nil.
	Odd *OddTTL `json:"odd_ttl,omitempty"`
	// Serial is the zone's SOA serial on this server: from a negative answer, or asked
	// for because the servers disagree; 0 if it is not known.
	Serial uint32 `json:"serial,omitempty"`
	// Primary is the primary server that the zone's SOA names there (MNAME), no final
	// dot, if the SOA was asked for: serials of different primaries do not compare.
	Primary string `json:"primary,omitempty"`
	// DNAME is the owner of the DNAME record that the alias was made from (RFC 6672),
	// no final dot; empty for a CNAME of the name's own.
	DNAME string `json:"dname,omitempty"`
	// Again is set if the first packet with the question brought no answer. Unanswered
	// counts, for Silent, the questions in a row that the server left without an answer
	// until the end of this look, of whatever name.
	Again      bool `json:"again,omitempty"`
	Unanswered int  `json:"unanswered,omitempty"`
	// Detail is one sentence about the misbehaviour, for outcomes that do not
	// Speak: "timeout after 5 s", "REFUSED", "answered for another question".
	Detail string        `json:"detail,omitempty"`
	TCP    bool          `json:"tcp,omitempty"`
	RTT    time.Duration `json:"rtt_ns,omitempty"`

	// empty is set for Lame if the server says that there is nothing, on behalf of a zone
	// above; ttl then is for how long that may be kept.
	empty bool
	ttl   uint32
}

// OddTTL is what is odd about the TTLs of one RRset.
type OddTTL struct {
	// Least is the smallest of TTLs that differ within the set (RFC 2181 §5.2); equal
	// to Answer.TTL if they do not differ. In seconds.
	Least uint32 `json:"least"`
	// TopBit is set when a TTL had its top bit set, and so counts as 0 (RFC 2181 §8).
	TopBit bool `json:"top_bit,omitempty"`
}

// ResolverAnswer is what one recursive resolver said to one question.
type ResolverAnswer struct {
	Resolver netip.AddrPort `json:"resolver"`
	Type     Type           `json:"type"`
	Outcome  Outcome        `json:"outcome"`
	// Addresses are the final addresses at the end of the alias chain.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// TTL is the smallest remaining TTL on the chain, in seconds: the answer may be
	// served until At+TTL, then it is read anew.
	TTL uint32 `json:"ttl"`
	// Chain are the records that led to the answer, each with the TTL that it has
	// left, if there was an alias; else nil. The last is the set of addresses, or what
	// is denied, and has no Value.
	Chain []Link    `json:"chain,omitempty"`
	At    time.Time `json:"at"`
	// Bogus: the resolver failed (SERVFAIL), and gave an answer to the same question
	// when it was told not to validate (CD=1, RFC 4035 §3.2.2).
	Bogus bool `json:"bogus,omitempty"`
	// EDE is the extended error that the resolver gave (RFC 8914 §4), 0 if it gave
	// none; the one that tells most, if it gave several.
	EDE uint16 `json:"ede,omitempty"`
	// Validated: the resolver says that it has checked the answer's signatures (AD=1).
	Validated bool   `json:"validated,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// Told tells whether authority has said all that it publishes of addresses.
func (o *Observation) Told() bool { return o.answered(A) && o.answered(AAAA) }

// Published returns the addresses that clients can be given: the union over all
// servers and alias paths, sorted. It is empty if nothing speaks.
func (o *Observation) Published() []netip.Addr {
	var all, last []netip.Addr
	for i := range o.Steps {
		for k := range o.Steps[i].Answers {
			a := &o.Steps[i].Answers[k]
			if a.Outcome == OK && !slices.Equal(a.Addresses, last) { // as most servers give the same
				all, last = append(all, a.Addresses...), a.Addresses
			}
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
