package manifest

import "math"

// fields is an object of JSON or YAML. All of its methods take a path of keys, and give
// the zero value if anything on it is absent or of another type.
type fields map[string]any

func (f fields) at(path ...string) any {
	var v any = map[string]any(f)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func (f fields) text(path ...string) string {
	s, _ := f.at(path...).(string)
	return s
}

func (f fields) object(path ...string) fields {
	m, _ := f.at(path...).(map[string]any)
	return m
}

// number reads a whole number: JSON has int64 or float64, YAML int.
func (f fields) number(path ...string) (int, bool) {
	switch n := f.at(path...).(type) {
	case int:
		return n, true
	case int64:
		return int(n), true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<31 {
			return int(n), true
		}
	}
	return 0, false
}

// list reads a list of objects.
func (f fields) list(path ...string) []fields {
	all, _ := f.at(path...).([]any)
	var list []fields
	for _, v := range all {
		if m, ok := v.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

// texts reads a list of strings.
func (f fields) texts(path ...string) []string {
	all, _ := f.at(path...).([]any)
	var list []string
	for _, v := range all {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// labels reads a map of strings.
func (f fields) labels(path ...string) map[string]string {
	labels := map[string]string{}
	for key, v := range f.object(path...) {
		if s, ok := v.(string); ok {
			labels[key] = s
		}
	}
	return labels
}
