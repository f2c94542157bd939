package test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// ledger compares what happened with what arrived in each place.
type ledger struct {
	mu sync.Mutex
	// from and to are when each host failed and was mended.
	from, to map[string]time.Time
	// trouble is what each place did instead of answering well.
	trouble map[string]*trouble
}

// trouble counts, for one place, the attempts that it took and the sender can't know of, by
// entry, and all that were not answered well, by their kind.
type trouble struct {
	ambiguous, faults map[string]int
}

// arrival is one message that a place took.
type arrival struct {
	at       time.Time
	host     string
	resolved bool
	text     string
}

// entry names what it tells: "h001.soak.example firing".
func (a arrival) entry() string {
	if a.resolved {
		return a.host + " resolved"
	}
	return a.host + " firing"
}

// slackArrival reads the first line of a message.
func slackArrival(at time.Time, text string) arrival {
	return arrival{at, hostIn.FindString(text), strings.HasPrefix(text, "[resolved]"), text}
}

// hookArrival reads the JSON of docs/alerting.md.
func hookArrival(at time.Time, body []byte) (arrival, error) {
	var m struct {
		Kind, Key string
		Incident  struct{ Hosts []string }
	}
	err := json.Unmarshal(body, &m)
	return arrival{at, hostIn.FindString(strings.Join(m.Incident.Hosts, " ")), m.Kind == "resolved", m.Kind + " " + m.Key}, err
}

var hostIn = regexp.MustCompile(`h\d{3}\.soak\.example`)

func (l *ledger) broken(host string) { l.note(&l.from, host) }
func (l *ledger) mended(host string) { l.note(&l.to, host) }

func (l *ledger) note(at *map[string]time.Time, host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *at == nil {
		*at = map[string]time.Time{}
	}
	(*at)[host] = time.Now()
}

// fault notes an attempt that a place did not answer well.
func (l *ledger) fault(place, name string, a arrival, ambiguous bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble == nil {
		l.trouble = map[string]*trouble{}
	}
	if l.trouble[place] == nil {
		l.trouble[place] = &trouble{map[string]int{}, map[string]int{}}
	}
	l.trouble[place].faults[name]++
	if ambiguous {
		l.trouble[place].ambiguous[a.entry()]++
	}
}

// missing are the entries that have not arrived.
func (l *ledger) missing(arrived []arrival) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := map[string]bool{}
	for _, a := range arrived {
		have[a.entry()] = true
	}
	var none []string
	for host := range l.from {
		for _, kind := range []string{" firing", " resolved"} {
			if !have[host+kind] {
				none = append(none, host+kind)
			}
		}
	}
	slices.Sort(none)
	return none
}

// balance is the sum of a ledger for one place.
type balance struct {
	incidents, accepted, duplicates int
	// unexplained are duplicates for which no attempt was ambiguous.
	unexplained int
	wrong       []string // what must never be
	faults      map[string]int
}

func (l *ledger) balance(place string, arrived []arrival) balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := balance{incidents: len(l.from), accepted: len(arrived)}
	known := l.trouble[place]
	if known == nil {
		known = &trouble{}
	}
	b.faults = known.faults
	count := map[string]int{}
	for _, m := range arrived {
		e, host := m.entry(), m.host
		count[e]++
		switch {
		case l.from[host].IsZero():
			b.wrong = append(b.wrong, "nothing was wrong: "+m.text)
		case m.resolved && count[host+" firing"] == 0:
			b.wrong = append(b.wrong, "an all-clear before the alert: "+m.text)
		case m.resolved && m.at.Before(l.to[host]):
			b.wrong = append(b.wrong, "a false all-clear: "+m.text)
		case !m.resolved && count[host+" resolved"] > 0:
			b.wrong = append(b.wrong, "an alert after its all-clear: "+m.text)
		}
		if count[e] > 1 {
			b.duplicates++
			if count[e]-1 > known.ambiguous[e] {
				b.unexplained++
			}
		}
	}
	return b
}

func (b *balance) add(c balance) {
	b.incidents += c.incidents
	b.accepted += c.accepted
	b.duplicates += c.duplicates
	b.unexplained += c.unexplained
	b.wrong = append(b.wrong, c.wrong...)
	if b.faults == nil {
		b.faults = map[string]int{}
	}
	for name, n := range c.faults {
		b.faults[name] += n
	}
}

func (b balance) String() string {
	return fmt.Sprintf("%d incidents, %d messages accepted, %d of them twice (%d without an ambiguous attempt), %d wrong; faults: %v",
		b.incidents, b.accepted, b.duplicates, b.unexplained, len(b.wrong), b.faults)
}
