package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"driftprobe/finding"
	"driftprobe/internal/lab"
	"driftprobe/internal/notify"
)

var update = flag.Bool("update", false, "write the golden files")

var began = time.Date(2026, 11, 7, 11, 41, 0, 0, time.UTC)

// postMortem is the message of the outage that the program exists for.
func postMortem() notify.Message {
	record := func(owner string) *finding.Record {
		return &finding.Record{Zone: "shop.example", Owner: owner, Type: "A", Values: []string{"203.0.113.77"}}
	}
	return notify.Message{
		Key: "k", Kind: notify.Firing, At: began.Add(6 * time.Minute), HostCount: 14, Zone: "shop.example", FirstSeen: began,
		SeenOn: []string{"ns1.digitalocean.com. (192.0.2.1)", "ns2.digitalocean.com. (192.0.2.2)", "ns3.digitalocean.com. (192.0.2.3)"}, SeenOnCount: 3,
		Incident: finding.Incident{
			ID: "balancer-moved:traefik/traefik", Severity: finding.Critical, State: finding.Firing,
			Cause: "DNS still points at a load balancer that no longer exists",
			Hosts: []string{"api.shop.example", "www.shop.example", "auth.shop.example", "shop.example"},
			Evidence: []finding.Note{
				{Label: "traefik/traefik", Text: "203.0.113.10 → 203.0.113.77, replaced 6 min ago"},
				{Label: "traefik/traefik", Text: `DigitalOcean 4f0c1b52… "k8s-main", active, answers correctly for all 14 hostnames`},
				{Label: "published", Text: "203.0.113.10 on 3 of 3 authoritative servers of shop.example; there: timeout while connecting; owned by no load balancer of this account: it may be given to a stranger"},
				{Label: "so", Text: "only DNS is wrong. Load balancer, certificates and applications are fine."},
			},
			Fix: []finding.Step{
				{Text: "set these records in the zone shop.example:"},
				{Record: record("shop.example"), Text: "TTL 3600 → 300"},
				{Record: record("*.shop.example")},
				{Command: "doctl compute domain records update shop.example --record-id 21"},
			},
			Recovery: "by 12:47:00 UTC if you fix it now (TTL 3600 s); 8.8.8.8 holds the old answer for 41 min",
		},
	}
}

func slackAt(t *testing.T, url string) *notify.Slack {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return notify.NewSlack(func() (string, error) { return url, nil }, client, "prod-fra1", "")
}

func startLab(t *testing.T) *lab.Slack {
	t.Helper()
	s, err := lab.NewSlack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestMessagesOnSlack(t *testing.T) {
	repeat, resolved, drained, command, bare := postMortem(), postMortem(), postMortem(), postMortem(), notify.Message{}
	repeat.Kind, repeat.At = notify.Repeat, began.Add(26*time.Hour)
	resolved.Kind, resolved.Resolved = notify.Resolved, began.Add(40*time.Second)
	drained.Kind, drained.Draining, drained.Resolved = notify.Resolved, began.Add(11*time.Minute), began.Add(66*time.Minute)
	command.Incident.Severity = finding.Unknown
	command.Incident.Fix = []finding.Step{{Text: "read the log"}, {Command: "kubectl logs deploy/traefik | grep `acme`"}}
	command.Incident.Recovery = "at once"
	command.Incident.Hosts, command.HostCount = command.Incident.Hosts[:1], 1
	command.SeenOn, command.SeenOnCount = []string{"ns.a.example.", "ns.b.example.", "203.0.113.10", "2001:db8::1"}, 9
	bare.Kind, bare.Incident.Severity, bare.Incident.Cause = notify.Firing, finding.Warning, "something is odd"
	hostile := postMortem()
	bad := "<!channel> & <https://evil.example|click>\n\x1b[31m\u202e`"
	hostile.Incident.Cause, hostile.Zone = bad, bad
	hostile.Incident.Evidence = []finding.Note{{Label: bad, Text: bad}}
	hostile.Incident.Hosts = []string{bad, bad}
	hostile.Incident.Fix[1].Record.Values = []string{bad}
	hostile.Incident.Recovery, hostile.SeenOn = bad, []string{bad}

	server := startLab(t)
	for name, m := range map[string]notify.Message{
		"firing": postMortem(), "repeat": repeat, "resolved": resolved, "drained": drained, "command": command, "bare": bare, "hostile": hostile,
	} {
		t.Run(name, func(t *testing.T) {
			server.Messages.Reset()
			slack := slackAt(t, server.URL())
			if err := slack.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := server.Messages.All()
			if len(got) != 1 || slack.Fallbacks() != 0 {
				t.Fatalf("%d messages, %d as plain text", len(got), slack.Fallbacks())
			}
			golden(t, "testdata/"+name+".json", got[0].Body)
		})
	}
}

func golden(t *testing.T, file string, body []byte) {
	t.Helper()
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("differs from %s (write it anew with -update):\n%s", file, out.String())
	}
}

// Slack refuses a message that is over its limits, so the longest must fit.
func TestTheLongestMessageIsAccepted(t *testing.T) {
	m := postMortem()
	long := strings.Repeat("&", 2000)
	m.Incident.Cause, m.Incident.Recovery = long, long
	m.Incident.Evidence = slices.Repeat([]finding.Note{{Label: long, Text: long}}, 20)
	m.Incident.Fix = slices.Repeat([]finding.Step{{Text: long}, {Record: &finding.Record{Owner: long, Type: "A", Values: []string{long}}}}, 15)
	m.Incident.Hosts, m.SeenOn = slices.Repeat([]string{long}, 20), slices.Repeat([]string{long}, 5)
	server := startLab(t)
	slack := slackAt(t, server.URL())
	if err := slack.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if slack.Fallbacks() != 0 {
		t.Error("the layout was refused")
	}
	body := string(server.Messages.All()[0].Body)
	if !utf8.ValidString(body) || strings.Contains(strings.ReplaceAll(body, "&amp;", ""), "&") {
		t.Error("an escaped character was cut in two")
	}
}

func TestAnswers(t *testing.T) {
	cases := []struct {
		rule  string
		fault lab.HTTPFault
		says  string
		wait  time.Duration // of a RetryAfterError, -1 for none
		dead  bool
	}{
		{"200 without ok is no success", lab.HTTPStatus(200, "<html>login</html>"), `not with the body "ok"`, -1, false},
		{"403 is a dead hook", lab.HTTPStatus(403, "action_prohibited"), "403 action_prohibited", -1, true},
		{"404 is a dead hook", lab.HTTPStatus(404, "no_service"), "404 no_service", -1, true},
		{"410 is a dead hook", lab.HTTPStatus(410, "channel_is_archived"), "410 channel_is_archived", -1, true},
		{"429 says when to come back", lab.HTTPTooMany(17*time.Second, "rate_limited"), "429", 17 * time.Second, false},
		{"429 without a time has a default", lab.HTTPStatus(429, ""), "429", 30 * time.Second, false},
		{"500 is tried again", lab.HTTPStatus(500, "rollback_error"), "500 rollback_error", -1, false},
		{"503 may say when to come back", withHeader("Retry-After", "9", lab.HTTPStatus(503, "")), "503", 9 * time.Second, false},
		{"an absurd wait is bounded", withHeader("Retry-After", "99999999999", lab.HTTPStatus(429, "")), "429", time.Hour, false},
		{"a wait that is no number has a default", withHeader("Retry-After", "99999999999999999999", lab.HTTPStatus(429, "")), "429", 30 * time.Second, false},
		{"a wait that is over", withHeader("Retry-After", "-5", lab.HTTPStatus(429, "")), "429", 30 * time.Second, false},
		{"a date counts from the server's own clock", asDate("Sat, 07 Nov 2026 11:41:00 GMT", "Sat, 07 Nov 2026 11:41:25 GMT"), "429", 25 * time.Second, false},
		{"a date that is over", asDate("Sat, 07 Nov 2026 11:41:00 GMT", "Sat, 07 Nov 2026 10:00:00 GMT"), "429", 0, false},
		{"a date in a far year is bounded", asDate("Sat, 07 Nov 2026 11:41:00 GMT", "Sun, 07 Nov 2094 08:49:37 GMT"), "429", time.Hour, false},
		{"a redirect is not followed", withHeader("Location", "/elsewhere", lab.HTTPStatus(307, "")), "307", -1, false},
		{"a page is not quoted", lab.HTTPStatus(502, "<p>http://x/services/T0LAB</p>"), "slack answered 502", -1, false},
		{"a reset is tried again", lab.HTTPReset, "post to Slack", -1, false},
		{"an endless answer is cut", endless, `not with the body "ok"`, -1, false},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			server := startLab(t)
			server.SetFault(c.fault)
			slack := slackAt(t, server.URL())
			err := slack.Send(t.Context(), postMortem())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v, want one that says %q", err, c.says)
			}
			wantNoURL(t, err)
			if asked, ok := errors.AsType[*notify.RetryAfterError](err); ok != (c.wait >= 0) || ok && asked.Wait != c.wait {
				t.Errorf("error %#v, want a wait of %s", err, c.wait)
			}
			if _, dead := errors.AsType[*notify.DeadHookError](err); dead != c.dead {
				t.Errorf("error %#v, want dead %t", err, c.dead)
			}
			if n := server.Requests.Len(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func wantNoURL(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{"T0LAB", "labsecret", "/services"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the webhook's URL: %v", err)
		}
	}
}

func withHeader(key, value string, f lab.HTTPFault) lab.HTTPFault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set(key, value)
		return f(w, r)
	}
}

// asDate answers 429 at a moment, and names another one to come back.
func asDate(now, then string) lab.HTTPFault {
	return withHeader("Date", now, withHeader("Retry-After", then, lab.HTTPStatus(429, "")))
}

func endless(w http.ResponseWriter, _ *http.Request) bool {
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return true // the client has had enough
		}
	}
}

func TestARefusedLayoutIsSentAsPlainTextAtOnce(t *testing.T) {
	server := startLab(t)
	server.SetFault(lab.HTTPTimes(1, lab.HTTPStatus(400, "invalid_blocks")))
	slack := slackAt(t, server.URL())
	if err := slack.Send(t.Context(), postMortem()); err != nil {
		t.Fatal(err)
	}
	want := "[critical] DNS still points at a load balancer that no longer exists: 14 hostnames of shop.example (prod-fra1)\n" +
		"*Set* `shop.example A 203.0.113.77` and `*.shop.example A 203.0.113.77`\n" +
		"*Clients recover by* 12:47:00 UTC if you fix it now (TTL 3600 s); 8.8.8.8 holds the old answer for 41 min"
	if got := server.Messages.All(); len(got) != 1 || got[0].Text != want || strings.Contains(string(got[0].Body), "attachments") {
		t.Errorf("got %+v, want the text %q alone", got, want)
	}
	if slack.Fallbacks() != 1 {
		t.Errorf("Fallbacks = %d, want 1", slack.Fallbacks())
	}

	server.SetFault(lab.HTTPTimes(2, lab.HTTPStatus(400, "invalid_payload")))
	if err := slack.Send(t.Context(), postMortem()); err != nil {
		t.Errorf("a message that Slack never takes holds up the others: %v", err)
	}
	if got := server.Messages.All(); len(got) != 2 || strings.Contains(got[1].Text, "shop.example") {
		t.Errorf("got %+v, want words of our own alone", got)
	}

	server.SetFault(lab.HTTPStatus(400, "invalid_payload"))
	err := slack.Send(t.Context(), postMortem())
	if err == nil || !strings.Contains(err.Error(), "then as plain text") {
		t.Errorf("error %v, want one for both attempts", err)
	}
	if _, dead := errors.AsType[*notify.DeadHookError](err); !dead {
		t.Errorf("error %v: whatever it is sent is refused, so the hook does not work", err)
	}
}

func TestTheURLIsReadForEachMessage(t *testing.T) {
	first, second := startLab(t), startLab(t)
	urls := []string{first.URL(), second.URL() + "\n"}
	slack := notify.NewSlack(func() (string, error) {
		url := urls[0]
		urls = urls[1:]
		return url, nil
	}, nil, "", "")
	for range 2 {
		if err := slack.Send(t.Context(), postMortem()); err != nil {
			t.Fatal(err)
		}
	}
	if first.Messages.Len() != 1 || second.Messages.Len() != 1 {
		t.Errorf("%d and %d messages, want one each", first.Messages.Len(), second.Messages.Len())
	}
}

func TestABadURLIsNotShown(t *testing.T) {
	for _, url := range []string{
		"", "hooks.example/services/T0LAB", "https:///services/T0LAB", "ftp://h/services/T0LAB", "https://h/services/T0LAB%zz",
		"https://h:port/services/T0LAB", "https://h/services/\x7fT0LAB", "http://127.0.0.1:1/services/T0LAB/labsecret",
	} {
		err := slackAt(t, url).Send(t.Context(), postMortem())
		if err == nil {
			t.Fatalf("%q: accepted", url)
		}
		wantNoURL(t, err)
	}
	broken := errors.New("no such file")
	err := notify.NewSlack(func() (string, error) { return "", broken }, nil, "", "").Send(t.Context(), postMortem())
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a hang-up is noticed after the body only
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	err := slackAt(t, server.URL+"/services/T0LAB").Send(ctx, postMortem())
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	wantNoURL(t, err)
}
