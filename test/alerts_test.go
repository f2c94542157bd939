package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"driftprobe/test/world"
)

// sizes are how much is tried. DRIFTPROBE_SOAK=long has those that the promises in
// docs/soak.md are made for.
type sizes struct {
	lanes, hosts         int // for the faults of a receiver
	killLanes, killHosts int
	kills                int // in each lane
	leadLanes, leadHosts int
	changes              int // of the leader, in each lane
	limit                time.Duration
}

func sizesNow() sizes {
	if os.Getenv("DRIFTPROBE_SOAK") == "long" {
		return sizes{lanes: 10, hosts: 100, killLanes: 8, killHosts: 25, kills: 25, leadLanes: 5, leadHosts: 12, changes: 10, limit: 20 * time.Minute}
	}
	return sizes{lanes: 5, hosts: 12, killLanes: 4, killHosts: 6, kills: 2, leadLanes: 1, leadHosts: 3, changes: 3, limit: 2 * time.Minute}
}

// together runs a course in each lane, and returns the sums of the ledgers by place.
func together(t *testing.T, lanes []*lane, courseOf func(*lane) course) map[string]*balance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sizesNow().limit)
	defer cancel()
	var all sync.WaitGroup
	for i, l := range lanes {
		all.Go(func() {
			if err := l.run(ctx, courseOf(l)); err != nil {
				t.Errorf("lane %d: %v", i, err)
			}
		})
	}
	all.Wait()
	sums := map[string]*balance{}
	for _, l := range lanes {
		for _, p := range l.places {
			if sums[p.name] == nil {
				sums[p.name] = &balance{}
			}
			sums[p.name].add(l.ledger.balance(p.name, p.arrived()))
		}
		for _, p := range l.heirs {
			printed, err := os.ReadFile(p.log.Name())
			if err != nil {
				t.Error(err)
			}
			for _, secret := range []string{hookKey, hookPath, strings.TrimPrefix(l.slack.URL(), "http://"+l.slack.Addr().String())} {
				if bytes.Contains(printed, []byte(secret)) {
					t.Errorf("the log shows %q", secret)
				}
			}
		}
		if n := l.hook.Refused(); n > 0 {
			t.Errorf("%d webhooks were not signed with the key", n)
		}
	}
	for name, sum := range sums {
		for _, w := range sum.wrong {
			t.Errorf("%s: %s", name, w)
		}
	}
	return sums
}

// TestNoAlertIsLostToItsReceiver sends through a receiver that fails in all the ways that
// are documented of Slack or seen of networks.
func TestNoAlertIsLostToItsReceiver(t *testing.T) {
	t.Parallel()
	size := sizesNow()
	m := startManager(t, "alertmanager")
	var lanes []*lane
	for i := range size.lanes {
		l := startLane(t, laneSpec{seed: uint64(i), hosts: size.hosts, processes: 1, manager: m})
		l.misbehave(t, size)
		lanes = append(lanes, l)
	}
	began := time.Now()
	sums := together(t, lanes, func(*lane) course { return course{abreast: 8, held: 12 * time.Second} })
	for name, sum := range sums {
		t.Logf("%s, in %s: %s", name, time.Since(began).Round(time.Second), sum)
		if sum.unexplained > 0 {
			t.Errorf("%s: %d messages came twice though the first had been confirmed", name, sum.unexplained)
		}
		if sum.duplicates > sum.accepted/100+1 {
			t.Errorf("%s: %d messages came twice", name, sum.duplicates)
		}
		for _, kind := range []string{"429", "500", "503", "reset"} {
			if sum.faults[kind] == 0 && size.hosts >= 100 {
				t.Errorf("%s: no attempt met %s: %v", name, kind, sum.faults)
			}
		}
		if len(sum.faults) == 0 {
			t.Errorf("%s never failed", name)
		}
	}
}

// TestNoAlertIsLostToKill9 kills the program at random moments.
func TestNoAlertIsLostToKill9(t *testing.T) {
	t.Parallel()
	size := sizesNow()
	var lanes []*lane
	for i := range size.killLanes {
		l := startLane(t, laneSpec{seed: 100 + uint64(i), hosts: size.killHosts, processes: 1})
		l.slowly()
		lanes = append(lanes, l)
	}
	interrupted(t, "kill -9", lanes, size.kills, func(ctx context.Context, l *lane, _ int) error {
		l.speaker.end(os.Kill)
		return l.speaker.start(ctx)
	})
}

// interrupted runs a course in each lane, and strikes so many times in each. What comes twice
// must have been struck.
func interrupted(t *testing.T, what string, lanes []*lane, times int, strike func(ctx context.Context, l *lane, left int) error) {
	t.Helper()
	strikes := make(chan struct{}, times*len(lanes))
	began := time.Now()
	sums := together(t, lanes, func(l *lane) course {
		left, next := times, l.nextKill(0)
		return course{abreast: 4, held: 12 * time.Second, interrupt: func(ctx context.Context, up time.Duration) error {
			if left == 0 || up < next {
				return nil
			}
			left, next = left-1, l.nextKill(up)
			strikes <- struct{}{}
			return strike(ctx, l, left)
		}}
	})
	if len(strikes) < cap(strikes) {
		t.Errorf("%s %d times, not %d", what, len(strikes), cap(strikes))
	}
	for name, sum := range sums {
		t.Logf("%s %d times, %s, in %s: %s", what, len(strikes), name, time.Since(began).Round(time.Second), sum)
		if sum.duplicates > len(strikes) {
			t.Errorf("%s: %d messages came twice", name, sum.duplicates)
		}
	}
}

// TestNoAlertIsLostToAChangeOfLeaders ends the process that alerts, by turns with kill -9 and
// so that it can give its lease back; or stops it for so long that another leads when it goes
// on where it was.
func TestNoAlertIsLostToAChangeOfLeaders(t *testing.T) {
	t.Parallel()
	size := sizesNow()
	c := startCluster(t, world.Claim(t))
	c.Apply(t, "", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: many-leases},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: driftprobe, namespace: driftprobe}]}`)
	var lanes []*lane
	for i := range size.leadLanes {
		section := strings.Replace(c.section, "}", fmt.Sprintf(", lease: driftprobe/lane-%d}", i), 1)
		more := fmt.Sprintf("  events: {enabled: false}\n%sstate: {configmap: driftprobe/lane-%d}\n", section, i)
		l := startLane(t, laneSpec{seed: 200 + uint64(i), hosts: size.leadHosts, more: more, processes: 2})
		l.slowly()
		lanes = append(lanes, l)
	}
	interrupted(t, "change of leaders", lanes, size.changes, func(ctx context.Context, l *lane, left int) error {
		return l.depose(ctx, []os.Signal{os.Kill, syscall.SIGTERM, syscall.SIGSTOP}[left%3])
	})
}

// depose ends or stops the leader, waits for the next one, and starts the old one again.
func (l *lane) depose(ctx context.Context, how os.Signal) error {
	leader, err := l.awaitLeader(ctx, nil)
	if err != nil {
		return err
	}
	again := leader.start
	if how == syscall.SIGSTOP {
		again = func(context.Context) error { return leader.cmd.Process.Signal(syscall.SIGCONT) }
		err = leader.cmd.Process.Signal(how)
	} else {
		leader.end(how)
	}
	if err != nil {
		return err
	}
	if _, err := l.awaitLeader(ctx, leader); err != nil {
		return err
	}
	return again(ctx)
}

// awaitLeader returns the process that leads, and is not a certain one.
func (l *lane) awaitLeader(ctx context.Context, not *speaker) (*speaker, error) {
	for {
		for _, p := range l.heirs {
			if p == not {
				continue
			}
			if text, err := p.get(ctx, "/metrics"); err == nil && strings.Contains(text, "\ndriftprobe_leader{shard=\"\"} 1\n") {
				return p, nil
			}
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, fmt.Errorf("nobody leads: %w", err)
		}
	}
}

// slowly has messages taken, and that said after a while: what is killed in between can't
// know.
func (l *lane) slowly() {
	l.slack.SetFault(l.slack.Trickle)
	l.hook.SetFault(l.hook.TakeSlowly)
}

// nextKill is a moment after up.
func (l *lane) nextKill(up time.Duration) time.Duration {
	return up + 500*time.Millisecond + time.Duration(l.rng.Int64N(int64(2500*time.Millisecond)))
}
