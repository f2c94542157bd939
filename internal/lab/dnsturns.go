package lab

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Turns makes a server give other records each time, as providers do that weigh
// addresses or hand out parts of a large set. Its choices come from a seed, in the
// order of the questions for which there is something to choose.
type Turns struct {
	mu     sync.Mutex
	random *rand.Rand
}

// NewTurns starts a row of choices.
func NewTurns(seed uint64) *Turns { return &Turns{random: rand.New(rand.NewPCG(seed, seed))} }

// Subset gives n of the addresses that the zone has for a name.
func (t *Turns) Subset(n int) Fault {
	return func(_ Query, truth *dns.Msg) Reply {
		isAddress := func(rr dns.RR) bool {
			return rr.Header().Rrtype == dns.TypeA || rr.Header().Rrtype == dns.TypeAAAA
		}
		var set, others []dns.RR
		for _, rr := range truth.Answer {
			if isAddress(rr) {
				set = append(set, rr)
			} else {
				others = append(others, rr)
			}
		}
		if len(set) > n {
			slices.SortFunc(set, func(a, b dns.RR) int { return strings.Compare(a.String(), b.String()) })
			t.shuffle(set)
			truth.Answer = append(others, set[:n]...)
		}
		return Send(truth)
	}
}

func (t *Turns) shuffle(set []dns.RR) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.random.Shuffle(len(set), func(i, k int) { set[i], set[k] = set[k], set[i] })
}

// Weighted gives one of the addresses that the zone has for a name: the first in the
// order of their text with the first weight, and so on. What has no weight is not
// given.
func (t *Turns) Weighted(weights ...int) Fault {
	return func(q Query, truth *dns.Msg) Reply {
		if len(truth.Answer) > 1 && truth.Answer[0].Header().Rrtype == q.Type && (q.Type == dns.TypeA || q.Type == dns.TypeAAAA) {
			slices.SortFunc(truth.Answer, func(a, b dns.RR) int { return strings.Compare(a.String(), b.String()) })
			truth.Answer = truth.Answer[t.choose(weights):][:1]
		}
		return Send(truth)
	}
}

// Alias makes name an alias of one of the targets, each as often as its weight says.
func (t *Turns) Alias(name string, targets []string, weights ...int) Fault {
	return ForName(name, func(q Query, truth *dns.Msg) Reply {
		truth.Rcode, truth.Ns = dns.RcodeSuccess, nil
		truth.Answer = []dns.RR{&dns.CNAME{
			Hdr:    dns.RR_Header{Name: q.Msg.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60},
			Target: targets[t.choose(weights)],
		}}
		return Send(truth)
	})
}

func (t *Turns) choose(weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	t.mu.Lock()
	drawn := t.random.IntN(sum)
	t.mu.Unlock()
	for i, w := range weights {
		if drawn < w {
			return i
		}
		drawn -= w
	}
	return len(weights) - 1
}
