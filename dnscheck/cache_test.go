package dnscheck

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeptForgetsAfterTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kept[int]
		k.put("a", 1, keepFor(0))
		time.Sleep(keepAtLeast - 1)
		if v, ok := k.get("a"); !ok || v != 1 {
			t.Errorf("before the lower bound: %d, %t", v, ok)
		}
		time.Sleep(time.Nanosecond)
		if _, ok := k.get("a"); ok {
			t.Error("a TTL of 0 is kept for longer than the lower bound")
		}
		k.put("b", 2, keepFor(1<<31-1))
		time.Sleep(keepAtMost)
		if _, ok := k.get("b"); ok {
			t.Error("kept for longer than the upper bound")
		}
	})
}

func TestKeptIsBounded(t *testing.T) {
	var k kept[int]
	for i := range keptLimit + 10 {
		k.put(fmt.Sprint(i), i, time.Hour)
	}
	if n := len(k.entries); n > keptLimit {
		t.Errorf("%d entries", n)
	}
}

// worstEntries are the largest that a hostile zone can put into each cache.
func worstEntries(i int) (string, delegation, hostAddrs, Answer) {
	name := fmt.Sprintf("%d.%s", i, strings.Repeat(`\255`, 240))
	d := delegation{zone: name}
	for n := range nameLimit {
		d.names = append(d.names, nameServer{host: fmt.Sprint(n, name), at: make([]netip.AddrPort, glueLimit)})
	}
	return name, d, hostAddrs{addrs: make([]netip.Addr, glueLimit), why: Answer{Detail: strings.Clone(name)}},
		Answer{Addresses: make([]netip.Addr, addressLimit), Target: strings.Clone(name)}
}

// heapInUse is what lives on the heap.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestTheCachesAreBoundedInBytes(t *testing.T) {
	before := heapInUse()
	var r Resolver
	for i := range keptLimit / 4 {
		name, d, h, a := worstEntries(i)
		r.zones.put(name, d, time.Hour)
		r.places.put(name, name, time.Hour)
		r.hosts.put(name, h, time.Hour)
		r.wildcards.put(name, a, time.Hour)
	}
	counted := r.zones.bytes + r.places.bytes + r.hosts.bytes + r.wildcards.bytes
	took := heapInUse() - before
	runtime.KeepAlive(&r)
	t.Logf("%d KiB counted, %d KiB taken", counted>>10, took>>10)
	if counted > 4*keptBytes || took > 64<<20 {
		t.Errorf("the caches take %d bytes, by their own count %d", took, counted)
	}
}

func TestTheBytesOfACacheAreThoseOfItsEntries(t *testing.T) {
	var k kept[delegation]
	for i := range 3000 {
		name, d, _, _ := worstEntries(i % 1000)
		k.put(name, d, time.Hour)
		if i%7 == 0 {
			k.drop(name)
		}
	}
	sum := 0
	for _, e := range k.entries {
		sum += e.bytes
	}
	if k.bytes != sum || sum == 0 {
		t.Errorf("%d bytes counted, the entries have %d", k.bytes, sum)
	}
}

func TestKeptDropsWhatIsNeverAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kept[int]
		for i := range 20 * keptLeast {
			k.put(fmt.Sprint(i), i, time.Minute)
			time.Sleep(time.Second)
			if n := len(k.entries); n > keptLeast {
				t.Fatalf("%d entries, of which 60 are fresh", n)
			}
		}
		k.put("used", 1, time.Hour)
		for i := range 2 * keptLeast {
			k.put(fmt.Sprint(i), i, time.Hour)
		}
		if v, ok := k.get("used"); !ok || v != 1 {
			t.Error("a fresh entry was dropped")
		}
	})
}

func TestLeadLetsOneWorkAndTheOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kept[int]
		leave := k.lead(t.Context(), "a")
		if leave == nil {
			t.Fatal("the first does not lead")
		}
		followed := false
		go func() {
			if k.lead(t.Context(), "a") != nil {
				t.Error("a second leads as well")
			}
			followed = true
		}()
		synctest.Wait()
		if followed {
			t.Error("the second did not wait")
		}
		leave()
		synctest.Wait()
		if !followed {
			t.Error("the second waits for ever")
		}
		again := k.lead(t.Context(), "a")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if k.lead(ended, "a") != nil {
			t.Error("leads although another does")
		}
		again()
	})
}
