package test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/situation"
	"driftprobe/internal/trial"
	"driftprobe/test/world"
)

// labNet is the network of a test, as the lab names it.
func labNet(n world.Net) lab.Net {
	b := n.Addr(0).As4()
	return lab.NewNet(b[1], b[2])
}

// startSituation serves the row by the lab, on port 53 or, with 0, on a free one.
func startSituation(t *testing.T, s situation.Situation, n world.Net, port uint16) *situation.World {
	t.Helper()
	var w *situation.World
	// A process that another test starts has our sockets until it is itself, so a
	// port that was closed a moment ago can be in use.
	err := world.Poll(t, 10*time.Second, func(context.Context) (err error) {
		w, err = s.Start(labNet(n), port)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// judge looks at the row's host in a network whose servers run, and judges; limit
// bounds each look. change makes the row's Later come true.
func judge(t *testing.T, s situation.Situation, n world.Net, limit time.Duration, resolvers []netip.AddrPort, change func() error) trial.Verdict {
	t.Helper()
	at := func(last byte) netip.AddrPort { return netip.AddrPortFrom(n.Addr(last), 53) }
	v, err := trial.Judge(t.Context(), s, dnscheck.Settings{Roots: []netip.AddrPort{at(1)}, Timeout: limit, Resolvers: resolvers}, at, change)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantVerdict fails the test unless exactly the findings that the row wants were made.
func wantVerdict(t *testing.T, s situation.Situation, v trial.Verdict) {
	t.Helper()
	for _, fault := range v.Faults(s) {
		t.Error(fault)
	}
	if t.Failed() {
		t.Logf("observed:\n%s", indent(v.Seen))
	}
}
