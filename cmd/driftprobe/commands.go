package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"driftprobe/config"
)

// command is a word that may come first, in place of flags and hosts.
type command struct {
	name string
	// usage is what its --help says before the flags. Its first line says how to call it.
	usage string
	// flags are its flags; nil: it has none.
	flags func() *flag.FlagSet
	run   func(context.Context, process, []string) (int, error)
}

// commands are all there are, in the order of their names.
func commands() []command {
	return []command{
		{"completion", completionUsage, nil, completion},
		{"demo", demoUsage, func() *flag.FlagSet { return new(demoOptions).flags() }, demo},
		{"explain", explainUsage, nil, explain},
		{"healthcheck", healthcheckUsage, nil, healthcheck},
		{"judge", judgeUsage, func() *flag.FlagSet { return new(options).judgeFlags() }, judge},
		{"lint", lintUsage, func() *flag.FlagSet { return new(lintOptions).flags() }, lint},
		{"man", manUsage, nil, man},
	}
}

// mainJob is what runs if no command is named.
func mainJob() command {
	return command{"", usage, func() *flag.FlagSet { return new(options).flags() }, watch}
}

// chosen is the command that the arguments begin with, and the arguments after it.
func chosen(args []string) (command, []string) {
	if len(args) > 0 && args[0] == "help" {
		about := slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "--" || a == "help" })
		args = append(about, "--help")
	}
	if len(args) > 0 {
		if n := slices.IndexFunc(commands(), func(c command) bool { return c.name == args[0] }); n >= 0 {
			return commands()[n], args[1:]
		}
	}
	return mainJob(), args
}

// asksForHelp tells whether one of the arguments is the flag for it.
func asksForHelp(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" })
}

// help prints what the command does, and its flags. The main job's is not what somebody
// wants who has misspelt a command.
func (c command) help(w io.Writer, args []string) error {
	if c.name == "" && !strings.HasPrefix(args[0], "-") {
		if err := noCommand(args[:1]); err != nil {
			return err
		}
	}
	fmt.Fprint(w, c.usage)
	if c.flags != nil {
		fmt.Fprint(w, "\nFlags:\n")
		listFlags(w, c.flags())
	}
	return nil
}

// listFlags writes one line a flag: the flag package takes two.
func listFlags(w io.Writer, fs *flag.FlagSet) {
	fs.VisitAll(func(f *flag.Flag) {
		what, usage := described(f)
		if f.DefValue != "" && f.DefValue != "false" {
			usage += " (" + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %-31s %s\n", written(f.Name)+" "+what, usage)
	})
}

// described is what stands for the value of a flag, and what the flag is for.
func described(f *flag.Flag) (what, usage string) {
	what, usage = flag.UnquoteUsage(f)
	return what, strings.TrimPrefix(usage, what+": ")
}

// written is a flag as people write it.
func written(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// commandNames are the words that may come first.
func commandNames() []string {
	names := []string{"help"}
	for _, c := range commands() {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

// parse reads flags and arguments, in whatever order they come. After "--" there are no flags.
func parse(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return nil, flagFault(fs, err)
		}
		read := args[:len(args)-fs.NArg()]
		if args = fs.Args(); len(read) > 0 && read[len(read)-1] == "--" {
			return append(rest, args...), nil
		}
		if len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return rest, nil
}

// flagFault puts an error of the flag package into our words: two dashes, and the flag that
// was meant.
func flagFault(fs *flag.FlagSet, err error) error {
	text := regexp.MustCompile(`(^|[ :])-(\w[\w.-]+)`).ReplaceAllString(err.Error(), "$1--$2")
	hint := fs.Name() + " --help lists the flags"
	if _, name, ok := strings.Cut(err.Error(), "not defined: -"); ok {
		var names []string
		fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		if meant := config.Nearest(name, names); meant != "" {
			hint = "did you mean " + written(meant) + "?"
		}
	}
	return faultf(hint, "%s", text)
}

// noCommand refuses words that can be no hostname of the Internet, before somebody waits
// for the diagnosis of the host "lnit".
func noCommand(args []string) error {
	for _, word := range args {
		if strings.ContainsAny(word, ".:/") {
			continue
		}
		if slices.Contains(commandNames(), word) {
			return faultf("name it first: driftprobe "+word+" …", "the command %s stands behind flags or hosts", word)
		}
		if word == "version" {
			return faultf("driftprobe --version prints it", "there is no command %q", word)
		}
		hint := fmt.Sprintf("driftprobe --help lists the commands; a host without a dot is written https://%s/", word)
		if meant := config.Nearest(word, commandNames()); meant != "" {
			hint = "did you mean driftprobe " + meant + "?"
		}
		return faultf(hint, "there is no command %q", word)
	}
	return nil
}
