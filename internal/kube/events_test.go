package kube

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/lab"
	"driftprobe/internal/notify"
)

func told(kind notify.Kind, key string) notify.Message {
	return notify.Message{
		Key: key, Kind: kind, At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), HostCount: 2,
		Incident: finding.Incident{
			ID: "balancer-moved:traefik/traefik", Code: finding.DNSStaleRecord, Severity: finding.Critical,
			Subject: finding.Subject{Namespace: "traefik", Name: "traefik"},
			Cause:   "DNS still points at a load balancer that no longer exists", Hosts: []string{"a.example", "b.example"},
			Recovery: "by 12:47 if you fix it now",
		},
	}
}

// teller is the sink of a cluster with one Service.
func teller(t *testing.T, log *bytes.Buffer) (*lab.Kubernetes, *Events) {
	t.Helper()
	k := newServer(t, service("traefik", "traefik"))
	s := Settings{}
	if log != nil {
		s.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	return k, synced(t, k, s).Events("pod_1")
}

func send(t *testing.T, e *Events, m notify.Message) {
	t.Helper()
	if err := e.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestAnIncidentIsOneEventOfItsService(t *testing.T) {
	k, e := teller(t, nil)
	send(t, e, told(notify.Firing, "1"))
	later := told(notify.Repeat, "2")
	later.At = later.At.Add(time.Hour)
	later.Incident.Cause = "it is worse"
	send(t, e, later)
	send(t, e, later) // its answer was lost
	all := k.List("Event")
	if len(all) != 1 {
		t.Fatalf("%d Events, want one: %v", len(all), all)
	}
	uid := k.Get("Service", "traefik", "traefik")["metadata"].(object)["uid"]
	for field, want := range map[string]any{
		"type": "Warning", "reason": "StaleRecord", "action": "Alert", "count": 2.0, "reportingComponent": "driftprobe", "reportingInstance": "pod_1",
		"firstTimestamp": "2026-11-24T12:00:00Z", "lastTimestamp": "2026-11-24T13:00:00Z",
		"message": "it is worse (2 hostnames: a.example, b.example); clients recover by 12:47 if you fix it now",
	} {
		if all[0][field] != want {
			t.Errorf("%s: %v, want %v", field, all[0][field], want)
		}
	}
	about := all[0]["involvedObject"].(object)
	for field, want := range map[string]any{"kind": "Service", "namespace": "traefik", "name": "traefik", "uid": uid} {
		if about[field] != want {
			t.Errorf("about %s: %v, want %v", field, about[field], want)
		}
	}

	send(t, e, told(notify.Resolved, "3"))
	all = k.List("Event")
	if len(all) != 2 {
		t.Fatalf("%d Events after the end, want two: %v", len(all), all)
	}
	for _, event := range all {
		if event["type"] == "Normal" && !strings.HasPrefix(event["message"].(string), "resolved: DNS still") {
			t.Errorf("the all-clear says %q", event["message"])
		}
	}
	other := told(notify.Firing, "1")
	other.Incident.ID = "another"
	send(t, e, other)
	if n := len(k.List("Event")); n != 3 {
		t.Errorf("%d Events with another incident, want three", n)
	}
}

// What is over warns of nothing, whether it was mended or is not watched any more.
func TestTheEndIsANormalEvent(t *testing.T) {
	for kind, want := range map[notify.Kind][2]string{
		notify.Firing:    {"Warning", "DNS still"},
		notify.Flapping:  {"Warning", "DNS still"},
		notify.Resolved:  {"Normal", "resolved: DNS still"},
		notify.Unwatched: {"Normal", "no longer watched, nobody saw it mended: DNS still"},
	} {
		k, e := teller(t, nil)
		send(t, e, told(kind, "1"))
		event := k.List("Event")[0]
		text := event["message"].(string)
		if event["type"] != want[0] || !strings.HasPrefix(text, want[1]) || strings.Contains(text, "clients recover") != (want[0] == "Warning") {
			t.Errorf("%s: %s %q", kind, event["type"], text)
		}
	}
}

// The cluster forgets Events after an hour.
func TestAnEventThatWasForgottenBeginsAnew(t *testing.T) {
	k, e := teller(t, nil)
	send(t, e, told(notify.Firing, "1"))
	name := k.List("Event")[0]["metadata"].(object)["name"].(string)
	if err := k.Delete("Event", "traefik", name); err != nil {
		t.Fatal(err)
	}
	send(t, e, told(notify.Repeat, "2"))
	if all := k.List("Event"); len(all) != 1 || all[0]["count"] != 1.0 {
		t.Errorf("%v, want one that counts from one", all)
	}
}

func TestWhatIsNoServicesIsNobodysEvent(t *testing.T) {
	k, e := teller(t, nil)
	for _, s := range []finding.Subject{{}, {Host: "a.example"}, {Namespace: "traefik", Name: "gone"}} {
		m := told(notify.Firing, "1")
		m.Incident.Subject = s
		send(t, e, m)
	}
	if all := k.List("Event"); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

// What waited over a restart comes before the Services are known.
func TestAnEventWaitsUntilTheServicesAreRead(t *testing.T) {
	k := newServer(t, service("traefik", "traefik"))
	here := []string{"traefik", "shop"}
	c, err := Open(Settings{Kubeconfig: kubeconfig(t, k), Namespaces: here})
	if err != nil {
		t.Fatal(err)
	}
	e := c.Events("pod_1")
	var unready *notify.NotYetError
	if err := e.Send(t.Context(), told(notify.Firing, "1")); !errors.As(err, &unready) {
		t.Errorf("Send = %v, want that it is tried again soon", err)
	}
	host := told(notify.Firing, "1")
	host.Incident.Subject = finding.Subject{Host: "a.example"}
	send(t, e, host)
	e = synced(t, k, Settings{Namespaces: here}).Events("pod_1")
	send(t, e, told(notify.Firing, "1"))
	if n := len(k.List("Event")); n != 1 {
		t.Errorf("%d Events, want one", n)
	}
	k.SetAllowed("services", false)
	send(t, synced(t, k, Settings{}).Events("pod_1"), told(notify.Firing, "2")) // there is nothing to wait for
	if n := len(k.List("Event")); n != 1 {
		t.Errorf("%d Events, want one", n)
	}
}

func TestWithoutTheRightEventsAreGivenUpAndThatIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	k, e := teller(t, &log)
	k.SetAllowed("events", false)
	for range 3 {
		asked := k.Requests.Len()
		var over *notify.GivenUpError
		if err := e.Send(t.Context(), told(notify.Firing, "1")); !errors.As(err, &over) {
			t.Errorf("Send = %v, want that it is given up", err)
		}
		if n := k.Requests.Len() - asked; n != 1 {
			t.Errorf("%d requests for one message, want 1", n)
		}
	}
	if n := strings.Count(log.String(), "grant create, get and update on events"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, log.String())
	}
	k.SetAllowed("events", true)
	send(t, e, told(notify.Firing, "1"))
	if n := len(k.List("Event")); n != 1 {
		t.Errorf("%d Events after the right was granted, want one", n)
	}
}

func TestTroubleOfTheServerIsTriedAgain(t *testing.T) {
	k, e := teller(t, nil)
	k.SetFault(lab.HTTPFor(http.MethodPost, "/api/v1/namespaces/traefik/events", lab.KubeError(500, "InternalError", "etcdserver: leader changed")))
	var over *notify.GivenUpError
	if err := e.Send(t.Context(), told(notify.Firing, "1")); err == nil || errors.As(err, &over) {
		t.Errorf("Send = %v, want an error that is tried again", err)
	}
	k.SetFault(lab.HTTPFor(http.MethodPost, "/api/v1/namespaces/traefik/events", lab.HTTPHang))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.Send(ctx, told(notify.Firing, "1")); err == nil || errors.As(err, &over) {
		t.Errorf("Send = %v, want an error that is tried again", err)
	}
	k.SetFault(nil)
	send(t, e, told(notify.Firing, "1"))
}

func TestANoteIsShortAndPlain(t *testing.T) {
	m := told(notify.Firing, "1")
	m.Incident.Cause = "\x1b[2J<!channel>\n" + strings.Repeat("ü", 2000)
	text := note(m)
	if len(text) > maxNote || len(text) < maxNote-8 || strings.ContainsAny(text, "\x1b\n") || !strings.HasSuffix(text, "…") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
	k, e := teller(t, nil)
	send(t, e, m)
	if len(k.List("Event")) != 1 {
		t.Error("the API server does not take it")
	}
}

func TestReasonsAreOneWord(t *testing.T) {
	for _, entry := range finding.Catalogue() {
		got := reason(entry.Code)
		if got == "" || strings.ContainsAny(got, "-/ ") || got[:1] != strings.ToUpper(got[:1]) || len(got) > 128 {
			t.Errorf("%s: %q", entry.Code, got)
		}
	}
	if got := reason(finding.DNSStaleRecord); got != "StaleRecord" {
		t.Errorf("%q", got)
	}
}
