package notify

import "slices"

// Enqueue adds messages that the sinks must deliver. With no sinks there is
// nothing to wait for. Beyond the bound the oldest are dropped, reminders first.
func Enqueue(s State, sinks []string, messages []Message) State {
	if len(sinks) == 0 {
		return s
	}
	s.Queue = slices.Clone(s.Queue)
	for _, m := range messages {
		s.Queue = append(s.Queue, Queued{Message: m, Waiting: slices.Clone(sinks)})
	}
	for len(s.Queue) > maxQueue {
		oldest := max(0, slices.IndexFunc(s.Queue, func(q Queued) bool { return q.Message.Kind == Repeat }))
		s.Queue = slices.Delete(s.Queue, oldest, oldest+1)
		s.Dropped++
	}
	return s
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
