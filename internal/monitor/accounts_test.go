package monitor

import (
	"reflect"
	"testing"
	"time"

	"driftprobe/lbcheck"
)

func TestAFailedListLeavesTheLastCompleteOneStanding(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	full := lbcheck.Observation{Provider: "one", At: at, Balancers: []lbcheck.Balancer{{ID: "a"}}}
	other := lbcheck.Observation{Provider: "two", At: at, Balancers: []lbcheck.Balancer{{ID: "b"}}}
	failed := func(provider string) lbcheck.Observation {
		return lbcheck.Observation{Provider: provider, Failure: "no answer"}
	}
	held := full
	held.Failure = "no answer"

	t.Run("before any account reports, the lists from before stand", func(t *testing.T) {
		a := newAccounts(2, []lbcheck.Observation{other, full})
		if got := a.list(); !reflect.DeepEqual(got, []lbcheck.Observation{full, other}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a failure of the same provider keeps its list and says so", func(t *testing.T) {
		a := newAccounts(2, []lbcheck.Observation{other, full})
		a.settle(1, failed("one"))
		a.settle(0, lbcheck.Observation{Provider: "two", At: at.Add(time.Minute)})
		want := []lbcheck.Observation{held, {Provider: "two", At: at.Add(time.Minute)}}
		if got := a.list(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a panic keeps the name of the account", func(t *testing.T) {
		a := newAccounts(1, nil)
		a.settle(0, full)
		if got := a.settle(0, failed(unknownProvider)); !reflect.DeepEqual(got, held) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a panic at the first look is taken for the only account from before", func(t *testing.T) {
		a := newAccounts(1, []lbcheck.Observation{full})
		if got := a.settle(0, failed(unknownProvider)); !reflect.DeepEqual(got, held) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("an account that has not answered yet is no empty one", func(t *testing.T) {
		a := newAccounts(2, nil)
		a.settle(0, full)
		if got := a.list(); a.answered() || len(got) != 2 || got[0].Failure == "" || !got[0].At.IsZero() {
			t.Errorf("got %+v, answered %t", got, a.answered())
		}
		if a.settle(1, other); !a.answered() {
			t.Error("both have answered")
		}
	})
	t.Run("two accounts of one provider are two", func(t *testing.T) {
		a := newAccounts(2, nil)
		a.settle(0, full)
		a.settle(1, lbcheck.Observation{Provider: "one", At: at})
		if got := a.list(); len(got) != 2 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("lists of accounts that are configured no more are dropped", func(t *testing.T) {
		a := newAccounts(1, []lbcheck.Observation{other})
		a.settle(0, full)
		if got := a.list(); !reflect.DeepEqual(got, []lbcheck.Observation{full}) {
			t.Errorf("got %+v", got)
		}
	})
}
