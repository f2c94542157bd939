package test

import (
	"encoding/json"
	"fmt"
	"os"
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
				args[len(args)-1] = "../deploy/driftprobe.yaml"
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
