package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"driftprobe/finding"
)

// Enqueue adds messages that the sinks of the routes must deliver. Of the end of a time
// without a network only the end is told to who has not got the beginning: it says both.
// Beyond the bound the oldest are dropped, reminders first.
func Enqueue(s State, routes []Route, messages []Message) State {
	for _, m := range messages {
		if m.Kind == Resolved && m.Incident.Code == finding.SelfOffline {
			s = release(s, func(_ string, q Queued) bool { return q.Message.Incident.ID == m.Incident.ID })
		}
	}
	s.Queue = append(slices.Clone(s.Queue), addressed(routes, messages)...)
	for len(s.Queue) > maxQueue {
		oldest := max(0, slices.IndexFunc(s.Queue, func(q Queued) bool { return q.Message.Kind == Repeat }))
		s.Queue = slices.Delete(s.Queue, oldest, oldest+1)
		s.Dropped++
	}
	return s
}

// addressed puts messages on the way to their sinks, those of a storm as one.
func addressed(routes []Route, messages []Message) []Queued {
	waiting := make([][]string, len(messages))
	queue := make([]Queued, 0, len(messages))
	for _, r := range routes {
		of := map[Kind][]int{}
		for n, m := range messages {
			if m.To == nil || slices.Contains(m.To, r.Sink) {
				of[m.Kind] = append(of[m.Kind], n)
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(of)) {
			if r.Storm == 0 || len(of[kind]) <= r.Storm {
				for _, n := range of[kind] {
					waiting[n] = append(waiting[n], r.Sink)
				}
				continue
			}
			m := storm(messages, of[kind])
			if i := slices.IndexFunc(queue, func(q Queued) bool { return q.Message.Key == m.Key }); i >= 0 {
				queue[i].Waiting = append(queue[i].Waiting, r.Sink)
			} else {
				queue = append(queue, Queued{m, []string{r.Sink}})
			}
		}
	}
	for n, m := range messages {
		if len(waiting[n]) > 0 {
			queue = append(queue, Queued{m, waiting[n]})
		}
	}
	return queue
}

// storm makes one message of many of one kind.
func storm(all []Message, chosen []int) Message {
	hash := sha256.New()
	m := all[chosen[0]]
	cause := finding.Count(len(chosen), "incident", "incidents") + " at once"
	whole := Message{Kind: m.Kind, At: m.At, FirstSeen: m.FirstSeen, Resolved: m.Resolved, Shard: m.Shard}
	whole.Incident = finding.Incident{ID: "storm", Code: m.Incident.Code, Severity: m.Incident.Severity, State: m.Incident.State, Cause: cause}
	for _, n := range chosen {
		m, i := all[n], &whole.Incident
		hash.Write([]byte(m.Key + "\n"))
		i.Severity = max(i.Severity, m.Incident.Severity)
		if m.FirstSeen.Before(whole.FirstSeen) {
			whole.FirstSeen = m.FirstSeen
		}
		if len(i.Evidence) < maxNotes {
			i.Evidence = append(i.Evidence, finding.Note{Label: m.Incident.Severity.String(), Text: finding.Printable(aloud(m), 200)})
		}
	}
	if rest := len(chosen) - maxNotes; rest > 0 {
		whole.Incident.Evidence = append(whole.Incident.Evidence, finding.Note{Label: "and", Text: fmt.Sprintf("%d more", rest)})
	}
	whole.Key = "storm@" + m.At.UTC().Format(time.RFC3339) + "#" + hex.EncodeToString(hash.Sum(nil)[:8])
	return whole
}

// aloud is an incident in one line.
func aloud(m Message) string {
	switch {
	case m.HostCount == 0:
		return m.Cause()
	case m.HostCount == 1 && len(m.Incident.Hosts) == 1:
		return m.Cause() + ": " + m.Incident.Hosts[0]
	}
	return m.Cause() + ": " + finding.Count(m.HostCount, "hostname", "hostnames")
}

// Delivered notes that a sink has taken the message with this key.
func Delivered(s State, sink, key string) State {
	return release(s, func(name string, q Queued) bool { return name == sink && q.Message.Key == key })
}

// Retain forgets that sinks other than these wait for anything: they are not
// configured any more.
func Retain(s State, sinks []string) State {
	return release(s, func(name string, _ Queued) bool { return !slices.Contains(sinks, name) })
}

// Waiting returns the oldest message that a sink has not taken yet, and how many
// there are.
func Waiting(s State, sink string) (Message, int) {
	var first Message
	n := 0
	for _, q := range s.Queue {
		if slices.Contains(q.Waiting, sink) {
			if n == 0 {
				first = q.Message
			}
			n++
		}
	}
	return first, n
}

// release takes sinks off the queue, and messages that no sink waits for.
func release(s State, done func(sink string, q Queued) bool) State {
	queue := make([]Queued, 0, len(s.Queue))
	for _, q := range s.Queue {
		q.Waiting = slices.DeleteFunc(slices.Clone(q.Waiting), func(name string) bool { return done(name, q) })
		if len(q.Waiting) > 0 {
			queue = append(queue, q)
		}
	}
	s.Queue = queue
	return s
}
