package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"driftprobe/internal/lab"
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
	return sizes{lanes: 5, hosts: 12, killLanes: 4, killHosts: 6, kills: 2, leadLanes: 1, leadHosts: 3, changes: 2, limit: 2 * time.Minute}
}

// together runs a course in each lane, and returns the sum of the ledgers.
func together(t *testing.T, lanes []*lane, courseOf func(*lane) course) balance {
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
	var sum balance
	for _, l := range lanes {
		sum.add(l.ledger.balance(l.slack.Messages.All()))
	}
	for _, w := range sum.wrong {
		t.Error(w)
	}
	return sum
}

// TestNoAlertIsLostToItsReceiver sends through a receiver that fails in all the ways that
// are documented of Slack or seen of networks.
func TestNoAlertIsLostToItsReceiver(t *testing.T) {
	t.Parallel()
	size := sizesNow()
	var lanes []*lane
	for i := range size.lanes {
		l := startLane(t, uint64(i), size.hosts, "", 1)
		l.slack.SetFault(l.misbehave(size))
		lanes = append(lanes, l)
	}
	began := time.Now()
	sum := together(t, lanes, func(*lane) course { return course{abreast: 8, held: 12 * time.Second} })
	t.Logf("in %s: %s", time.Since(began).Round(time.Second), sum)
	if sum.unexplained > 0 {
		t.Errorf("%d messages came twice though the first had been confirmed", sum.unexplained)
	}
	if sum.duplicates > sum.accepted/100+1 {
		t.Errorf("%d messages came twice", sum.duplicates)
	}
}

// misbehave fails about one attempt in four.
func (l *lane) misbehave(size sizes) lab.HTTPFault {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(l.rng.Uint64(), 1))
	hangs := size.lanes / 10 // one takes as long as the sender waits
	return func(w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var p struct {
			Text        string
			Attachments []json.RawMessage
		}
		if err != nil || json.Unmarshal(body, &p) != nil {
			return false
		}
		mu.Lock()
		f := faultOf(rng.IntN(200), &hangs)
		mu.Unlock()
		// What Slack refuses is a layout, never plain text.
		if f.do == nil || f.name == "400 invalid_payload" && len(p.Attachments) == 0 {
			return false
		}
		l.ledger.fault(f.name, p.Text, f.ambiguous)
		return f.do(l.slack, w, r)
	}
}

// trouble is one way to fail. It is ambiguous if the message is taken and the sender can't
// know.
type trouble struct {
	name      string
	ambiguous bool
	do        func(s *lab.Slack, w http.ResponseWriter, r *http.Request) bool
}

func faultOf(draw int, hangs *int) trouble {
	plain := func(f lab.HTTPFault) func(*lab.Slack, http.ResponseWriter, *http.Request) bool {
		return func(_ *lab.Slack, w http.ResponseWriter, r *http.Request) bool { return f(w, r) }
	}
	status := func(code int, body string) trouble {
		return trouble{name: fmt.Sprint(code, " ", body), do: plain(lab.HTTPStatus(code, body))}
	}
	switch {
	case draw < 1: // taken, and the answer lost: these are what may come twice
		return trouble{"half an answer", true, func(s *lab.Slack, w http.ResponseWriter, r *http.Request) bool { return s.Half(w, r) }}
	case draw < 9:
		return trouble{name: "429", do: plain(lab.HTTPTooMany(time.Second, "rate_limited"))}
	case draw < 16:
		return status(500, "rollup_error")
	case draw < 22:
		return status(503, "<html>busy</html>")
	case draw < 28:
		return status(200, "<html>a login page</html>")
	case draw < 34:
		return status(400, "invalid_payload")
	case draw < 42:
		return trouble{name: "reset", do: plain(lab.HTTPReset)}
	case draw < 48:
		return trouble{"a slow body", false, func(s *lab.Slack, w http.ResponseWriter, r *http.Request) bool { return s.Trickle(w, r) }}
	case draw < 49 && *hangs > 0:
		*hangs--
		return trouble{name: "no answer", do: plain(lab.HTTPHang)}
	}
	return trouble{}
}

// TestNoAlertIsLostToKill9 kills the program at random moments.
func TestNoAlertIsLostToKill9(t *testing.T) {
	t.Parallel()
	size := sizesNow()
	var lanes []*lane
	for i := range size.killLanes {
		l := startLane(t, 100+uint64(i), size.killHosts, "", 1)
		l.slack.SetFault(l.slow)
		lanes = append(lanes, l)
	}
	kills := make(chan struct{}, size.kills*size.killLanes)
	began := time.Now()
	sum := together(t, lanes, func(l *lane) course {
		left, next := size.kills, l.nextKill(0)
		return course{abreast: 4, held: 12 * time.Second, interrupt: func(ctx context.Context, up time.Duration) error {
			if left == 0 || up < next {
				return nil
			}
			left, next = left-1, l.nextKill(up)
			kills <- struct{}{}
			l.speaker.end(os.Kill)
			return l.speaker.start(ctx)
		}}
	})
	t.Logf("%d times kill -9 in %s: %s", len(kills), time.Since(began).Round(time.Second), sum)
	if len(kills) < cap(kills) || sum.duplicates > len(kills) {
		t.Errorf("%d kills of %d, %d messages came twice", len(kills), cap(kills), sum.duplicates)
	}
}

// TestNoAlertIsLostToAChangeOfLeaders ends the process that alerts, by turns with kill -9
// and so that it can give its lease back.
func TestNoAlertIsLostToAChangeOfLeaders(t *testing.T) {
	t.Parallel()
	size := sizesNow()
	c := startCluster(t, world.Claim(t))
	c.Apply(t, "", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: many-leases},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: driftprobe, namespace: driftprobe}]}`)
	var lanes []*lane
	for i := range size.leadLanes {
		section := strings.Replace(c.section, "}", fmt.Sprintf(", lease: driftprobe/lane-%d}", i), 1)
		l := startLane(t, 200+uint64(i), size.leadHosts, fmt.Sprintf("  events: false\n%sstate: {configmap: driftprobe/lane-%d}\n", section, i), 2)
		l.slack.SetFault(l.slow)
		lanes = append(lanes, l)
	}
	changes := make(chan struct{}, size.changes*size.leadLanes)
	began := time.Now()
	sum := together(t, lanes, func(l *lane) course {
		left, next := size.changes, l.nextKill(0)
		return course{abreast: 4, held: 12 * time.Second, interrupt: func(ctx context.Context, up time.Duration) error {
			if left == 0 || up < next {
				return nil
			}
			how := []os.Signal{os.Kill, syscall.SIGTERM}[left%2]
			left, next = left-1, l.nextKill(up)
			changes <- struct{}{}
			return l.depose(ctx, how)
		}}
	})
	t.Logf("%d changes of leaders in %s: %s", len(changes), time.Since(began).Round(time.Second), sum)
	if len(changes) < cap(changes) || sum.duplicates > len(changes) {
		t.Errorf("%d changes of %d, %d messages came twice", len(changes), cap(changes), sum.duplicates)
	}
}

// depose ends the leader, waits for the next one, and starts the old one again.
func (l *lane) depose(ctx context.Context, how os.Signal) error {
	leader, err := l.awaitLeader(ctx)
	if err != nil {
		return err
	}
	leader.end(how)
	if _, err := l.awaitLeader(ctx); err != nil {
		return err
	}
	return leader.start(ctx)
}

func (l *lane) awaitLeader(ctx context.Context) (*speaker, error) {
	for {
		for _, p := range l.heirs {
			if text, err := p.get(ctx, "/metrics"); err == nil && strings.Contains(text, "\ndriftprobe_leader 1\n") {
				return p, nil
			}
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, fmt.Errorf("nobody leads: %w", err)
		}
	}
}

// slow takes a message, and takes its time to say so: what is killed in between can't
// know.
func (l *lane) slow(w http.ResponseWriter, r *http.Request) bool { return l.slack.Trickle(w, r) }

// nextKill is a moment after up.
func (l *lane) nextKill(up time.Duration) time.Duration {
	return up + 500*time.Millisecond + time.Duration(l.rng.Int64N(int64(2500*time.Millisecond)))
}
