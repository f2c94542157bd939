package monitor

import (
	"encoding/binary"
	"hash/fnv"
	"strconv"
	"time"
)

// entry is one key of a lane.
type entry[K comparable] struct {
	key  K
	hash uint64
	due  time.Time
	// began is when the newest look started.
	began time.Time
	// pos is the place in the queue; -1 while the key is being looked at.
	pos int
	// gone: the key has left the lane. again: look once more after this look.
	// overdue: this look has been given up.
	gone, again, overdue bool
}

// queue is a heap (container/heap) of entries by due time.
type queue[K comparable] []*entry[K]

func (q queue[K]) Len() int { return len(q) }

func (q queue[K]) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].hash < q[j].hash
	}
	return q[i].due.Before(q[j].due)
}

func (q queue[K]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].pos, q[j].pos = i, j
}

// Push is for container/heap.
func (q *queue[K]) Push(x any) {
	e := x.(*entry[K])
	e.pos = len(*q)
	*q = append(*q, e)
}

// Pop is for container/heap.
func (q *queue[K]) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.pos = -1
	return e
}

// slot is the first moment after the given one that is the key's own in the
// interval. It depends on nothing but the hash and the wall clock, so that a
// restart changes no key's place.
func slot(hash uint64, interval time.Duration, after time.Time) time.Time {
	phase := time.Duration(hash % uint64(interval))
	within := time.Duration(uint64(after.UnixNano()) % uint64(interval))
	wait := phase - within
	if wait <= 0 {
		wait += interval
	}
	// Add keeps the monotonic reading: a step of the wall clock delays no look.
	return after.Add(wait)
}

func hashName(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func hashProbe(k probeKey) uint64 {
	h := fnv.New64a()
	h.Write([]byte(k.target))
	a := k.address.Addr().As16()
	h.Write(a[:])
	h.Write(binary.BigEndian.AppendUint16(nil, k.address.Port()))
	return h.Sum64()
}

func hashNumber(n int) uint64 { return hashName(strconv.Itoa(n)) }
