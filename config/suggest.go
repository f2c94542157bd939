package config

import (
	"fmt"
	"reflect"
	"strings"
)

// unknownKeyHint names the key that was meant, else where the key belongs,
// else the keys that would be accepted.
func unknownKeyHint(key string, accepted []keyField, path string) string {
	names := make([]string, len(accepted))
	for i, a := range accepted {
		names[i] = a.key
	}
	if meant := Nearest(key, names); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	if section, ok := sectionOf(reflect.TypeFor[Config](), key, ""); ok && section != path {
		if section == "" {
			return fmt.Sprintf("%q belongs at the top level; check the indentation", key)
		}
		return fmt.Sprintf("%q belongs in %s; check the indentation", key, section)
	}
	return "use one of: " + strings.Join(names, ", ")
}

// sectionOf finds the section that has the key; lists are entered as if they
// were their entries.
func sectionOf(section reflect.Type, key, path string) (string, bool) {
	fields := keysOf(section)
	for _, f := range fields {
		if f.key == key {
			return path, true
		}
	}
	for _, f := range fields {
		t, below := section.FieldByIndex(f.field).Type, join(path, f.key)
		if t.Kind() == reflect.Slice {
			t, below = t.Elem(), below+"[]"
		}
		if t.Kind() == reflect.Struct {
			if found, ok := sectionOf(t, key, below); ok {
				return found, true
			}
		}
	}
	return "", false
}

// Nearest gives the name at most two typing errors away from word (one for
// short names) or that word begins, or "". Case, - and _ don't count.
func Nearest(word string, names []string) string {
	if len(word) > 40 {
		return ""
	}
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	best, bestDistance := "", 3
	for _, name := range names {
		limit := 2
		if len(name) < 5 {
			limit = 1
		}
		d := distance(fold(word), fold(name))
		if strings.HasPrefix(name, strings.ToLower(word)+"_") {
			d = 1 // "body" for body_regex: a name cut short
		}
		if d <= limit && d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
