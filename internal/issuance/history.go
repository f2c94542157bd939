package issuance

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Seen is one certificate that an address served for a host.
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
}

// History remembers which certificates were issued for which exact set of names. It is a
// value: Remember returns a new one.
type History struct {
	// Sets are ordered by their key.
	Sets []Set `json:"sets,omitempty"`
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
	// New tells that the hosts were seen with other names before: it is a new set, and
	// not the renewal of one that was there before we looked.
	New bool `json:"new,omitempty"`
}

// Issuance is one certificate.
type Issuance struct {
	Serial    string    `json:"serial"`
	Issued    time.Time `json:"issued"`
	NotAfter  time.Time `json:"not_after"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Hosts and Addresses served it when they were last looked at, at most maxPlaces.
	Hosts     []string     `json:"hosts,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

const (
	// keep is how long a certificate that nobody serves is remembered: longer than the
	// week of the limits, and than the pause between two planned renewals.
	keep = 100 * 24 * time.Hour
	// skew is how far ahead a remembered moment may lie before the clock is taken to have
	// been wrong.
	skew = time.Hour
	// The bounds of what is kept. A name's certificates are chosen by whoever holds its
	// address, which may be a stranger.
	maxSets      = 20_000
	maxIssuances = 16
	maxNames     = 100
	maxPlaces    = 16
	maxText      = 256
)

// key stands for the exact set of names and the authority: the hash, because a
// certificate can have thousands of names.
func key(names []string, ca string) string {
	h := sha256.Sum256([]byte(ca + "\n" + strings.Join(names, "\n")))
	return hex.EncodeToString(h[:16])
}

// normal returns the names as the limits compare them: case and order do not count.
func normal(names []string) []string {
	all := make([]string, len(names))
	for n, name := range names {
		all[n] = strings.ToLower(name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Of returns the set with this key.
func (h History) find(key string) (int, bool) {
	return slices.BinarySearchFunc(h.Sets, key, func(s Set, key string) int { return cmp.Compare(s.Key, key) })
}

// Remember adds what was seen, and forgets what is too old to matter and what is too
// much. The receiver is not changed.
func (h History) Remember(all []Seen) History {
	if len(all) == 0 {
		return h
	}
	fresh := map[string]Set{}
	var newest time.Time
	for _, s := range slices.SortedStableFunc(slices.Values(all), func(a, b Seen) int { return a.At.Compare(b.At) }) {
		newest = later(newest, s.At)
		if len(s.Names) == 0 || s.Serial == "" || len(s.Serial) > maxText {
			continue
		}
		names := normal(s.Names)
		key := key(names, s.CA)
		set, known := fresh[key]
		if !known {
			set, known = h.get(key)
		}
		if !known {
			set = Set{Key: key, Names: cutNames(names), CA: cut(s.CA), New: h.knows(s.Host)}
		}
		fresh[key] = set.with(s)
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
	return History{Sets: bounded(next, newest)}
}

func (h History) get(key string) (Set, bool) {
	n, found := h.find(key)
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
