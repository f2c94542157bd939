package notify

import (
	"errors"
	"log/slog"
	"strings"
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
		if len(o.State().Incidents) != 0 || !strings.Contains(logged.String(), "unusable") {
			t.Errorf("%s: state %+v, log %q", stored, o.State(), logged.String())
		}
	}
}

func TestTwoSinksOfOneNameAreRefused(t *testing.T) {
	if _, err := NewOutbox(atOnce, nil, silent, &pipe{name: "a"}, &pipe{name: "a"}); err == nil {
		t.Error("accepted")
	}
}
