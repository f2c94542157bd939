package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds (%v)", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if err != nil {
			problems := problemsOf(t, err)
			checkProblems(t, problems)
			if len(problems) > maxProblems {
				t.Errorf("%d problems", len(problems))
			}
			return
		}
		for _, target := range c.Targets {
			if target.Host == "" || target.Port == 0 || !strings.HasPrefix(target.Path, "/") {
				t.Errorf("an unfinished target: %+v", target)
			}
			if target.Wildcard() {
				continue
			}
			if again, err := ParseTarget(target.Key()); err != nil || again.Key() != target.Key() {
				t.Errorf("the key %q is no fixed point: %q, %v", target.Key(), again.Key(), err)
			}
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, arg := range []string{"api.example.com", "bücher.example:8443", "https://a.example/x?y=ü", "[::1]:443", "*.a", "https://u:p@a/"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		target, err := ParseTarget(arg)
		if err != nil {
			return
		}
		again, err := ParseTarget(target.Key())
		if err != nil || again.Key() != target.Key() {
			t.Errorf("the key %q of %q is no fixed point: %q, %v", target.Key(), arg, again.Key(), err)
		}
	})
}

// Files made to cost time or memory end in one of a few problems.
func TestCostlyFilesAreBounded(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	bomb.WriteString("targets: *a59\n")
	for rule, test := range map[string]struct {
		text string
		want int // problems, at most
	}{
		"a file over 1 MiB":       {strings.Repeat("# x\n", MaxFile/4+1), 1},
		"deep brackets":           {strings.Repeat("[", MaxFile), 1},
		"deep braces":             {strings.Repeat("{a: ", MaxFile/16), 1},
		"deep dashes":             {strings.Repeat("- ", MaxFile/2), 1},
		"many scalars":            {"targets: [" + strings.Repeat("a,", 200_000) + "]", 1},
		"a key twice, many times": {strings.Repeat("interval: 1s\n", 50_000), maxProblems},
		"unknown keys":            {"dns: {" + strings.Repeat("x1: 1,", 40_000) + "}", maxProblems},
		"aliases of aliases":      {bomb.String(), maxProblems},
		"a syntax error far down": {strings.Repeat("# x\n", MaxFile/64) + "a: b: c\n" + strings.Repeat("# x\n", MaxFile/64), 1},
		"an unclosed quote":       {`a: "` + strings.Repeat("x\n", MaxFile/64), 1},
	} {
		t.Run(rule, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(test.text))
			problems := problemsOf(t, err)
			checkProblems(t, problems)
			if len(problems) > test.want {
				t.Errorf("%d problems, want at most %d", len(problems), test.want)
			}
		})
	}
}

func TestTenThousandTargetsFit(t *testing.T) {
	var text strings.Builder
	text.WriteString("targets:\n")
	for i := range maxTargets {
		fmt.Fprintf(&text, "  - url: https://h%d.example.com/healthz\n    service: traefik/traefik\n", i)
	}
	c, err := Parse("x.yaml", []byte(text.String()))
	if err != nil || len(c.Targets) != maxTargets {
		t.Errorf("%d targets, %v", len(c.Targets), err)
	}
	text.WriteString("  - host: one.more.example\n")
	if _, err := Parse("x.yaml", []byte(text.String())); err == nil {
		t.Error("one more is accepted")
	}
}
