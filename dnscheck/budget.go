package dnscheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"sync"
)

// Bounds on the questions of one observation, so that whoever writes a zone can
// make us ask neither others nor himself without end. A name costs a few questions to
// find its servers, and two for each of their addresses. The bounds let pass what no
// name of good will exceeds: an alias through four zones, each on eight servers with
// two addresses, which are named in another zone and not known yet, takes 78
// questions to find them and 4·32 to judge.
//
// All together: 100 + 2·26 + 2·(64 + 11·2) + 24 + 40 = 388, or questionLimit where the
// servers of a name refer further down and it begins once more. Servers that a zone had
// (former.go) count among its 26. Servers beside those of
// the delegation (beside.go) are looked for at most once a minute, mostly once in 10 min,
// for all names of a zone: 20 to find them, and 5 to those who could name them. One is a
// packet or two, as silence is asked twice; a server that is silent all the time is asked
// once from the fourth question on (deadAfter).
const (
	// walkBudget bounds the questions that find the servers of the first name, as
	// resolvers do. Each alias that is followed adds aliasBudget, up to walkMost.
	walkBudget  = 40
	aliasBudget = 20
	walkMost    = 100
	// raceLimit bounds the servers of one zone that are asked for a delegation.
	raceLimit = 8
	// laterServers bounds the server addresses that are judged for all names after the
	// first; aliases can lead through as many zones as there are steps. Each name still
	// gets leastServers.
	laterServers = 64
	leastServers = 2
	// strayLimit bounds the names of servers for which no address is found: a hostile
	// delegation names many in somebody else's zone (NXNSAttack, CVE-2020-8616).
	strayLimit = 8
	// vainLimit is how many questions to one address may be in vain. One that never
	// speaks for a zone that is delegated to it may have been named to hurt it.
	vainLimit = 8
	// wildcardBudget bounds the questions about wildcards.
	wildcardBudget = 24
	// againBudget bounds the questions to servers that disagree (observe_again.go). Without one
	// of them less is said of why, so its end is no limit to tell of.
	againBudget = 40
	// questionLimit bounds all of them, whatever they are for.
	questionLimit = 400
)

// budget is what one observation may still ask. It is safe for concurrent use.
type budget struct {
	mu        sync.Mutex
	cut       string // the first limit met
	walking   int    // questions spent to find servers
	aliases   int    // names followed, beside the first
	later     int    // addresses judged for them
	strays    map[string]bool
	strayMost int // of them, strayLimit if it is 0
	wildcards int
	again     int
	besides   int
	questions int
	vain      map[netip.AddrPort]vain
}

// vain are the questions to one address that brought nothing, if all did.
type vain struct {
	spoke   bool
	times   int
	outcome Outcome // of the last
	detail  string
}

// limit notes why the walk ends early.
func (b *budget) limit(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(why)
}

// note is limit; the lock is held.
func (b *budget) note(why string) {
	if b.cut == "" {
		b.cut = why
	}
}

// walkMax is how many questions may be spent to find servers; the lock is held.
func (b *budget) walkMax() int { return min(walkBudget+b.aliases*aliasBudget, walkMost) }

// spend takes one question that is to find servers.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.walking++; b.walking <= b.walkMax() {
		return true
	}
	b.note(fmt.Sprintf("more than %d questions were needed to find the name servers", b.walkMax()))
	return false
}

// spent tells whether no question is left to find servers.
func (b *budget) spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.walking > b.walkMax()
}

// alias notes that one more name is followed.
func (b *budget) alias() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aliases++
}

// spendWildcard takes one question about wildcards.
func (b *budget) spendWildcard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wildcards++; b.wildcards <= wildcardBudget {
		return true
	}
	b.note(fmt.Sprintf("more than %d questions were needed to find wildcards", wildcardBudget))
	return false
}

// spendAgain takes one question to a server that disagrees with others.
func (b *budget) spendAgain() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.again++
	return b.again <= againBudget
}

// share gives of the servers of a name after the first those that may be asked. If
// they are fewer, they are taken from all over the list, which is by name.
func (b *budget) share(servers []Server) []Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(servers), max(laterServers-b.later, leastServers))
	b.later += n
	if n == len(servers) {
		return servers
	}
	b.note(fmt.Sprintf("the aliases lead to more than %d server addresses", laterServers))
	fewer := make([]Server, n)
	for i := range fewer {
		fewer[i] = servers[i*len(servers)/n]
	}
	return fewer
}

// spare gives those of a name's further servers that laterServers leaves room for.
func (b *budget) spare(servers []Server) []Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(servers), max(0, laterServers-b.later))
	b.later += n
	return servers[:n]
}

// mayFindBeside takes one zone for which servers beside its delegation are looked for.
func (b *budget) mayFindBeside() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.besides++
	return b.besides <= besideZones
}

// stray notes that a server's name has no address.
func (b *budget) stray(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.strays == nil {
		b.strays = map[string]bool{}
	}
	b.strays[host] = true
}

// mayLookUp tells whether the addresses of a server may be looked for.
func (b *budget) mayLookUp(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.strays) < cmp.Or(b.strayMost, strayLimit) || b.strays[host]
}

// straysLeft is how many more names of servers may be without an address.
func (b *budget) straysLeft() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, cmp.Or(b.strayMost, strayLimit)-len(b.strays))
}

// mayAsk takes one question to an address. If it is not to be put, why says what to
// tell instead of an answer.
func (b *budget) mayAsk(at netip.AddrPort) (why reply, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v := b.vain[at]; v.times >= vainLimit && !v.spoke {
		return reply{outcome: v.outcome, detail: fmt.Sprintf("%s; after %d questions in vain it was not asked again", v.detail, v.times)}, false
	}
	if b.questions++; b.questions > questionLimit {
		return reply{outcome: unasked, detail: fmt.Sprintf("more than %d questions were needed", questionLimit)}, false
	}
	return reply{}, true
}

// told notes what a question to an address brought: useful, or an outcome in vain.
func (b *budget) told(at netip.AddrPort, useful bool, a Answer) {
	if a.Outcome == unasked {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.vain == nil {
		b.vain = map[netip.AddrPort]vain{}
	}
	v := b.vain[at]
	switch {
	case useful:
		v.spoke = true
	case v.times < vainLimit:
		v.times, v.outcome, v.detail = v.times+1, a.Outcome, a.Detail
	}
	b.vain[at] = v
}
