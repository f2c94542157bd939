package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every command in a fenced sh block of the documents is run here, or its runner
// says who runs it. A command that no runner takes fails the test.

// documented is one command line of a document.
type documented struct {
	document string
	line     int
	words    []string
	redirect string // what stands after ">"
}

func (c documented) String() string {
	return fmt.Sprintf("%s:%d: %s", c.document, c.line, strings.Join(c.words, " "))
}

const top = "../../"

func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "deploy/*.md"} {
		found, err := filepath.Glob(top + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no document %s (%v)", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

// commandsIn are those of one document, in order. Lines that end in \ go on.
func commandsIn(t *testing.T, document string) []documented {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(`(^|\s)#.*$`)
	var all []documented
	open, isShell, joined, began := false, false, "", 0
	for i, line := range strings.Split(string(text), "\n") {
		if language, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); fence {
			open = !open
			isShell = open && language == "sh"
			if open && slices.Contains([]string{"bash", "shell", "console", "zsh"}, language) {
				t.Errorf("%s:%d: write ```sh, so that this test sees the commands", document, i+1)
			}
			continue
		}
		if !isShell {
			continue
		}
		if joined == "" {
			began = i + 1
		}
		if part, goesOn := strings.CutSuffix(line, `\`); goesOn {
			joined += part + " "
			continue
		}
		if words := strings.Fields(comment.ReplaceAllString(joined+line, "")); len(words) > 0 {
			all = append(all, newCommand(strings.TrimPrefix(document, top), began, words))
		}
		joined = ""
	}
	return all
}

func newCommand(document string, line int, words []string) documented {
	c := documented{document: document, line: line, words: words}
	if i := slices.Index(words, ">"); i >= 0 && i == len(words)-2 {
		c.words, c.redirect = words[:i], words[i+1]
	}
	return c
}

// runner runs the commands that begin with its words.
type runner struct {
	begins string
	run    func(*reader, documented)
}

// runners: the first that fits takes the command.
func runners() []runner {
	return []runner{
		{"driftprobe demo --keep", (*reader).demoKeep},
		{"driftprobe demo", (*reader).elsewhere}, // TestDemo
		{"driftprobe", (*reader).driftprobe},
		{"go run ./cmd/driftprobe demo", (*reader).elsewhere}, // TestDemo
		{"go test ./...", (*reader).elsewhere},                // this very run
		{"go test -race ./...", (*reader).elsewhere},          // .ci/run
		{"go install ./cmd/driftprobe", (*reader).elsewhere},  // the package of this test
		{"go build ./cmd/driftprobe", (*reader).elsewhere},    // the package of this test
		{".ci/run", (*reader).names},                          // runs this test itself
		{"make", (*reader).make},
		{"cp docs/example.yaml driftprobe.yaml", (*reader).elsewhere}, // newReader
		{"curl", (*reader).curl},
		{"kubectl", (*reader).names},
		{"docker", (*reader).names},
		{"doctl", (*reader).names},
		{"helm", (*reader).names}, // test/chart_test.go
	}
}

func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	total := 0
	for _, document := range documents(t) {
		all := commandsIn(t, document)
		total += len(all)
		if len(all) == 0 {
			continue
		}
		t.Run(strings.TrimPrefix(document, top), func(t *testing.T) {
			t.Parallel()
			r := newReader(t)
			for _, c := range all {
				i := slices.IndexFunc(runners(), func(r runner) bool { return c.begins(r.begins) })
				if i < 0 {
					t.Errorf("%s\nno runner of docs_test.go takes this command: add one that runs it", c)
					continue
				}
				runners()[i].run(r, c)
			}
			if r.service != nil {
				r.service.end()
			}
		})
	}
	if total == 0 {
		t.Error("no document has a command")
	}
}

func (c documented) begins(words string) bool {
	want := strings.Fields(words)
	return len(c.words) >= len(want) && slices.Equal(c.words[:len(want)], want)
}

// reader follows a document, command by command, in the world of the lab.
type reader struct {
	*stage
	listens string // where the documents say that the service listens
	service *service
}

// newReader has the configuration docs/example.yaml, whose addresses and files are
// put where they are in the lab.
func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{stage: newStage(t, ttl)}
	text, err := os.ReadFile(top + "docs/example.yaml")
	r.must(err)
	example := string(text)
	for _, change := range [][2]string{
		{"/etc/driftprobe/", r.folder + "/"},
		{"/var/lib/driftprobe/", r.folder + "/"},
		{"https://api.shop.example/", r.url("api.shop.example")},
		{"host: www.shop.example", fmt.Sprintf(`host: "www.shop.example:%d"`, r.HTTPSPort)},
		{"host: static.shop.example", fmt.Sprintf(`host: "static.shop.example:%d"`, r.HTTPSPort)},
		{"203.0.113.77", r.OldAddr.String()},
		{"198.51.100.0/24", "127.0.0.0/8"},
		{"kubernetes: {", fmt.Sprintf("kubernetes: {https_port: %d, ", r.HTTPSPort)},
		{"digitalocean: {", fmt.Sprintf("digitalocean: {api_url: %q, ", r.DOURL())},
	} {
		if !strings.Contains(example, change[0]) {
			t.Errorf("docs/example.yaml has no %q any more: change docs_test.go with it", change[0])
		}
		example = strings.ReplaceAll(example, change[0], change[1])
	}
	r.file("driftprobe.yaml", example)
	r.file("digitalocean-token", r.DOToken())
	r.file("slack-webhook-url", r.SlackURL())
	return r
}

// driftprobe runs the program, pointed at the lab where it needs a network.
func (r *reader) driftprobe(c documented) {
	args := slices.Clone(c.words[1:])
	for i, a := range args {
		switch {
		case slices.Contains(args, "lint") && strings.HasSuffix(a, ".yaml"):
			args[i] = top + a
		case a == "driftprobe.yaml": // a copy of docs/example.yaml
			args[i] = filepath.Join(r.folder, a)
		case strings.HasSuffix(a, ".json"):
			args[i] = filepath.Join(r.folder, a)
		case a == "api.example.com":
			args[i] = r.host()
		}
	}
	once := slices.Contains(args, "--once")
	if once || slices.Contains(args, "judge") || c.longRunning() {
		args = append(args,
			"--dns.root-servers", r.Root().Addr().String(), "--dns.port", fmt.Sprint(r.DNSPort()),
			"--dns.resolvers", r.ResolverAddr().String(), "--tls.ca-file", r.folder+"/ca.pem", "--probe.allow-addresses", "127.0.0.0/8")
	}
	if c.longRunning() {
		if i := slices.Index(args, "--web.listen-address"); i >= 0 {
			r.listens = args[i+1]
			args = slices.Delete(args, i, i+2)
		}
		r.service = r.stage.serve(args...)
		r.service.untilReady()
		return
	}
	want := exitClean
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasSuffix(a, "/post-mortem.yaml") }) {
		want = exitFound // as the documents say
	}
	o := r.stage.run(args...)
	if o.code != want || o.err != "" || want == exitFound && !strings.Contains(o.out, "issuance/ephemeral-storage") {
		r.t.Errorf("%s\nexit code %d\n%s%s", c, o.code, shortened(o.out), o.err)
	}
	if c.redirect != "" {
		r.file(c.redirect, o.out)
	}
}

// longRunning tells whether the command watches until it is stopped.
func (c documented) longRunning() bool {
	for _, ends := range []string{"--once", "--check-config", "--version", "--help", "judge", "explain", "lint"} {
		if slices.Contains(c.words, ends) {
			return false
		}
	}
	return true
}

// demoKeep plays up to the outage, and leaves as one does.
func (r *reader) demoKeep(c documented) {
	ctx, stop := context.WithCancel(r.t.Context())
	defer stop()
	var stdout, stderr syncBuffer
	code := make(chan int, 1)
	p := r.process(&stdout, &stderr)
	p.name = "bin/driftprobe"
	go func() { code <- run(ctx, p, append(c.words[1:], "--ttl", "10s")) }()
	r.within(5*demoWait, "the demo stops at the outage", func() bool { // each of its acts takes seconds
		return strings.Contains(stdout.String(), "The outage goes on until you press Ctrl-C") || len(code) > 0
	})
	stop()
	select {
	case got := <-code:
		if !strings.Contains(stdout.String(), "\n  bin/driftprobe --once --config ") { // as it was called
			r.t.Errorf("%s\n%s", c, stdout.String())
		}
		if got != exitClean || stderr.String() != "" {
			r.t.Errorf("%s\nexit code %d\n%s%s", c, got, stdout.String(), stderr.String())
		}
	case <-time.After(patience):
		r.t.Errorf("%s\nit does not end", c)
	}
}

// curl sends the same request to the service that a command before has started.
func (r *reader) curl(c documented) {
	method, address := http.MethodGet, ""
	for i := 1; i < len(c.words); i++ {
		switch word := c.words[i]; {
		case word == "-X" && i+1 < len(c.words):
			i++
			method = c.words[i]
		case strings.HasPrefix(word, "http://"):
			address = word
		case slices.Contains([]string{"-s", "-f", "-sS", "-fsS"}, word):
		default:
			r.t.Errorf("%s\ndocs_test.go does not know what %s is for curl", c, word)
		}
	}
	u, err := url.Parse(address)
	if err != nil || r.service == nil || u.Host != r.listens {
		r.t.Errorf("%s\nno command before serves at %q (%v)", c, address, err)
		return
	}
	if status, body, _ := r.service.ask(method, u.RequestURI()); status != http.StatusOK {
		r.t.Errorf("%s\n%d %s", c, status, body)
	}
}

// elsewhere is for commands that something else runs.
func (r *reader) elsewhere(documented) {}

// make only asks for the plan: each target is there and can be made.
func (r *reader) make(c documented) {
	cmd := exec.CommandContext(r.t.Context(), "make", append([]string{"-n"}, c.words[1:]...)...)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("%s\nmake -n: %v\n%s", c, err, out)
	}
}

// names only checks that the files are there that the command names: what it
// needs beside is not on every machine.
func (r *reader) names(c documented) {
	for _, word := range c.words {
		_, value, assigned := strings.Cut(word, "=")
		if assigned {
			word = value
		}
		named := strings.HasSuffix(word, ".yaml") || strings.HasSuffix(word, "/run") || strings.HasPrefix(word, "deploy/")
		if !named || strings.Contains(word, "://") {
			continue
		}
		if _, err := os.Stat(top + word); err != nil {
			r.t.Errorf("%s\n%v", c, err)
		}
	}
}

// The parser must not lose a command.
func TestCommandsAreFound(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := d.file("page.md", "```\nnot this\n```\n\n- list\n  ```sh\n  # nor this\n  make build   # a comment\n  curl -X POST \\\n    http://a/b\n\n  driftprobe --once -o json > x.json\n  ```\ntext\n")
	var got []string
	for _, c := range commandsIn(t, file) {
		got = append(got, fmt.Sprintf("%d %s>%s", c.line, strings.Join(c.words, " "), c.redirect))
	}
	equalList(t, "commands", got, "8 make build>", "9 curl -X POST http://a/b>", "12 driftprobe --once -o json>x.json")
}

// Links lead to files that are there, and README.md leads to every document.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	fromReadme := map[string]bool{}
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := filepath.Join(filepath.Dir(document), m[1])
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %v", strings.TrimPrefix(document, top), err)
			}
			fromReadme[to] = fromReadme[to] || document == top+"README.md"
		}
	}
	for _, document := range documents(t) {
		if !fromReadme[filepath.Clean(document)] && document != top+"README.md" {
			t.Errorf("README.md does not lead to %s", strings.TrimPrefix(document, top))
		}
	}
}
