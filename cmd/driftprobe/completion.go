package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"driftprobe/finding"
)

// commandNames are the words that may come first in place of flags and hosts.
func commandNames() []string {
	return []string{"completion", "demo", "explain", "healthcheck", "help", "judge", "lint", "man"}
}

// completion prints a script that completes the command line in a shell.
func completion(_ context.Context, p process, args []string) (int, error) {
	shells := map[string]func(io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}
	if len(args) != 1 || shells[args[0]] == nil {
		return exitUsage, faultf("driftprobe completion bash, zsh or fish: write what it prints where your shell reads completions", "completion takes the name of a shell")
	}
	shells[args[0]](p.stdout)
	return exitClean, nil
}

// words are the values of flags that have a few, by the flag's name.
func words() map[string][]string {
	return map[string][]string{
		"o": {"text", "json", "junit", "sarif"}, "fail-on": {"info", "warning", "critical"},
		"log.level": {"debug", "info", "warn", "error"}, "log.format": {"logfmt", "json"},
	}
}

func codes() []string {
	var all []string
	for _, e := range finding.Catalogue() {
		all = append(all, string(e.Code))
	}
	return all
}

// eachFlag calls do for each flag of the main job and of lint; those of lint say so.
func eachFlag(do func(f *flag.Flag, lint bool)) {
	seen := map[string]bool{}
	new(options).flags().VisitAll(func(f *flag.Flag) {
		seen[f.Name] = true
		do(f, false)
	})
	new(lintOptions).flags().VisitAll(func(f *flag.Flag) {
		if !seen[f.Name] {
			do(f, true)
		}
	})
}

// written is a flag as people write it.
func written(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func completeBash(w io.Writer) {
	var flags, files []string
	eachFlag(func(f *flag.Flag, _ bool) {
		flags = append(flags, written(f.Name))
		if what, _ := flag.UnquoteUsage(f); what == "FILE" || what == "PLACE" {
			files = append(files, written(f.Name))
		}
	})
	fmt.Fprint(w, "# bash completion of driftprobe\n_driftprobe() {\n"+
		"  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n  COMPREPLY=()\n  case $prev in\n")
	reply := func(words string) string { return `COMPREPLY=($(compgen -W "` + words + `" -- "$cur"))` }
	for _, name := range sortedKeys(words()) {
		fmt.Fprintf(w, "    %s) %s; return;;\n", written(name), reply(strings.Join(words()[name], " ")))
	}
	fmt.Fprintf(w, "    explain) %s; return;;\n", reply(strings.Join(codes(), " ")))
	fmt.Fprintf(w, "    completion) %s; return;;\n", reply("bash zsh fish"))
	fmt.Fprintf(w, "    judge|lint|%s) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n  esac\n", strings.Join(files, "|"))
	fmt.Fprintf(w, "  case $cur in -*) %s; return;; esac\n", reply(strings.Join(flags, " ")))
	fmt.Fprintf(w, "  if [ \"$COMP_CWORD\" = 1 ]; then %s; fi\n}\n", reply(strings.Join(commandNames(), " ")))
	fmt.Fprintln(w, "complete -o default -F _driftprobe driftprobe")
}

// completeZsh lets zsh read bash's script, which it can.
func completeZsh(w io.Writer) {
	fmt.Fprintln(w, "#compdef driftprobe\nautoload -U +X bashcompinit && bashcompinit")
	completeBash(w)
}

func completeFish(w io.Writer) {
	fmt.Fprintf(w, "# fish completion of driftprobe\ncomplete -c driftprobe -n __fish_use_subcommand -f -a %q\n", strings.Join(commandNames(), " "))
	fmt.Fprintf(w, "complete -c driftprobe -n '__fish_seen_subcommand_from explain' -f -a %q\n", strings.Join(codes(), " "))
	fmt.Fprintln(w, `complete -c driftprobe -n '__fish_seen_subcommand_from completion' -f -a "bash zsh fish"`)
	eachFlag(func(f *flag.Flag, lint bool) {
		what, usage := flag.UnquoteUsage(f)
		line := "complete -c driftprobe"
		if lint {
			line += " -n '__fish_seen_subcommand_from lint'"
		}
		if len(f.Name) == 1 {
			line += " -s " + f.Name
		} else {
			line += " -l " + f.Name
		}
		switch values := words()[f.Name]; {
		case len(values) > 0:
			line += fmt.Sprintf(" -x -a %q", strings.Join(values, " "))
		case what == "FILE" || what == "PLACE":
			line += " -r -F"
		case what != "":
			line += " -x"
		}
		fmt.Fprintf(w, "%s -d '%s'\n", line, strings.ReplaceAll(usage, "'", `\'`))
	})
}

func sortedKeys(m map[string][]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
