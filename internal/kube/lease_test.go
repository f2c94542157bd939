package kube

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"driftprobe/internal/lab"
)

// longLease is looked at often, and ends in no test, however slow the machine is.
func longLease(t *testing.T, k *lab.Kubernetes, self string, log *bytes.Buffer) *Lease {
	t.Helper()
	l := connected(t, k, log).Lease("ours", "lead", self)
	l.lasts, l.stop, l.retry = time.Hour, time.Hour/2, 20*time.Millisecond
	return l
}

// quickLease is for tests that wait for its end.
func quickLease(t *testing.T, k *lab.Kubernetes, self string, log *bytes.Buffer) *Lease {
	t.Helper()
	l := longLease(t, k, self, log)
	l.lasts, l.stop = time.Second, 600*time.Millisecond
	return l
}

// candidate runs for a lease until stopped.
type candidate struct {
	*Lease
	led   chan context.Context // one for each time that it came to lead
	stop  context.CancelFunc
	ended chan struct{}
}

func stand(t *testing.T, l *Lease) *candidate {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &candidate{Lease: l, led: make(chan context.Context, 100), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		l.Run(ctx, func(leading context.Context) {
			c.led <- leading
			<-leading.Done()
		})
	}()
	t.Cleanup(func() { stop(); <-c.ended })
	return c
}

// awaitLead returns the context of the next time that the candidate leads.
func (c *candidate) awaitLead(t *testing.T) context.Context {
	t.Helper()
	select {
	case ctx := <-c.led:
		return ctx
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not come to lead", c.self)
		return nil
	}
}

func awaitEnd(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal(what + " does not end")
	}
}

func leaseSpec(k *lab.Kubernetes) object {
	spec, _ := k.Get("Lease", "ours", "lead")["spec"].(object)
	return spec
}

func leaseOf(holder string, spec object) object {
	all := object{"holderIdentity": holder, "leaseDurationSeconds": 1, "leaseTransitions": 4, "renewTime": "2020-01-01T00:00:00.000000Z"}
	for key, value := range spec {
		all[key] = value
	}
	return object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": object{"namespace": "ours", "name": "lead"}, "spec": all}
}

func TestTheLeadIsGivenBackAndTakenOver(t *testing.T) {
	k := newServer(t)
	a := stand(t, longLease(t, k, "a", nil))
	leading := a.awaitLead(t)
	if spec := leaseSpec(k); spec["holderIdentity"] != "a" || spec["leaseDurationSeconds"] != 3600.0 || spec["leaseTransitions"] != 0.0 {
		t.Errorf("the first holder: %v", spec)
	}
	b := stand(t, longLease(t, k, "b", nil))
	if _, err := k.Requests.Wait(t.Context(), k.Requests.Len()+10); err != nil { // of both
		t.Fatal(err)
	}
	if b.Leads() || !a.Leads() {
		t.Errorf("a leads: %t, b leads: %t; want a", a.Leads(), b.Leads())
	}
	a.stop()
	awaitEnd(t, "a", a.ended)
	if a.Leads() || leading.Err() == nil {
		t.Error("a leads after its end")
	}
	b.awaitLead(t)
	if spec := leaseSpec(k); spec["holderIdentity"] != "b" || spec["leaseTransitions"] != 1.0 {
		t.Errorf("the second holder: %v", spec)
	}
}

// The holder's clock says nothing: its lease counts from when we saw it.
func TestALeaseOfADeadHolderIsTakenAfterItsTime(t *testing.T) {
	k := newServer(t, leaseOf("dead", nil))
	began := time.Now()
	c := stand(t, quickLease(t, k, "heir", nil))
	c.awaitLead(t)
	if took := time.Since(began); took < time.Second {
		t.Errorf("taken after %s, before the lease of a second was over", took)
	}
	if spec := leaseSpec(k); spec["holderIdentity"] != "heir" || spec["leaseTransitions"] != 5.0 {
		t.Errorf("the heir's: %v", spec)
	}
}

func TestALeaseThatSaysItLastsForeverIsTakenAfterAnHour(t *testing.T) {
	for _, seconds := range []any{1e12, -1, "x", 1.5} {
		l := quickLease(t, newServer(t), "a", nil)
		found := l.object(time.Now())
		found.Object["spec"].(object)["leaseDurationSeconds"] = seconds
		if f, ok := seconds.(float64); ok && f == 1e12 {
			found.Object["spec"].(object)["leaseDurationSeconds"] = int64(f)
		}
		l.note("1", time.Now().Add(-time.Hour-time.Second))
		if !l.expired(found, time.Now()) {
			t.Errorf("%v: not over after an hour", seconds)
		}
		l.note("2", time.Now())
		if l.expired(found, time.Now()) {
			t.Errorf("%v: over at once", seconds)
		}
	}
}

func TestWhoCannotRenewStopsBeforeAnotherMayLead(t *testing.T) {
	k := newServer(t)
	var log bytes.Buffer
	a := stand(t, quickLease(t, k, "a", &log))
	leading := a.awaitLead(t)
	refuses, refused := lab.KubeError(500, "InternalError", "etcdserver: leader changed"), make(chan struct{})
	k.SetFault(lab.HTTPFor(http.MethodPut, "/apis/coordination.k8s.io/", func(w http.ResponseWriter, r *http.Request) bool {
		select {
		case refused <- struct{}{}:
		default:
		}
		return refuses(w, r)
	}))
	awaitEnd(t, "leading", leading.Done())
	last, err := time.Parse(time.RFC3339, leaseSpec(k)["renewTime"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if since := time.Since(last); since > time.Second && !t.Failed() {
		t.Logf("this machine is slow: stopped after %s", since)
	}
	if a.Leads() {
		t.Error("it leads still")
	}
	for range 3 { // of which it has heard when the next one comes
		<-refused
	}
	k.SetFault(nil)
	a.awaitLead(t)
	a.stop()
	awaitEnd(t, "a", a.ended)
	if !strings.Contains(log.String(), "leader changed") {
		t.Errorf("it does not say why the lease can't be renewed:\n%s", log.String())
	}
	before := ""
	for line := range strings.Lines(log.String()) {
		_, text, _ := strings.Cut(line, " level=") // after the time
		if text == before {
			t.Errorf("said twice in a row: %s", text)
		}
		before = text
	}
}

func TestAServerThatHangsEndsTheLead(t *testing.T) {
	k := newServer(t)
	a := stand(t, quickLease(t, k, "a", nil))
	leading := a.awaitLead(t)
	k.SetFault(lab.HTTPHang)
	awaitEnd(t, "leading", leading.Done())
	k.SetFault(nil)
	a.awaitLead(t)
}

func TestWithoutTheRightEveryProcessLeads(t *testing.T) {
	k := newServer(t, leaseOf("other", object{"leaseDurationSeconds": 3600}))
	k.SetAllowed("leases", false)
	var log bytes.Buffer
	a := stand(t, longLease(t, k, "a", &log))
	leading := a.awaitLead(t)
	asked := k.Requests.Len()
	if _, err := k.Requests.Wait(t.Context(), asked+3); err != nil || leading.Err() != nil {
		t.Fatalf("it does not go on: %v, %v", err, leading.Err())
	}
	k.SetAllowed("leases", true)
	awaitEnd(t, "leading beside another", leading.Done())
	a.stop()
	awaitEnd(t, "a", a.ended)
	if text := log.String(); strings.Count(text, "grant get, create and update on leases") != 1 {
		t.Errorf("it does not say once what to grant:\n%s", text)
	}
}

// Three processes come and go, and some requests fail.
func TestNeverTwoLead(t *testing.T) {
	k := newServer(t)
	var failing atomic.Uint64
	k.SetFault(lab.HTTPWhen(func(r *http.Request) bool {
		return r.Method != http.MethodGet && failing.Add(1)%5 == 0
	}, lab.HTTPReset))
	var leaders, terms atomic.Int64
	var all sync.WaitGroup
	enough, end := context.WithCancel(t.Context())
	defer end()
	for _, self := range []string{"a", "b", "c"} {
		l := longLease(t, k, self, nil)
		all.Go(func() {
			for enough.Err() == nil {
				ctx, stop := context.WithCancel(enough)
				l.Run(ctx, func(leading context.Context) {
					if n := leaders.Add(1); n != 1 {
						t.Errorf("%d lead", n)
					}
					switch n := terms.Add(1); {
					case n == 30:
						end()
					case n%3 != 0:
						stop()
					default: // it loses the lease
						l.mu.Lock()
						l.until = time.Now()
						l.mu.Unlock()
					}
					<-leading.Done()
					leaders.Add(-1)
				})
				stop()
			}
		})
	}
	all.Wait()
}
