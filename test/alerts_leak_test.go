package test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// leadAway is an HTTPFault that sends clients to another host.
func leadAway(to string, status int) lab.HTTPFault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Location", to+r.URL.Path)
		w.WriteHeader(status)
		return true
	}
}

// TestSinksTellNoStranger has everything that is told lead elsewhere, in all ways that keep the
// method and the body. Nobody is told there; and nothing that the program prints, up to the
// stacks at its end, holds a secret.
func TestSinksTellNoStranger(t *testing.T) {
	t.Parallel()
	stranger, manager, beats := world.StartHook(t, ""), world.StartHook(t, ""), world.StartHook(t, "")
	l := startLane(t, laneSpec{seed: 404, hosts: 1, processes: 1, more: fmt.Sprintf(
		"  heartbeat: {url_file: beat, every: 1s}\n  alertmanager: {urls: [%q], bearer_token_file: token}\n", manager.URL)})
	l.rotate(t, "beat", beats.URL+"/sesame-beat")
	l.rotate(t, "token", "sesame-token")
	l.slack.SetFault(leadAway(stranger.URL, http.StatusTemporaryRedirect))
	l.hook.SetFault(leadAway(stranger.URL, http.StatusPermanentRedirect))
	manager.SetFault(leadAway(stranger.URL, http.StatusPermanentRedirect))
	beats.SetFault(leadAway(stranger.URL, http.StatusFound))
	if err := l.speaker.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.doors[l.hosts[0]].shut(); err != nil {
		t.Fatal(err)
	}
	for _, sink := range []string{"slack", "webhook/ledger"} {
		l.awaitMetrics(t, fmt.Sprintf("driftprobe_notifications_total{result=\"failed\",sink=%q} 2", sink))
	}
	var printed strings.Builder
	for _, path := range []string{"/", "/metrics", "/api/v1/snapshot", "/host?name=" + l.hosts[0]} {
		text, err := l.speaker.get(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		printed.WriteString(text)
	}
	for _, sink := range []string{"alertmanager " + manager.URL, "heartbeat"} {
		if !strings.Contains(printed.String(), fmt.Sprintf("{result=\"failed\",sink=%q}", sink)) {
			t.Errorf("there is no metric of %s", sink)
		}
	}
	if n := len(stranger.Taken()); n > 0 {
		t.Errorf("a stranger was told %d times", n)
	}
	l.speaker.end(syscall.SIGQUIT)
	log, err := os.ReadFile(l.speaker.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"slack answered 307", "the webhook answered 308", "it answered 308", "it answered 302", "goroutine "} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	state, err := os.ReadFile(strings.TrimSuffix(l.speaker.log.Name(), "log-0") + "state.json")
	if err != nil {
		t.Error(err)
	}
	printed.Write(append(log, state...))
	for _, secret := range []string{"sesame", "labsecret", "/services/"} {
		if i := strings.Index(printed.String(), secret); i >= 0 {
			t.Errorf("%q is printed: %s", secret, printed.String()[max(0, i-200):min(i+200, printed.Len())])
		}
	}
}
