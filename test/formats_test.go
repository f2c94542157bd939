package test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"

	"driftprobe/test/world"
)

// printed are documents of each kind of run, in a format: a look that finds something, one
// that finds nothing, and lint.
func printed(t *testing.T, format string) map[string]string {
	t.Helper()
	w := world.Start(t)
	world.Serve(t, w.Shop, "@ 60 IN A "+w.New.String())
	w.Balancer(t, w.New, w.CA.Issue(t, "shop.example"))
	flags := []string{"-o", format, "--once", "--dns.root-servers", w.Root.String(), "--dns.resolvers", w.Resolver.Addr.String(), "--probe.allow-addresses", "127.0.0.0/8", "shop.example"}
	manifest := filepath.Join(t.TempDir(), "service.yaml")
	// Whatever it is called may meet the format's own characters.
	text := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: traefik, namespace: traefik, annotations: {a: \"]]> <&\\u0001\"}}\nspec:\n  replicas: 2\n  template:\n    spec:\n" +
		"      containers: [{name: traefik, image: \"traefik:v3\", args: [\"--certificatesresolvers.le.acme.storage=/data/acme.json\"]}]\n"
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, run := range map[string]struct {
		want int
		args []string
	}{
		"a certificate that is not trusted": {found, flags},
		"all is well":                       {clean, append([]string{"--tls.ca-file", w.CA.RootFile}, flags...)},
		"lint":                              {found, []string{"lint", "-o", format, manifest}},
	} {
		l := execute(t, run.args...)
		if l.code != run.want {
			t.Fatalf("%s: exit code %d\n%s%s", name, l.code, l.stdout, l.stderr)
		}
		all[name] = l.stdout
	}
	return all
}

// sarifSchema is the schema that OASIS publishes, as go-sarif carries it. Its own Validate
// judges what the library would write, and not the text.
func sarifSchema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(strings.TrimSpace(string(dir)), "pkg/report/v210/sarif/schema.go")
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	ast.Inspect(tree, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && len(l.Value) > len(text) {
			text = l.Value
		}
		return true
	})
	if text, err = strconv.Unquote(text); err != nil {
		t.Fatal(err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSARIFIsValid holds the output against the schema, and lets a reader of the format read it.
func TestSARIFIsValid(t *testing.T) {
	t.Parallel()
	schema := sarifSchema(t)
	for name, text := range printed(t, "sarif") {
		result, err := schema.Validate(gojsonschema.NewStringLoader(text))
		if err != nil || !result.Valid() {
			t.Errorf("%s: %v %v", name, err, result.Errors())
		}
		r, err := sarif.FromString(text, sarif.WithStrictValidation())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if results := len(r.Runs[0].Results); (results == 0) != (name == "all is well") {
			t.Errorf("%s: %d results", name, results)
		}
	}
	for _, wrong := range []string{"{}", `{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}`, `{"version": "2.2.0", "runs": []}`} {
		if result, err := schema.Validate(gojsonschema.NewStringLoader(wrong)); err != nil || result.Valid() {
			t.Errorf("%s is valid (%v)", wrong, err)
		}
	}
}

// shape is what an element of JUnit's XML may hold: the schema of Jenkins' JUnit plug-in,
// as far as continuous integration systems agree on it.
type shape struct {
	needs, may []string // attributes
	children   []string
	text       bool
}

func junitShapes() map[string]shape {
	reason := shape{may: []string{"message", "type"}, text: true}
	return map[string]shape{
		"":           {children: []string{"testsuites"}},
		"testsuites": {may: []string{"name", "time", "tests", "failures", "disabled", "errors"}, children: []string{"testsuite"}},
		"testsuite": {
			needs: []string{"name", "tests"}, may: []string{"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
			children: []string{"properties", "testcase", "system-out", "system-err"},
		},
		"testcase": {
			needs: []string{"name", "classname"}, may: []string{"assertions", "time", "status"},
			children: []string{"skipped", "error", "failure", "system-out", "system-err"},
		},
		"failure": reason, "error": reason, "skipped": {may: []string{"message"}, text: true},
		"system-out": {text: true}, "system-err": {text: true},
	}
}

// wrongJUnit returns the first thing that the shapes do not allow.
func wrongJUnit(text string) error {
	decoder := xml.NewDecoder(strings.NewReader(text))
	path, cases := []string{""}, 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if cases == 0 {
				return errors.New("no testcase")
			}
			return nil
		}
		if err != nil {
			return err
		}
		above := junitShapes()[path[len(path)-1]]
		switch at := token.(type) {
		case xml.StartElement:
			if !slices.Contains(above.children, at.Name.Local) {
				return fmt.Errorf("<%s> in <%s>", at.Name.Local, path[len(path)-1])
			}
			own, have := junitShapes()[at.Name.Local], []string{}
			for _, a := range at.Attr {
				have = append(have, a.Name.Local)
				if !slices.Contains(own.needs, a.Name.Local) && !slices.Contains(own.may, a.Name.Local) {
					return fmt.Errorf("the attribute %s of <%s>", a.Name.Local, at.Name.Local)
				}
			}
			for _, need := range own.needs {
				if !slices.Contains(have, need) {
					return fmt.Errorf("<%s> has no %s", at.Name.Local, need)
				}
			}
			if at.Name.Local == "testcase" {
				cases++
			}
			path = append(path, at.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if !above.text && strings.TrimSpace(string(at)) != "" {
				return fmt.Errorf("text in <%s>", path[len(path)-1])
			}
		}
	}
}

func TestJUnitIsValid(t *testing.T) {
	t.Parallel()
	for name, text := range printed(t, "junit") {
		if err := wrongJUnit(text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	for text, want := range map[string]string{
		`<testsuites><testsuite name="a" tests="0"/></testsuites>`:                                               "no testcase",
		`<testsuites><testsuite name="a" tests="1"><case/></testsuite></testsuites>`:                             "<case> in <testsuite>",
		`<testsuites><testsuite name="a" tests="1"><testcase name="b"/></testsuite></testsuites>`:                "<testcase> has no classname",
		`<testsuites><testsuite name="a" tests="1" colour="c"/></testsuites>`:                                    "the attribute colour of <testsuite>",
		`<testsuites>x<testsuite name="a" tests="1"><testcase name="b" classname="c"/></testsuite></testsuites>`: "text in <testsuites>",
	} {
		if err := wrongJUnit(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestCompletionInRealShells: each shell reads its script, and bash and fish complete with it.
func TestCompletionInRealShells(t *testing.T) {
	t.Parallel()
	for shell, ask := range map[string]string{
		"bash": `source "$1"; COMP_WORDS=(driftprobe explain dns/st); COMP_CWORD=2; _driftprobe; echo "${COMPREPLY[@]}"`,
		"zsh":  `autoload -U compinit && compinit -u -D && source "$1" && [[ -n ${_comps[driftprobe]} ]] && echo dns/stale-record`,
		"fish": `source $argv[1]; complete -C "driftprobe explain dns/st"`,
	} {
		script := filepath.Join(t.TempDir(), "completion."+shell)
		l := execute(t, "completion", shell)
		if err := os.WriteFile(script, []byte(l.stdout), 0o600); err != nil || l.code != clean {
			t.Fatal(l.code, err)
		}
		if out, err := exec.CommandContext(t.Context(), shell, "-n", script).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
		args := []string{"-c", ask, shell, script}
		if shell == "fish" {
			args = []string{"-c", ask, script}
		}
		cmd := exec.CommandContext(t.Context(), shell, args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=dumb"}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "dns/stale-record") {
			t.Errorf("%s does not complete: %v\n%s", shell, err, out)
		}
	}
}
