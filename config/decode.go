package config

import (
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder walks a YAML tree along the Go type it must fit. It goes on after a
// problem, so that a user sees all of them at once.
type decoder struct {
	file     string
	problems Problems
	visited  int
	// keys is where each key in the file stands, values where its value does;
	// failed holds the paths that have a problem already. All are by path.
	keys, values map[string]position
	failed       map[string]bool
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, keys: map[string]position{}, values: map[string]position{}, failed: map[string]bool{}}
}

// report notes a problem of the value at path.
func (d *decoder) report(p position, path string, f *fault) {
	message := f.message
	if path != "" {
		message = path + ": " + message
	}
	d.add(p, path, message, f.hint)
}

func (d *decoder) add(p position, path, message, hint string) {
	d.failed[path] = true
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, Problem{
			File: d.file, Line: p.line, Column: p.column, Path: path, Message: message, Hint: hint,
		})
	}
}

// decode puts the value of node into v. v keeps its default when it can't.
func (d *decoder) decode(node *yaml.Node, v reflect.Value, path string) {
	place := at(node)
	d.values[path] = place
	if d.visited++; d.visited > maxNodes {
		if d.visited == maxNodes+1 {
			d.report(place, path, faultf("write the values out instead of using aliases again and again",
				"the file unfolds to more than %d values", maxNodes))
		}
		return
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if f := refusedForm(node, v); f != nil {
		d.report(place, path, f)
		return
	}
	if parse, ok := scalarParser(v); ok {
		if f := parse(node); f != nil {
			d.report(place, path, f)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(node, v, path)
	case reflect.Slice:
		d.decodeSlice(node, v, path)
	case reflect.Map:
		d.decodeMap(node, v, path)
	default:
		panic(fmt.Sprintf("config: no decoder for %v at %s", v.Type(), path))
	}
}

// refusedForm is what the value may not be, by its form alone.
func refusedForm(node *yaml.Node, v reflect.Value) *fault {
	want := expectation(v.Type())
	if node.Style&yaml.TaggedStyle != 0 {
		// The tag may be the start of a secret.
		return faultf("put text that starts with ! in quotes; of anything else remove the tag",
			"expected %s, found a value with a YAML tag (!name)", want.what)
	}
	kind := yaml.ScalarNode
	switch {
	case want.scalar:
	case v.Kind() == reflect.Slice:
		kind = yaml.SequenceNode
	default:
		kind = yaml.MappingNode
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return faultf("write "+want.example+", or leave it out", "expected %s, found nothing", want.what)
	}
	if node.Kind != kind {
		if v.Kind() == reflect.Slice && node.Kind == yaml.ScalarNode && want.single && len(node.Value) < shownLength {
			want.example = "a list, also of one: [" + shownURL(node.Value) + "]"
		}
		return faultf("write "+want.example, "expected %s, found %s", want.what, found(node, want.secret))
	}
	return nil
}

// found describes a node of the wrong kind.
func found(node *yaml.Node, secret bool) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	if secret {
		return "one value"
	}
	return shownURL(node.Value)
}

// entry is one key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// entries gives the keys of a mapping, without those that can't be used, each
// of which is reported.
func (d *decoder) entries(node *yaml.Node, path string) []entry {
	var usable []entry
	first := map[string]position{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, place := node.Content[i], at(node.Content[i])
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if d.visited++; d.visited > maxNodes {
			d.decode(node.Content[i], reflect.ValueOf(new(string)).Elem(), path)
			return usable
		}
		in := inPath(path)
		switch before, twice := first[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
			d.add(place, path, "expected a key"+in+", found "+foundKey(key), "write each key as plain text before the colon")
		case key.Tag == "!!merge":
			d.add(place, path, "the merge key << is not supported"+in,
				"write the keys out; a whole value can be repeated with &name and *name")
		case twice:
			d.add(place, join(path, key.Value), fmt.Sprintf("duplicate key %s%s", shown(key.Value), in),
				fmt.Sprintf("keep one of the two; the first is on line %d", before.line))
		default:
			first[key.Value] = place
			d.keys[join(path, key.Value)] = place
			usable = append(usable, entry{key, node.Content[i+1]})
		}
	}
	return usable
}

func foundKey(key *yaml.Node) string {
	if key.Kind == yaml.ScalarNode {
		return "nothing"
	}
	return found(key, false)
}

func inPath(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

func (d *decoder) decodeStruct(node *yaml.Node, v reflect.Value, path string) {
	fields := map[string]reflect.Value{}
	names := keysOf(v.Type())
	for _, name := range names {
		fields[name.key] = v.FieldByIndex(name.field)
	}
	for _, e := range d.entries(node, path) {
		field, known := fields[e.key.Value]
		if !known {
			message := fmt.Sprintf("unknown key %s%s", shown(e.key.Value), inPath(path))
			d.add(at(e.key), join(path, e.key.Value), message, unknownKeyHint(e.key.Value, names, path))
			continue
		}
		d.decode(e.value, field, join(path, e.key.Value))
	}
}

func (d *decoder) decodeSlice(node *yaml.Node, v reflect.Value, path string) {
	list := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, child := range node.Content {
		d.decode(child, list.Index(i), entryPath(path, i))
		if d.visited > maxNodes {
			return
		}
	}
	v.Set(list)
}

func (d *decoder) decodeMap(node *yaml.Node, v reflect.Value, path string) {
	result := reflect.MakeMap(v.Type())
	for _, e := range d.entries(node, path) {
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(e.value, value, join(path, e.key.Value))
		if d.visited > maxNodes {
			return
		}
		result.SetMapIndex(reflect.ValueOf(e.key.Value), value)
	}
	v.Set(result)
}

// plainKey is a key that reads well after a dot; others are quoted in brackets.
func plainKey(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func join(path, key string) string {
	switch {
	case !plainKey(key):
		return path + "[" + shown(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// entryPath is the path of entry i of a list.
func entryPath(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// keyField is one key that a section accepts and the field it fills, by its index.
type keyField struct {
	key   string
	field []int
}

// keysOf lists the keys of a section in the order of its fields. Those of a section that is
// inlined are its own.
func keysOf(section reflect.Type) []keyField {
	var keys []keyField
	for i := range section.NumField() {
		switch key := section.Field(i).Tag.Get("yaml"); key {
		case "", "-":
		case ",inline":
			for _, k := range keysOf(section.Field(i).Type) {
				keys = append(keys, keyField{k.key, append([]int{i}, k.field...)})
			}
		default:
			keys = append(keys, keyField{key, []int{i}})
		}
	}
	return keys
}
