package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whatever can be typed can be completed, and stands in the manual.
func TestCompletionAndManKnowEverything(t *testing.T) {
	for _, args := range [][]string{{"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"man"}} {
		var out, complaints strings.Builder
		if code := run(t.Context(), process{stdout: &out, stderr: &complaints}, args); code != exitClean {
			t.Fatalf("%v: exit %d: %s", args, code, complaints.String())
		}
		text := strings.ReplaceAll(out.String(), `\-`, "-")
		eachFlag(func(f *flag.Flag, _ []string) {
			if !strings.Contains(text, written(f.Name)) && !strings.Contains(text, " -l "+f.Name) && !strings.Contains(text, " -s "+f.Name+" ") {
				t.Errorf("%v does not know %s", args, written(f.Name))
			}
		})
		for _, word := range []string{"lint", "explain", "judge", "healthcheck"} {
			if !strings.Contains(text, word) {
				t.Errorf("%v does not know %s", args, word)
			}
		}
	}
}

// Flags are completed after commands that take files, too.
func TestBashCompletesFlagsBeforeFiles(t *testing.T) {
	var out strings.Builder
	completeBash(&out)
	flags, files := strings.Index(out.String(), "case $cur in -*)"), strings.Index(out.String(), "judge|lint|")
	if flags < 0 || files < flags {
		t.Errorf("flags at %d, files at %d:\n%s", flags, files, out.String())
	}
}

func TestCompletionOfAnotherShell(t *testing.T) {
	var out, complaints strings.Builder
	if code := run(t.Context(), process{stdout: &out, stderr: &complaints}, []string{"completion", "csh"}); code != exitUsage || !strings.Contains(complaints.String(), "bash, zsh or fish") {
		t.Errorf("exit %d: %s", code, complaints.String())
	}
}

// Every variable that is asked for stands in the manual.
func TestManKnowsTheEnvironment(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), process{stdout: &out}, []string{"man"}); code != exitClean {
		t.Fatalf("exit %d", code)
	}
	_, environment, _ := strings.Cut(out.String(), ".SH ENVIRONMENT")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.env\("(\w+)"\)`).FindAllStringSubmatch(string(text), -1) {
			if asked++; !strings.Contains(environment, m[1]) {
				t.Errorf("%s asks for %s, which the manual does not name", file, m[1])
			}
		}
	}
	if asked < 6 {
		t.Errorf("found %d variables", asked)
	}
}
