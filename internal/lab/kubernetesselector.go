package lab

import (
	"fmt"
	"slices"
	"strings"
)

// kubeSelector holds the values that each label may have. Of the API's selectors it
// knows "key=value" and "key in (a,b)", one or several of them. Nil takes all.
type kubeSelector map[string][]string

func parseKubeSelector(text string) (kubeSelector, error) {
	selector := kubeSelector{}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimLeft(rest, ", ") {
		key, set, isSet := strings.Cut(rest, " in (")
		if isSet && !strings.ContainsAny(key, "=,") {
			values, after, closed := strings.Cut(set, ")")
			if !closed {
				return nil, fmt.Errorf("the lab does not understand the label selector %q", text)
			}
			selector[strings.TrimSpace(key)], rest = strings.Split(values, ","), after
			continue
		}
		var one string
		one, rest, _ = strings.Cut(rest, ",")
		key, value, equal := strings.Cut(strings.Replace(one, "==", "=", 1), "=")
		if !equal || strings.HasSuffix(key, "!") {
			return nil, fmt.Errorf("the lab does not understand the label selector %q", text)
		}
		selector[strings.TrimSpace(key)] = []string{strings.TrimSpace(value)}
	}
	return selector, nil
}

func (s kubeSelector) matches(obj map[string]any) bool {
	meta, _ := obj["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	for key, values := range s {
		if value, _ := labels[key].(string); !slices.ContainsFunc(values, func(v string) bool { return strings.TrimSpace(v) == value }) {
			return false
		}
	}
	return true
}
