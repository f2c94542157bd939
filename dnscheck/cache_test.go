package dnscheck

import (
	"context"
	"fmt"
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
