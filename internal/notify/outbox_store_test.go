package notify

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

func TestAFailedSaveIsTriedAgainWithTheNextReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{fail: errors.New("disk full")}
		o := newOutbox(t, store)
		if err := o.Observe(finding.Report{At: time.Now(), Incidents: []finding.Incident{incident(finding.Critical)}}); err == nil {
			t.Error("the failure is not told")
		}
		store.fail = nil
		time.Sleep(time.Second)
		if err := o.Observe(finding.Report{At: time.Now(), Incidents: []finding.Incident{incident(finding.Critical)}}); err != nil || store.saves != 1 {
			t.Errorf("%d saves, %v; want one", store.saves, err)
		}
	})
}

func TestAnAlertIsSentThoughItCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		p := &pipe{name: "a"}
		o := newOutbox(t, &memory{fail: full}, p)
		i := incident(finding.Critical)
		if err := o.Observe(finding.Report{At: time.Now(), Incidents: []finding.Incident{i}}); !errors.Is(err, full) {
			t.Errorf("Observe = %v, want %v", err, full)
		}
		run(t, o, time.Minute)
		wantArrived(t, p, "firing "+moved)
	})
}

func TestRunningClocksAreSavedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		o := newOutbox(t, store)
		for range 180 {
			observe(t, o, "x")
			time.Sleep(time.Second)
		}
		if store.saves != 3 {
			t.Errorf("%d saves in 3 minutes, want 3", store.saves)
		}
	})
}

func TestASinkThatIsNotConfiguredAnyMoreIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		o := newOutbox(t, store, &pipe{name: "old"}, &pipe{name: "new"})
		observe(t, o, "x")
		p := &pipe{name: "new"}
		o = newOutbox(t, store.crash(), p)
		run(t, o, time.Minute)
		wantArrived(t, p, "firing x")
		if n := len(o.State().Queue); n != 0 {
			t.Errorf("%d messages wait for nobody", n)
		}
	})
}

func TestAnUnusableStoredStateStartsEmpty(t *testing.T) {
	for _, stored := range []string{`{"version":9}`, `[]`, `{`} {
		var logged strings.Builder
		store := &memory{values: map[string][]byte{storeName: []byte(stored)}}
		o, err := NewOutbox(atOnce, store, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if len(o.State().Incidents) != 0 || store.aside != 1 || !strings.Contains(logged.String(), "unusable") {
			t.Errorf("%s: state %+v, log %q", stored, o.State(), logged.String())
		}
	}
}

func TestTwoSinksOfOneNameAreRefused(t *testing.T) {
	if _, err := NewOutbox(atOnce, nil, silent, &pipe{name: "a"}, &pipe{name: "a"}); err == nil {
		t.Error("accepted")
	}
}

// hanging is a Store whose writes wait until they are let go.
type hanging struct {
	memory
	begun chan struct{}
	letGo chan struct{}
}

func (h *hanging) Save(name string, value []byte) error {
	h.begun <- struct{}{}
	<-h.letGo
	return h.memory.Save(name, value)
}

// TestAWriteThatHangsDelaysNoDelivery: the state of one delivery is being written for long
// while other messages are sent, and a new one waits until it is written.
func TestAWriteThatHangsDelaysNoDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{begun: make(chan struct{}, 100), letGo: make(chan struct{}, 100)}
		store.letGo <- struct{}{}
		a, b := &pipe{name: "a"}, &pipe{name: "b", errs: []error{&RetryAfterError{Wait: 15 * time.Second, Err: errors.New("down")}}}
		o := newOutbox(t, store, a, b)
		observe(t, o, "x", "y")
		<-store.begun
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { o.Run(ctx) })
		<-store.begun // a has got x, and that is being written
		began := time.Now()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantArrived(t, a, "firing x", "firing y")
		if d := o.Deliveries(); d[0].Queued != 0 || d[1].Queued != 2 {
			t.Errorf("metrics wait for the write: %+v", d)
		}
		running.Go(func() { observe(t, o, "x", "y", "z") })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantArrived(t, a, "firing x", "firing y")
		wantArrived(t, b, "firing x", "firing y") // and not z: that is not written
		if time.Since(began) != 20*time.Second {
			t.Error("the write did not hang")
		}
		close(store.letGo)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantArrived(t, a, "firing x", "firing y", "firing z")
		wantArrived(t, b, "firing x", "firing y", "firing z")
		cancel()
		running.Wait()
		if kept, _ := store.Load(storeName); strings.Contains(string(kept), `"waiting"`) {
			t.Errorf("at the end the store has %s", kept)
		}
	})
}
