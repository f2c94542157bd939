package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"driftprobe/config"
)

// toNobody names the configuration of a process whose standard output nobody reads.
const toNobody = "DRIFTPROBE_TEST_TO_NOBODY"

// TestServeToNobody is what runs in that process.
func TestServeToNobody(t *testing.T) {
	file := os.Getenv(toNobody)
	if file == "" {
		return
	}
	p := process{env: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: os.Stdout, stderr: os.Stderr}
	equal(t, "exit code", run(t.Context(), p, []string{"--web.listen-address", "127.0.0.1:0", "--config", file}), exitClean)
}

// Who collects standard output may end. By default a process dies of writing to it then, and
// with it all other alerts.
func TestStandardOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	in := &receiver{all: map[string][]received{}}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	file := s.whole(hurried, fmt.Sprintf(`alerts:
  startup_notice: true
  stdout: {enabled: true}
  webhooks: [{name: ops, url: "%s/ops"}]`, server.URL))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestServeToNobody$")
	command.Env = append(os.Environ(), toNobody+"="+file)
	read, write, err := os.Pipe()
	s.must(err)
	command.Stdout = write
	log, err := command.StderrPipe()
	s.must(err)
	s.must(command.Start())
	s.must(read.Close())
	s.must(write.Close())
	var said strings.Builder
	tried := false
	for lines := bufio.NewScanner(log); !tried && lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		tried = strings.Contains(lines.Text(), "sink=stdout") && strings.Contains(lines.Text(), "attempt=2") && strings.Contains(lines.Text(), "broken pipe")
	}
	if !tried {
		t.Fatalf("it ended with %v and said:\n%s", command.Wait(), said.String())
	}
	s.until("the webhook is told", func() bool { return in.kinds("/ops") == "started" })
	cancel()
	_ = command.Wait() // we have killed it
}

// A configuration says for Events what they want even where there are none; and then nobody
// wants it.
func TestEventsThatAreOffWantNothing(t *testing.T) {
	t.Parallel()
	a := config.Alerts{MinSeverity: "critical"}
	a.Stdout.Enabled = true
	a.Events.Routing = config.Routing{MinSeverity: "info"}
	for _, events := range []bool{true, false} {
		p, err := alertPolicy(config.Config{Alerts: a}, events)
		if err != nil {
			t.Fatal(err)
		}
		var sinks []string
		for _, r := range p.Routes {
			sinks = append(sinks, r.Sink)
		}
		want := map[bool]string{true: "info: kubernetes-events stdout", false: "critical: stdout"}[events]
		equal(t, "policy", p.MinSeverity.String()+": "+strings.Join(sinks, " "), want)
	}
}
