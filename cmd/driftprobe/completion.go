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

const completionUsage = `Usage: driftprobe completion bash | zsh | fish

Prints a script that completes the command line in that shell.

  driftprobe completion bash > ~/.local/share/bash-completion/completions/driftprobe
  driftprobe completion zsh > "${fpath[1]}/_driftprobe"
  driftprobe completion fish > ~/.config/fish/completions/driftprobe.fish
`

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

// eachFlag calls do for each flag, once, with the names of the commands that alone have it;
// those of the main job have none.
func eachFlag(do func(f *flag.Flag, of []string)) {
	var flags []*flag.Flag
	of := map[string][]string{}
	for _, c := range append([]command{mainJob()}, commands()...) {
		if c.flags == nil {
			continue
		}
		c.flags().VisitAll(func(f *flag.Flag) {
			if of[f.Name] == nil {
				flags = append(flags, f)
			}
			of[f.Name] = append(of[f.Name], c.name)
		})
	}
	for _, f := range flags {
		if of[f.Name][0] == "" {
			of[f.Name] = nil
		}
		do(f, of[f.Name])
	}
}

func completeBash(w io.Writer) {
	var flags, files []string
	eachFlag(func(f *flag.Flag, _ []string) {
		flags = append(flags, written(f.Name))
		if what, _ := described(f); what == "FILE" || what == "PLACE" {
			files = append(files, written(f.Name))
		}
	})
	reply := func(words string) string { return `COMPREPLY=($(compgen -W "` + words + `" -- "$cur"))` }
	fmt.Fprint(w, "# bash completion of driftprobe\n_driftprobe() {\n"+
		"  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n  COMPREPLY=()\n")
	// First, because flags follow commands that take files.
	fmt.Fprintf(w, "  case $cur in -*) %s; return;; esac\n  case $prev in\n", reply(strings.Join(flags, " ")))
	for _, name := range sortedKeys(words()) {
		fmt.Fprintf(w, "    %s) %s; return;;\n", written(name), reply(strings.Join(words()[name], " ")))
	}
	fmt.Fprintf(w, "    explain) %s; return;;\n", reply(strings.Join(codes(), " ")))
	fmt.Fprintf(w, "    completion) %s; return;;\n", reply("bash zsh fish"))
	fmt.Fprintf(w, "    help) %s; return;;\n", reply(strings.Join(commandNames(), " ")))
	fmt.Fprintf(w, "    judge|lint|%s) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n  esac\n", strings.Join(files, "|"))
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
	fmt.Fprintf(w, "complete -c driftprobe -n '__fish_seen_subcommand_from help' -f -a %q\n", strings.Join(commandNames(), " "))
	eachFlag(func(f *flag.Flag, of []string) {
		what, usage := described(f)
		line := "complete -c driftprobe"
		if len(of) > 0 {
			line += fmt.Sprintf(" -n '__fish_seen_subcommand_from %s'", strings.Join(of, " "))
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
