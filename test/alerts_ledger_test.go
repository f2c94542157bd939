package test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"driftprobe/internal/lab"
)

// ledger compares what happened with what arrived.
type ledger struct {
	mu sync.Mutex
	// from and to are when each host failed and was mended.
	from, to map[string]time.Time
	// ambiguous are the attempts that the receiver took and the sender can't know of, by
	// entry.
	ambiguous map[string]int
	faults    map[string]int
}

// entry names what a message tells: "h001.soak.example firing".
func entry(text string) string {
	host := hostIn.FindString(text)
	if strings.HasPrefix(text, "[resolved]") {
		return host + " resolved"
	}
	return host + " firing"
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

// fault notes an attempt that was not answered well.
func (l *ledger) fault(name, text string, ambiguous bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.faults == nil {
		l.faults, l.ambiguous = map[string]int{}, map[string]int{}
	}
	l.faults[name]++
	if ambiguous {
		l.ambiguous[entry(text)]++
	}
}

// missing are the entries that have not arrived.
func (l *ledger) missing(arrived []lab.SlackMessage) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := map[string]bool{}
	for _, m := range arrived {
		have[entry(m.Text)] = true
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

// balance is the sum of a ledger.
type balance struct {
	incidents, accepted, duplicates int
	// unexplained are duplicates for which no attempt was ambiguous.
	unexplained int
	wrong       []string // what must never be
	faults      map[string]int
}

func (l *ledger) balance(arrived []lab.SlackMessage) balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := balance{incidents: len(l.from), accepted: len(arrived), faults: l.faults}
	count := map[string]int{}
	for _, m := range arrived {
		e := entry(m.Text)
		host, kind, _ := strings.Cut(e, " ")
		count[e]++
		switch {
		case l.from[host].IsZero():
			b.wrong = append(b.wrong, "nothing was wrong: "+m.Text)
		case kind == "resolved" && count[host+" firing"] == 0:
			b.wrong = append(b.wrong, "an all-clear before the alert: "+m.Text)
		case kind == "resolved" && m.At.Before(l.to[host]):
			b.wrong = append(b.wrong, "a false all-clear: "+m.Text)
		case kind == "firing" && count[host+" resolved"] > 0:
			b.wrong = append(b.wrong, "an alert after its all-clear: "+m.Text)
		}
		if count[e] > 1 {
			b.duplicates++
			if count[e]-1 > l.ambiguous[e] {
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
