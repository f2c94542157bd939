package dnscheck

import (
	"context"
	"sync"
	"time"
)

// Delegations are kept for their TTL within these bounds: the lower one spares
// servers that say 0. The upper one lets a move to other servers be seen: top-level
// domains say two days, in which the old servers often go on answering.
const (
	keepAtLeast = 5 * time.Second
	keepAtMost  = 10 * time.Minute
)

// keptLimit and keptBytes bound each cache; hostile names could fill it. Up to
// keptLeast entries nothing is dropped for their number; from there on what has
// expired is dropped each time that the cache has doubled, so that what is never
// asked for again does not stay.
//
// A name has 255 bytes, and 1,000 in its text when each is escaped. A delegation of
// 26 such servers with 8 addresses each has 36 KB, which would be 1.8 GB for 50,000
// of them; so the bytes count, and the seven caches (zones, places, hosts, besides,
// servings, quiet, wildcards) have 84 MiB together.
const (
	keptLimit = 50_000
	keptLeast = 1_000
	keptBytes = 12 << 20
)

func keepFor(ttl uint32) time.Duration {
	return min(max(time.Duration(ttl)*time.Second, keepAtLeast), keepAtMost)
}

// kept is a cache whose users can also share the work of filling it. The zero
// value is ready.
type kept[V any] struct {
	mu      sync.Mutex
	entries map[string]entry[V]
	// full is how many entries it may have before what has expired is dropped.
	full    int
	bytes   int // of all entries
	running map[string]chan struct{}
}

type entry[V any] struct {
	value   V
	expires time.Time
	bytes   int
}

// bytesOf is about what an entry takes in memory.
func bytesOf(key string, value any) int {
	const (
		slot    = 400 // in the map, with the largest value's own fields
		server  = 40
		address = 32
	)
	n := slot + len(key)
	switch v := value.(type) {
	case string:
		n += len(v)
	case delegation:
		n += len(v.zone)
		for _, s := range v.names {
			n += server + len(s.host) + address*cap(s.at)
		}
	case hostAddrs:
		n += address*cap(v.addrs) + len(v.why.Detail) + len(v.alias)
	case []Serving:
		for _, s := range v {
			n += slot
			for _, at := range s.Servers {
				n += 2*address + len(at.Name)
			}
		}
	case Answer:
		n += address*cap(v.Addresses) + len(v.Server.Name) + len(v.Target) + len(v.DNAME) + len(v.Detail)
	}
	return n
}

func (k *kept[V]) get(key string) (V, bool) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.entries[key]
	if !ok || !now.Before(e.expires) {
		var zero V
		return zero, false
	}
	return e.value, true
}

// last is what was put in, also if it has expired, as long as it is there.
func (k *kept[V]) last(key string) (V, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.entries[key]
	return e.value, ok
}

// expire makes an entry one that has expired.
func (k *kept[V]) expire(key string) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.entries[key]; ok {
		e.expires = now
		k.entries[key] = e
	}
}

func (k *kept[V]) put(key string, value V, ttl time.Duration) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil {
		k.entries = map[string]entry[V]{}
	}
	fresh := entry[V]{value, now.Add(ttl), bytesOf(key, value)}
	k.remove(key)
	if len(k.entries) >= max(k.full, keptLeast) || k.bytes+fresh.bytes > keptBytes {
		k.shrink(now)
		k.full = min(2*len(k.entries), keptLimit)
	}
	k.entries[key] = fresh
	k.bytes += fresh.bytes
}

// shrink drops what has expired, and if that is not enough half of the rest.
func (k *kept[V]) shrink(now time.Time) {
	for key, e := range k.entries {
		if !now.Before(e.expires) {
			k.remove(key)
		}
	}
	if len(k.entries) < keptLimit && k.bytes < keptBytes*3/4 {
		return
	}
	for key := range k.entries {
		if len(k.entries) <= keptLimit/2 && k.bytes <= keptBytes/2 {
			return
		}
		k.remove(key)
	}
}

func (k *kept[V]) drop(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(key)
}

// remove drops an entry, if it is there; the lock is held.
func (k *kept[V]) remove(key string) {
	k.bytes -= k.entries[key].bytes
	delete(k.entries, key)
}

// lead makes the caller the one who does the work named by key; it calls leave
// afterwards. If another does it already, lead waits for that one, or for ctx,
// and returns nil: the caller looks into the cache again. Whoever leads must not
// wait for another lead that could wait for him.
func (k *kept[V]) lead(ctx context.Context, key string) (leave func()) {
	k.mu.Lock()
	if busy, ok := k.running[key]; ok {
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
		}
		return nil
	}
	defer k.mu.Unlock()
	if k.running == nil {
		k.running = map[string]chan struct{}{}
	}
	busy := make(chan struct{})
	k.running[key] = busy
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.running, key)
		close(busy)
	}
}
