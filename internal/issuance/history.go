package issuance

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"
)

// Seen is one certificate that an address served for a host, or that a log has.
type Seen struct {
	At      time.Time
	Host    string
	Address netip.Addr
	// Names are those of the certificate, in whatever order and case.
	Names []string
	// CA is the organisation of the issuer: the names of the intermediates change.
	CA     string
	Serial string
	// Issued is when a log signed that it had seen the certificate; its first moment of
	// validity, which authorities set back, if no log did.
	Issued, NotAfter time.Time
	// Log is the source of Certificate Transparency that told of it. Then there is no Host
	// and no Address: who serves it is not known. Whole: all that the source knew of its
	// names was read before, so that a set that is new to us is new.
	Log   string
	Whole bool
}

// History remembers which certificates were issued for which exact set of names. It is a
// value: Remember returns a new one.
type History struct {
	// Sets are ordered by their key.
	Sets []Set `json:"sets,omitempty"`
	// Positions are how far the sources of Certificate Transparency were read. They are
	// kept with what was read, so that neither is lost without the other.
	Positions []Position `json:"positions,omitempty"`
}

// Set is all certificates that one authority issued for exactly the same names.
type Set struct {
	// Key stands for the names and the authority, see key.
	Key string `json:"key"`
	// Names are in lower case, sorted, each once, at most maxNames.
	Names []string `json:"names"`
	CA    string   `json:"ca"`
	// Issuances are ordered by Issued. They are the least that there were: one that no
	// look met is not among them.
	Issuances []Issuance `json:"issuances"`
	// New tells that it is a new set, and not the renewal of one that was there before we
	// looked: its host was seen with other names before, or a log with others.
	New bool `json:"new,omitempty"`
}

// Issuance is one certificate.
type Issuance struct {
	Serial    string    `json:"serial"`
	Issued    time.Time `json:"issued"`
	NotAfter  time.Time `json:"not_after"`
	FirstSeen time.Time `json:"first_seen"`
	// LastSeen is kept in steps, see stride.
	LastSeen time.Time `json:"last_seen"`
	// Hosts and Addresses served it when they were last looked at, at most maxPlaces.
	Hosts     []string     `json:"hosts,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Logs told of it, the last time at Logged; LastSeen is zero if nobody was seen to
	// serve it.
	Logs   []string  `json:"logs,omitempty"`
	Logged time.Time `json:"logged,omitzero"`
}

const (
	// keep is how long a certificate that nobody serves is remembered: longer than the
	// week of the limits, and than the pause between two planned renewals.
	keep = 100 * 24 * time.Hour
	// skew is how far ahead of a look a remembered moment may lie before the clock is taken
	// to have been wrong.
	skew = time.Hour
	// stride is how exact LastSeen is: most looks meet what was met a minute ago, and
	// cost nothing then. It is short beside together.
	stride = 10 * time.Minute
	// The bounds of what is kept. A name's certificates are chosen by whoever holds its
	// address, which may be a stranger.
	maxSets      = 20_000
	maxIssuances = 16 // of a set; as many as maxBusy in two weeks, because limits count them
	maxBusy      = 64
	maxNames     = 100
	maxPlaces    = 16
	maxText      = 256
)

// key stands for the exact set of names and the authority: the hash, because a
// certificate can have thousands of names.
type key [32]byte

func keyOf(names []string, ca string) key {
	var space [1024]byte // enough for most, so that a look costs no memory
	text := append(space[:0], ca...)
	for _, name := range names {
		text = append(append(text, '\n'), name...)
	}
	sum := sha256.Sum256(text)
	var k key
	hex.Encode(k[:], sum[:16])
	return k
}

// normal returns the names as the limits compare them: case and order do not count. If
// they are so already, it returns names itself.
func normal(names []string) []string {
	already := true
	for n, name := range names {
		already = already && strings.ToLower(name) == name && (n == 0 || names[n-1] < name)
	}
	if already {
		return names
	}
	all := make([]string, len(names))
	for n, name := range names {
		all[n] = strings.ToLower(name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// find returns where the set with this key is.
func (h History) find(k key) (int, bool) {
	n := sort.Search(len(h.Sets), func(n int) bool { return h.Sets[n].Key >= string(k[:]) })
	return n, n < len(h.Sets) && h.Sets[n].Key == string(k[:])
}

// Remember adds what was seen, and forgets what is too old to matter and what is too
// much. The receiver is not changed.
func (h History) Remember(all []Seen) History {
	fresh := map[string]Set{}
	var newest time.Time
	for _, s := range slices.SortedStableFunc(slices.Values(all), func(a, b Seen) int { return a.At.Compare(b.At) }) {
		newest = later(newest, s.At)
		if len(s.Names) == 0 || s.Serial == "" || len(s.Serial) > maxText {
			continue
		}
		names := normal(s.Names)
		k := keyOf(names, s.CA)
		set, known := fresh[string(k[:])]
		if !known {
			set, known = h.get(k)
		}
		if !known {
			set = Set{Key: string(k[:]), Names: cutNames(names), CA: cut(s.CA), New: s.Whole || h.knows(s.Host)}
		}
		if !set.has(s) {
			fresh[set.Key] = set.with(s)
		}
	}
	if len(fresh) == 0 {
		return h
	}
	next := make([]Set, 0, len(h.Sets)+len(fresh))
	for _, s := range h.Sets {
		if _, newer := fresh[s.Key]; !newer {
			next = append(next, s)
		}
	}
	for _, s := range fresh {
		next = append(next, s)
	}
	h.Sets = bounded(next, newest)
	return h
}

func (h History) get(k key) (Set, bool) {
	n, found := h.find(k)
	if !found {
		return Set{}, false
	}
	return h.Sets[n], true
}

// knows tells whether a host was seen with any certificate.
func (h History) knows(host string) bool {
	return slices.ContainsFunc(h.Sets, func(s Set) bool {
		return slices.ContainsFunc(s.Issuances, func(i Issuance) bool { return slices.Contains(i.Hosts, host) })
	})
}
