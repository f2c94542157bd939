package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// With three shards instead of two the first name stays in shard 0, the second in shard 1,
// and the third moves from shard 0 to the new one.
const stays, other, moves = "c.shop.example", "a.shop.example", "q.shop.example"

func TestTheNamesAreWhereTheTestsWantThem(t *testing.T) {
	for name, want := range map[string][2]int{stays: {0, 0}, other: {1, 1}, moves: {0, 2}} {
		for n, count := range []int{2, 3} {
			if !(inventory.Shard{Index: want[n], Count: count}).Holds(name) {
				t.Errorf("%s is not in shard %d/%d", name, want[n], count)
			}
		}
	}
}

// A shard that is started with another count goes on with what it still has, and says
// nothing of what is another's now: that is neither resolved nor unwatched.
func TestAnotherCountOfShardsResolvesNothing(t *testing.T) {
	before, after := inventory.Shard{Index: 0, Count: 2}, inventory.Shard{Index: 0, Count: 3}
	named := func(ns, name string, hosts ...string) finding.Incident {
		i := incident(finding.Critical, hosts...)
		i.ID = strings.Join(append([]string{ns + "/" + name}, hosts...), " ")
		i.Subject = finding.Subject{Namespace: ns, Name: name}
		if hosts == nil {
			i.Hosts = nil
		}
		return i
	}
	source := named("", "")
	source.Subject.Source = "kubernetes"
	var theirs string // an object that falls to the new shard
	for n := range 100 {
		if theirs = fmt.Sprint("service-", n); before.Speaks("a", theirs) && !after.Speaks("a", theirs) {
			break
		}
	}
	told := []finding.Incident{named("a", "b", stays), named("a", "b", moves), named("a", "b", stays, moves), named("a", theirs), source}
	p := Policy{Pending: atOnce.Pending, ResolveAfter: time.Minute, Shard: before, Watched: map[string]Host{stays: {}, moves: {}}}
	s, first := Next(p, State{}, finding.Report{At: start, Incidents: told})
	if len(first) != len(told) {
		t.Fatalf("%d messages, want %d", len(first), len(told))
	}
	for _, m := range first {
		if m.Shard != "0/2" || !strings.HasSuffix(m.Key, "@0/2") {
			t.Errorf("shard %q, key %s", m.Shard, m.Key)
		}
	}

	p.Shard, p.Watched = after, map[string]Host{stays: {}}
	stored, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOutbox(p, &memory{values: map[string][]byte{storeName: stored}}, silent)
	if err != nil {
		t.Fatal(err)
	}
	s = o.State()
	a := &Alertmanager{}
	for _, alert := range a.alerts(nil, s, start.Add(time.Minute)) {
		if !alert.EndsAt.After(start.Add(time.Minute)) || alert.Labels["shard"] != "0" {
			t.Errorf("an Alertmanager is told %+v", alert)
		}
	}
	var said []string
	for m := range 3 {
		var messages []Message
		s, messages = Next(p, s, finding.Report{At: start.Add(time.Duration(m+1) * time.Minute)})
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%s %s %v %d %s", m.Kind, m.Incident.ID, m.Incident.Hosts, m.HostCount, m.Shard))
		}
	}
	slices.Sort(said)
	want := []string{
		"resolved / [] 0 0/3",
		fmt.Sprintf("resolved a/b %s %s [%s] 1 0/3", stays, moves, stays),
		fmt.Sprintf("resolved a/b %s [%s] 1 0/3", stays, stays),
	}
	slices.Sort(want)
	if !slices.Equal(said, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}

// What was found last may all have moved, while what was hit before has not.
func TestWhatStaysOfAnIncidentIsItsHosts(t *testing.T) {
	shard := inventory.Shard{Index: 0, Count: 3}
	i := incident(finding.Critical, moves)
	s := State{Incidents: []Tracked{{Visible: true, Listed: true, ToldHosts: 2, Touched: []string{moves, stays}, Message: Message{Incident: i, HostCount: 1}}}}
	got := handedOver(shard, s).Incidents
	if len(got) != 1 || !slices.Equal(got[0].Message.Incident.Hosts, []string{stays}) || !slices.Equal(got[0].Touched, []string{stays}) || got[0].ToldHosts != 1 {
		t.Errorf("%+v", got)
	}
	if got := handedOver(inventory.Shard{}, s).Incidents; len(got) != 1 || got[0].Message.HostCount != 1 || len(got[0].Touched) != 2 {
		t.Errorf("without shards %+v", got)
	}
}

// Two shards can have an incident of one name: neither may speak for the other.
func TestTwoShardsSpeakApart(t *testing.T) {
	shared := map[string]string{}
	a := &Alertmanager{Cluster: "prod"}
	for n, host := range []string{stays, other} {
		p := Policy{Pending: atOnce.Pending, Shard: inventory.Shard{Index: n, Count: 2}}
		s, messages := Next(p, State{}, finding.Report{At: start, Incidents: []finding.Incident{incident(finding.Critical, host)}})
		keys := []string{messages[0].Key}
		for id := range a.alerts(nil, s, start) {
			keys = append(keys, id)
		}
		for _, k := range keys {
			if shared[k] != "" {
				t.Errorf("both shards say %s", k)
			}
			shared[k] = host
		}
		if got, want := headline(messages[0], "prod"), fmt.Sprintf(" (prod, shard %d/2)", n); !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
		if got := headline(messages[0], ""); !strings.Contains(got, fmt.Sprintf(" (shard %d/2)", n)) {
			t.Errorf("%q names no shard", got)
		}
	}
}
