// Package house tests the structure of the project: imports go strictly down, each
// big import has one home, and files stay short. docs/architecture.md draws what
// this test enforces.
package house_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

// floors say where each package stands. A package may import only packages of
// lower floors.
func floors() map[string]int {
	return map[string]int{
		"finding":                 0,
		"internal/inventory":      0,
		"internal/ipspace":        0,
		"probe":                   1,
		"dnscheck":                1,
		"lbcheck":                 1,
		"internal/issuance":       1,
		"internal/manifest":       1,
		"config":                  1,
		"internal/state":          1,
		"internal/notify":         1,
		"internal/lab":            1,
		"lbcheck/digitalocean":    2,
		"internal/lab/situation":  2,
		"internal/lab/handshakes": 2,
		"internal/lab/exchanges":  2,
		"internal/kube":           2,
		"internal/ctlog":          2,
		"internal/snapshot":       2,
		"internal/diagnose":       3,
		"internal/report":         3,
		"internal/trial":          3,
		"internal/monitor":        4,
		"internal/metrics":        4,
		"cmd/driftprobe":          5,
	}
}

// homes are the only packages that may import a big dependency.
func homes() map[string][]string {
	return map[string][]string{
		"github.com/miekg/dns":                {"dnscheck", "internal/lab", "internal/lab/situation"},
		"gopkg.in/yaml.v3":                    {"config", "internal/manifest"},
		"github.com/digitalocean/godo":        {"lbcheck/digitalocean"},
		"k8s.io/":                             {"internal/kube"},
		"golang.org/x/mod":                    {"internal/ctlog"},
		"golang.org/x/crypto/ocsp":            {"probe", "internal/lab", "internal/lab/handshakes"},
		"github.com/prometheus/client_golang": {"internal/metrics"},
		"github.com/tidwall/gjson":            {"probe"},
	}
}

const root = "../.."

type source struct {
	path, pkg string
	file      *ast.File
	set       *token.FileSet
	lines     int
}

// sources parses every file of the program that is not a test.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel == "test" || rel == "internal/house" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, rel, text, parser.ParseComments)
		all = append(all, source{rel, filepath.ToSlash(filepath.Dir(rel)), file, set, bytes.Count(text, []byte("\n"))})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d source files found: the test looks in the wrong place", len(all))
	}
	return all
}

func TestImportsGoDown(t *testing.T) {
	floor := floors()
	for _, s := range sources(t) {
		from, known := floor[s.pkg]
		if !known {
			t.Errorf("%s: package %s has no floor: give it one here and in docs/architecture.md", s.path, s.pkg)
			continue
		}
		for _, imp := range s.file.Imports {
			name, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), "driftprobe/")
			if !ours {
				continue
			}
			if to, ok := floor[name]; !ok || to >= from {
				t.Errorf("%s (floor %d) imports %s (floor %d)", s.path, from, name, to)
			}
			if strings.HasPrefix(s.pkg, "internal/lab") && name != "internal/lab" {
				t.Errorf("%s: the lab speaks wire protocols only and imports nothing of ours", s.path)
			}
		}
	}
}

func TestEachBigImportHasOneHome(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			for big, allowed := range homes() {
				if !strings.HasPrefix(path, big) {
					continue
				}
				used[big] = true
				if !slices.Contains(allowed, s.pkg) {
					t.Errorf("%s imports %s, whose home is %v", s.path, path, allowed)
				}
			}
		}
	}
	for big := range homes() {
		if !used[big] {
			t.Errorf("nothing imports %s any more: take it out of this test", big)
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > 400 {
			t.Errorf("%s has %d lines, over 400", s.path, s.lines)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.pkg != "finding" {
				if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > 60 {
					t.Errorf("%s: %s has %d lines, over 60", s.path, f.Name.Name, n)
				}
			}
		}
		if s.path == filepath.FromSlash("cmd/driftprobe/main.go") && s.lines > 40 {
			t.Errorf("main.go has %d lines, over 40", s.lines)
		}
	}
}

func TestEveryPackageSaysItsDuty(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sources(t) {
		said[s.pkg] = said[s.pkg] || s.file.Doc.Text() != ""
	}
	for pkg := range floors() {
		if !said[pkg] {
			t.Errorf("package %s has no package comment, or does not exist", pkg)
		}
	}
}

// TestOnlyMainTouchesTheProcess keeps everything else testable in one process.
func TestOnlyMainTouchesTheProcess(t *testing.T) {
	for _, s := range sources(t) {
		if s.path == filepath.FromSlash("cmd/driftprobe/main.go") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := sel.X.(*ast.Ident)
			if pkg == nil {
				return true
			}
			switch name := pkg.Name + "." + sel.Sel.Name; name {
			case "os.Exit", "context.Background", "context.TODO", "os.Getenv", "os.Args":
				t.Errorf("%s uses %s, which only main may", s.set.Position(n.Pos()), name)
			}
			return true
		})
	}
}

// TestFileNamesFitAModule finds those that the module proxies, and so "go install", refuse,
// such as one with an apostrophe. https://go.dev/ref/mod#zip-path-size-constraints
func TestFileNamesFitAModule(t *testing.T) {
	met := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() {
			return err
		}
		rel = filepath.ToSlash(rel)
		if err := module.CheckFilePath(rel); err != nil {
			t.Error(err)
		}
		folded := strings.ToLower(rel)
		if other, twice := met[folded]; twice {
			t.Errorf("%s and %s are one file where case does not count", other, rel)
		}
		met[folded] = rel
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if met["go.mod"] == "" {
		t.Error("no go.mod found: the test looks in the wrong place")
	}
}
