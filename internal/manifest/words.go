package manifest

import (
	"path"
	"slices"
	"strings"
)

// variables are a container's, by name, with what they refer to put in. One whose value
// comes from a Secret, a ConfigMap or the pod refers to itself: only the cluster knows it.
func variables(c fields) map[string]string {
	known := map[string]string{}
	for _, e := range first(c.list("env"), maxVariables) {
		name := e.text("name")
		known[name] = cut(expanded(e.text("value"), known)) // many can refer to a long one
		if len(e.object("valueFrom")) > 0 {
			known[name] = "$(" + name + ")"
		}
	}
	return known
}

// expanded puts variables in the place of their references, as the API has it: "$(NAME)"
// for one that is known, and "$$" for a dollar. What else there is stays, to be seen.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func expanded(text string, known map[string]string) string {
	var b strings.Builder
	for len(text) > 0 && b.Len() < maxText {
		before, after, more := strings.Cut(text, "$")
		b.WriteString(before)
		if !more {
			break
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
		value, ok := known[name]
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "(") && closed && ok:
			b.WriteString(value)
			text = rest
		default:
			b.WriteByte('$')
			text = after
		}
	}
	return b.String()
}

// words are what a program is started with. A script that is given to a shell is taken apart
// at its spaces: enough for one that starts a program.
func words(all []string) []string {
	shells := []string{"sh", "bash", "ash", "dash", "busybox"}
	if len(all) == 0 || !slices.Contains(shells, path.Base(all[0])) {
		return all
	}
	var apart []string
	for _, arg := range all {
		for _, word := range first(strings.Fields(arg), maxVariables) {
			apart = append(apart, strings.Trim(word, "\"';\\"))
		}
	}
	return apart
}
