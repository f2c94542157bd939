package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/configuration.md")

const referenceIntro = "# Configuration\n\n" +
	"Written by a test from the types in `config/`; the examples are those of a file that a test reads\n" +
	"(`config/testdata/good/full.yaml`). All keys can be left out. Check a file before you use it: every mistake is named at\n" +
	"once, with line and column, those in the files that it names (tokens, certificates, keys) too; nobody is asked.\n" +
	"`note:` names what is right and has no effect: silences and windows that are over, secrets that go nowhere.\n" +
	"Elsewhere than on the machine where it will run, leave those files out:\n\n" +
	"```sh\ndriftprobe --check-config --config driftprobe.yaml\ndriftprobe --check-config --syntax-only --config driftprobe.yaml\n```\n\n" +
	"[example.yaml](example.yaml) is a whole one. A file has at most 1 MiB. Relative paths start at its folder. Files that hold\n" +
	"secrets are read again when they change; the configuration itself is read again at SIGHUP or `POST /-/reload`, and a bad one\n" +
	"changes nothing. Flags win over the file. In a list of networks a single address is the network of that one.\n"

// comments are those of the types and fields of this package, by "Type" and "Type.Field".
func comments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tree, err := goparser.ParseFile(token.NewFileSet(), file, nil, goparser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			general, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range general.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok {
					all[spec.Name.Name] = plain(general.Doc, spec.Doc)
					ofFields(spec, all)
				}
			}
		}
	}
	return all
}

// ofFields notes the comments of a struct's fields, each of which has its own.
func ofFields(spec *ast.TypeSpec, all map[string]string) {
	section, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range section.Fields.List {
		for _, name := range f.Names {
			all[spec.Name.Name+"."+name.Name] = plain(f.Doc, f.Comment)
		}
	}
}

func plain(groups ...*ast.CommentGroup) string {
	var words []string
	for _, g := range groups {
		if g != nil {
			words = append(words, strings.Fields(g.Text())...)
		}
	}
	return strings.Join(words, " ")
}

// reference writes the sections of a configuration.
type reference struct {
	t        *testing.T
	page     bytes.Buffer
	comments map[string]string
	example  *yaml.Node
}

// TestConfigurationPageIsTheTypes keeps docs/configuration.md in step with the code.
func TestConfigurationPageIsTheTypes(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := reference{t: t, comments: comments(t)}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	r.example = &file
	r.page.WriteString(referenceIntro)
	r.section(reflect.ValueOf(Default()), "", "")
	const path = "../docs/configuration.md"
	if *updateDocs {
		if err := os.WriteFile(path, r.page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, r.page.Bytes()) {
		t.Errorf("%s is not what the types say: go test ./config -run ConfigurationPage -update-docs", path)
	}
}

// section writes the keys of one struct, then those of the structs in it.
func (r *reference) section(v reflect.Value, path, meaning string) {
	section := v.Type()
	if path != "" {
		fmt.Fprintf(&r.page, "\n## %s\n\n%s\n", path, meaning)
	}
	r.page.WriteString("\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n")
	var below []func()
	for _, key := range keysOf(section) {
		field := section.FieldByIndex(key.field)
		text := r.said(section, field.Name)
		at := join(path, key.key)
		inner, suffix := field.Type, ""
		if inner.Kind() == reflect.Slice {
			inner, suffix = inner.Elem(), "[]"
		}
		if inner.Kind() == reflect.Struct && !expectation(inner).scalar {
			about := sentence(r.comments[inner.Name()])
			below = append(below, func() {
				value := v.FieldByIndex(key.field)
				if suffix != "" {
					value = reflect.New(inner).Elem()
				}
				r.section(value, at+suffix, about)
			})
			text = strings.TrimSpace(text + " See [" + at + suffix + "](#" + anchor(at+suffix) + ").")
		}
		if text == "" {
			r.t.Errorf("%s.%s: no comment says what %s is", section.Name(), field.Name, at)
		}
		fmt.Fprintf(&r.page, "| `%s` | %s | %s | %s | %s |\n", key.key, kindOf(field.Type), def(v.FieldByIndex(key.field)), cell(text), r.shown(at))
	}
	for _, do := range below {
		do()
	}
}

// said is the comment of a field, with keys in place of the names of fields.
func (r *reference) said(section reflect.Type, name string) string {
	text := r.comments[section.Name()+"."+name]
	if text == "" && r.comments["Routing."+name] != "" {
		text = r.comments["Routing."+name] // all that are told have these keys
	}
	for i := range section.NumField() {
		f := section.Field(i)
		if key := f.Tag.Get("yaml"); key != "" && key != "-" && key != ",inline" {
			where := "(^|[^\\w.`])"
			if f.Name == name && !regexp.MustCompile(`[a-z][A-Z]`).MatchString(name) { // elsewhere it may be the plain word
				where = "(^|[.;] )"
			}
			text = regexp.MustCompile(where+f.Name+`\b`).ReplaceAllString(text, "${1}`"+key+"`")
		}
	}
	for _, other := range keysOf(reflect.TypeFor[Config]()) { // State.ConfigMap is state.configmap
		outer := reflect.TypeFor[Config]().FieldByIndex(other.field)
		if outer.Type.Kind() != reflect.Struct {
			continue
		}
		for _, key := range keysOf(outer.Type) {
			text = strings.ReplaceAll(text, outer.Name+"."+outer.Type.FieldByIndex(key.field).Name, "`"+other.key+"."+key.key+"`")
		}
	}
	if text == "" {
		return ""
	}
	if regexp.MustCompile(`^[a-z]+ `).MatchString(text) || regexp.MustCompile(`^[a-z]+[:;,]`).MatchString(text) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// sentence is the first sentence of a type's comment, without the type's name.
func sentence(comment string) string {
	_, rest, _ := strings.Cut(comment, " ")
	if verb, after, _ := strings.Cut(rest, " "); verb == "is" || verb == "are" {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, ". ")
	if rest == "" {
		return ""
	}
	return strings.ToUpper(rest[:1]) + strings.TrimSuffix(rest[1:], ".") + "."
}

func kindOf(t reflect.Type) string {
	want := expectation(t)
	switch {
	case want.secret && want.scalar:
		return "text, secret"
	case want.scalar:
		what, _, _ := strings.Cut(want.what, " such as ")
		return what
	case t.Kind() == reflect.Slice && expectation(t.Elem()).scalar:
		return "list of: " + kindOf(t.Elem())
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Map:
		return "mapping to: " + kindOf(t.Elem())
	}
	return "mapping"
}

// def writes what holds if the key is left out.
func def(v reflect.Value) string {
	if v.IsZero() || v.Kind() == reflect.Struct {
		if v.Kind() == reflect.Bool {
			return "false"
		}
		return ""
	}
	text := fmt.Sprint(v.Interface())
	if v.Kind() == reflect.Slice {
		var all []string
		for i := range v.Len() {
			all = append(all, fmt.Sprint(v.Index(i).Interface()))
		}
		text = "[" + strings.Join(all, ", ") + "]"
	}
	if d, ok := v.Interface().(time.Duration); ok {
		text = strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
		if !strings.ContainsAny(text[len(text)-1:], "hms") || text == "" {
			text = d.String()
		}
	}
	return "`" + cell(text) + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func anchor(title string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(".[]", c) {
			return -1
		}
		return c
	}, title)
}

// shown is the example of a key: the first in the file that a test reads, on one line.
func (r *reference) shown(path string) string {
	n := find(r.example.Content[0], strings.Split(path, "."))
	if n == nil || n.Kind == yaml.MappingNode && n.Style != yaml.FlowStyle || n.Kind == yaml.SequenceNode && n.Style != yaml.FlowStyle {
		return ""
	}
	one := yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "x"}, n}}
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	if err := e.Encode(&one); err != nil {
		r.t.Fatal(err)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(strings.Join(strings.Fields(b.String()), " "), "{x: "), "}")
	if len(text) > 80 || strings.Contains(text, "`") {
		return ""
	}
	return "`" + cell(text) + "`"
}

func find(n *yaml.Node, path []string) *yaml.Node {
	if len(path) == 0 {
		return n
	}
	key, list := strings.CutSuffix(path[0], "[]")
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		if !list {
			return find(n.Content[i+1], path[1:])
		}
		for _, entry := range n.Content[i+1].Content {
			if found := find(entry, path[1:]); found != nil {
				return found
			}
		}
	}
	return nil
}

// TestEveryKeyOfTheReferenceIsKnown: what the page names can be written.
func TestEveryKeyOfTheReferenceIsKnown(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(string(page), -1)
	var got []string
	for _, s := range sections {
		got = append(got, s[1])
	}
	for _, key := range keysOf(reflect.TypeFor[Config]()) {
		field := reflect.TypeFor[Config]().FieldByIndex(key.field)
		if field.Type.Kind() == reflect.Struct && !slices.Contains(got, key.key) {
			t.Errorf("no section about %s", key.key)
		}
	}
}
