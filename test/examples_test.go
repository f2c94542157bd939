package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestTheExamples runs each command line of driftprobe in the examples and workflows, as far
// as it goes without a network, and reads all of them as YAML.
func TestTheExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../deploy/examples/*")
	workflows, err2 := filepath.Glob("../.github/workflows/*.yaml")
	if err != nil || err2 != nil || len(files) < 6 || len(workflows) != 2 {
		t.Fatalf("%d examples, %d workflows: %v %v", len(files), len(workflows), err, err2)
	}
	lines := regexp.MustCompile(`(?m)(?:run: |- |ExecStart(?:Pre)?=/usr/local/bin/)driftprobe (.*)$`)
	commands := 0
	for _, file := range append(files, workflows...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if strings.HasSuffix(file, ".yaml") {
			if err := yaml.Unmarshal(text, &document); err != nil || len(document) == 0 {
				t.Errorf("%s: %v", file, err)
			}
		}
		for _, m := range lines.FindAllStringSubmatch(string(text), -1) {
			line, _, _ := strings.Cut(m[1], " > ")
			args := strings.Fields(line)
			commands++
			if args[0] == "lint" {
				args[len(args)-1] = "../deploy/manifests/driftprobe.yaml"
			} else {
				args = append(args, "--version")
			}
			if l := execute(t, args...); l.code != clean {
				t.Errorf("%s: driftprobe %s: exit code %d\n%s", file, line, l.code, l.stderr)
			} else if args[0] == "lint" && args[2] == "sarif" && !json.Valid([]byte(l.stdout)) {
				t.Errorf("%s: no SARIF\n%s", file, l.stdout)
			}
		}
	}
	if commands != 6 {
		t.Errorf("%d command lines of driftprobe in the examples, want 6", commands)
	}
}

// TestTheExamplesForOthers has those judge them that read them.
func TestTheExamplesForOthers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for to, from := range map[string]string{
		"driftprobe.service": "examples/driftprobe.service", "alertmanager.yaml": "examples/alertmanager.yaml",
		"prometheus.yaml": "examples/prometheus.yaml", "rules.yaml": "chart/files/rules.yaml",
	} {
		text, err := os.ReadFile("../deploy/" + from)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/usr/local/bin/driftprobe"), []byte(binary))
		if err := os.WriteFile(filepath.Join(folder, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, words := range map[string][]string{
		"driftprobe.service": {"systemd-analyze", "verify"}, "prometheus.yaml": {"promtool", "check", "config"},
		"alertmanager.yaml": {"amtool", "check-config"},
	} {
		cmd := exec.CommandContext(t.Context(), words[0], append(words[1:], filepath.Join(folder, file))...)
		if out, err := cmd.CombinedOutput(); err != nil || words[0] == "systemd-analyze" && len(out) > 0 {
			t.Errorf("%s of %s: %v\n%s", words[0], file, err, out)
		}
	}
}

// TestTheWorkflows has actionlint read them, and what it does not ask for: few permissions, and
// actions that nobody can exchange under us.
func TestTheWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("workflows %q: %v", files, err)
	}
	ok(t, "", "actionlint", append([]string{"-shellcheck=", "-pyflakes=", "../deploy/examples/github.yaml"}, files...)...)
	if said, err := tool(t, "on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ github.nothing }}'}]}}\n", "actionlint", "-"); err == nil {
		t.Errorf("actionlint accepts anything: %s", said)
	}
	uses := regexp.MustCompile(`(?m)uses: (\S+)`)
	pinned := regexp.MustCompile(`@[0-9a-f]{40}$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct{ Permissions map[string]string }
		if err := yaml.Unmarshal(text, &workflow); err != nil || fmt.Sprint(workflow.Permissions) != "map[contents:read]" {
			t.Errorf("%s: by default its jobs may %v: %v", file, workflow.Permissions, err)
		}
		for _, m := range uses.FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s: %s is not pinned to a commit", file, m[1])
			}
		}
	}
}

// TestTheContainerOfCompose has the example say what the image says.
func TestTheContainerOfCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/examples/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Command     []string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			Healthcheck struct{ Test []string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	s := file.Services["driftprobe"]
	if !s.ReadOnly || fmt.Sprint(s.CapDrop) != "[ALL]" || fmt.Sprint(s.Healthcheck.Test) != "[CMD /driftprobe healthcheck]" {
		t.Errorf("%+v", s)
	}
	if l := execute(t, append(s.Command, "--version")...); l.code != clean {
		t.Errorf("its command: exit code %d\n%s", l.code, l.stderr)
	}
}
