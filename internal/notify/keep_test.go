package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

// However many incidents there are and however long their texts: the state has room in a
// ConfigMap or not much more, and what it holds goes on after a restart.
func TestTheStoredStateIsSmallWhateverIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		huge := strings.Repeat("x<!channel>", 100_000)
		const command = "kubectl patch service traefik --namespace traefik \\\n  --patch '{}'"
		r := finding.Report{At: time.Now()}
		for n := range 1000 {
			i := incident(finding.Critical)
			i.ID, i.Cause, i.Recovery, i.Hosts = fmt.Sprint("i", n), huge, huge, []string{fmt.Sprintf("h%d.shop.example", n)}
			i.Evidence = slices.Repeat([]finding.Note{{Label: huge, Text: huge}}, 5)
			i.Fix = append(slices.Repeat([]finding.Step{{Text: huge, Command: huge}}, 5), finding.Step{Text: huge, Command: command})
			r.Incidents = append(r.Incidents, i)
		}
		store, p := &memory{}, &pipe{name: "a"}
		o := newOutbox(t, store, p)
		if err := o.Observe(r); err != nil {
			t.Fatal(err)
		}
		if n := len(store.values[storeName]); n > 4<<20 {
			t.Errorf("%d bytes are stored", n)
		}
		o = newOutbox(t, store.crash(), p)
		if s := o.State(); len(s.Incidents) != maxTracked || len(s.Queue) != maxQueue || s.Incidents[0].Message.Incident.Evidence == nil {
			t.Errorf("%d incidents and %d messages are left", len(s.Incidents), len(s.Queue))
		}
		// Half a command does something else.
		if fix := o.State().Queue[0].Message.Incident.Fix; len(fix) != 1 || fix[0].Command != command || len(fix[0].Text) > 200 {
			t.Errorf("what is to be done is %.300v", fix)
		}
		run(t, o, 10*time.Second)
		if len(p.arrived) < 5 || p.arrived[0] != "firing i0" {
			t.Errorf("it goes on with %q", p.arrived)
		}
	})
}
