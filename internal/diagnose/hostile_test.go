package diagnose_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/lab"
	"driftprobe/internal/notify"
)

// TestHostileTextArrivesAndIsHarmless has what others write in every place that a message
// quotes: names, causes, hints, and more of everything than fits.
func TestHostileTextArrivesAndIsHarmless(t *testing.T) {
	const evil = "<!channel> <!here> & <https://evil.example|click> @everyone \x1b[31m\u202e```"
	slack, err := lab.NewSlack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slack.Close() })
	sink := notify.NewSlack(func() (string, error) { return slack.URL(), nil }, nil, evil, "")

	var names, many []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("n%03d.%s.shop.example", i, strings.Repeat("x", 60)))
	}
	for i := range 4000 {
		many = append(many, fmt.Sprintf("198.51.%d.%d", i/250, 1+i%250))
	}
	b := shop(names...)
	b.Inventory.Services[0].Namespace, b.Inventory.Services[0].Labels = "traefik", map[string]string{evil: evil}
	b.Observations.Clouds[0].Balancers[0].Name = evil
	b.publish(names[0], 300, many...)
	for _, n := range names[1:] {
		b.publish(n, 300, oldAddr).probe(n, oldAddr, stranger)
	}
	for i := range b.Observations.DNS {
		b.Observations.DNS[i].Steps[0].WildcardOwner = evil
		b.Observations.DNS[i].Steps[0].Answers[0].Server.Name = evil
	}
	p := notify.Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0, finding.Warning: 0, finding.Unknown: 0}, MinSeverity: finding.Unknown}
	var state notify.State
	_, messages := notify.Next(p, state, diagnose.Diagnose(policy(), noon(), b.Snapshot))
	if len(messages) == 0 {
		t.Fatal("nothing is told")
	}
	// And whatever a judge may write one day.
	all := messages[0]
	all.Incident.Cause, all.Incident.Recovery, all.Incident.Hosts = strings.Repeat(evil, 100), strings.Repeat(evil, 200), names
	for range 100 {
		all.Incident.Evidence = append(all.Incident.Evidence, finding.Note{Label: evil, Text: strings.Repeat(evil, 50)})
		all.Incident.Fix = append(all.Incident.Fix, finding.Step{Text: strings.Repeat(evil, 50), Command: strings.Repeat(evil, 50)})
	}
	messages = append(messages, all)
	for _, m := range messages {
		if err := sink.Send(t.Context(), m); err != nil {
			t.Fatalf("Slack does not take it: %v", err)
		}
	}
	if n := sink.Fallbacks(); n != 0 {
		t.Errorf("%d layouts were refused", n)
	}
	for _, m := range slack.Messages.All() {
		body := string(m.Body)
		for _, bad := range []string{"<!channel", "<!here", "<https://evil", "\\u001b", "\u202e"} {
			if strings.Contains(body, bad) {
				t.Errorf("it has %q: %.300s", bad, body)
			}
		}
		if strings.ContainsFunc(m.Text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Errorf("a control character: %q", m.Text)
		}
		if len(body) > 40_000 {
			t.Errorf("%d bytes", len(body))
		}
	}
}
